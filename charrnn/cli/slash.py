"""Settings that are changed while a text is written by turns: `/temperature 0.5`."""

from dataclasses import Field, fields

import click

from charrnn.cli.options import SHORTER, option_type
from charrnn.cli.usage import did_you_mean, nearest, plain
from charrnn.cli.wording import NAMED
from charrnn.config import SamplingConfig
from charrnn.config.settings import name_of, shown
from charrnn.errors import ConfigError
from charrnn.sampling.filters import FILTERS, sampling_config

WHOLE = ("count", "best_of", "beam", "new")
"""Settings of texts that can be shown only when they are done."""
SWITCHES = {"": True, "on": True, "off": False}


def is_command(line: str) -> bool:
    """Whether a line is a command; one that begins with two slashes is text."""
    return line.startswith("/") and not line.startswith("//")


def changeable() -> dict[str, Field]:
    """The settings that a command may change, by the name that is typed after the slash."""
    own = [each for each in fields(SamplingConfig) if not each.metadata.get("hidden")]
    added = [each.setting for each in FILTERS.present.values()]
    named = {name_of(each): each for each in (*own, *added) if each.name not in WHOLE}
    return {plain(name): each for name, each in named.items()} | {
        plain(short): named[name] for name in named for short in SHORTER.get(name, ())
    }


def changed(settings: dict[str, object], line: str) -> tuple[dict[str, object], str]:
    """The settings after a command such as `/temperature 0.5`, and what to tell the user.

    Args:
        settings: Those before it, by the names of Python.
        line: The command; without a value it changes nothing, or turns a switch on.

    Returns:
        The settings, and a message.

    Raises:
        ConfigError: There is no such setting, or it cannot have this value.
    """
    name, _, text = line.removeprefix("/").strip().partition(" ")
    field = known_setting(name)
    if not text.strip() and field.type is not bool:
        value = settings.get(field.name, field.default)
        return settings, f"{plain(field.name)} is {worded(value)}"
    value = value_of(field, text.strip())
    new = settings | {field.name: value}
    sampling_config({each: new[each] for each in new if each != "engine"})
    return new, f"{plain(field.name)} is now {worded(value)}"


def known_setting(name: str) -> Field:
    """The setting of this name; ConfigError with a suggestion where there is none."""
    known = changeable()
    if plain(name) not in known:
        near = nearest(name, known)
        hint = did_you_mean([f"/{each}" for each in near]) if near else "; /help shows them"
        raise ConfigError(f"no setting /{name}{hint}")
    return known[plain(name)]


def help_text() -> str:
    """What a user may type in place of text, a line for each command."""
    names = " ".join(f"/{plain(name_of(each))}" for each in dict.fromkeys(changeable().values()))
    return "\n".join(
        [
            "/temperature 0.5: set it for the next parts",
            "/temperature: show it",
            "/greedy on, /greedy off: switch it",
            "/reset: use the settings of the start again",
            f"The settings: {names}",
            "charrnn sample --help explains them. To write text that begins with /, type //.",
        ]
    )


def named(name: str, value: object) -> str:
    """A setting with its value, as it is typed here."""
    return f"/{plain(name)}" if value is None else f"/{plain(name)} {shown(value)}"


def spoken(text: str) -> str:
    """A message of the library with commands in place of the settings in backquotes."""
    return NAMED.sub(lambda match: f"/{plain(match[1])}{match[2]}", text)


def worded(value: object) -> str:
    """A setting's value in an answer."""
    if value is None:
        return "not set"
    return ("on" if value else "off") if isinstance(value, bool) else shown(value)


def value_of(field: Field, text: str) -> object:
    """A setting's value from what is typed."""
    if field.type is bool:
        if text not in SWITCHES:
            raise ConfigError("type on or off", {field.name: text})
        return SWITCHES[text]
    if field.type is tuple:
        return (text,)
    try:
        return click.types.convert_type(option_type(field)).convert(text, None, None)
    except click.BadParameter as error:
        raise ConfigError(error.message.rstrip("."), {field.name: None}) from error
