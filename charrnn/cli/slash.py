"""Settings that are changed while a text is written by turns: `/temperature 0.5`."""

from dataclasses import Field, fields

import click

from charrnn.cli.options import SHORTER, option_type
from charrnn.cli.usage import did_you_mean, nearest, plain
from charrnn.config import SamplingConfig
from charrnn.config.settings import name_of, shown
from charrnn.errors import ConfigError
from charrnn.sampling.filters import FILTERS, sampling_config

WHOLE = ("count", "best_of", "beam")
"""Settings of several texts, which are known only when all are done."""
SWITCHES = {"": True, "on": True, "off": False}


def changeable() -> dict[str, Field]:
    """The settings that a line may change, by the name that is typed after the slash."""
    own = [each for each in fields(SamplingConfig) if not each.metadata.get("hidden")]
    added = [each.setting for each in FILTERS.present.values()]
    named = {name_of(each): each for each in (*own, *added) if each.name not in WHOLE}
    return {plain(name): each for name, each in named.items()} | {
        plain(short): named[name] for name in named for short in SHORTER.get(name, ())
    }


def changed(settings: dict[str, object], line: str) -> tuple[dict[str, object], str]:
    """The settings after a line such as `/temperature 0.5`, and what to tell the user.

    Raises:
        ConfigError: There is no such setting, or it cannot have this value.
    """
    name, _, text = line.removeprefix("/").strip().partition(" ")
    known = changeable()
    if plain(name) not in known:
        near = nearest(name, known)
        hint = did_you_mean([f"/{each}" for each in near]) if near else "; /help lists them"
        raise ConfigError(f"no setting /{name}{hint}")
    field = known[plain(name)]
    if not text.strip() and field.type is not bool:
        value = settings.get(field.name, field.default)
        return settings, f"{plain(field.name)} is {worded(value)}"
    value = value_of(field, text.strip())
    new = settings | {field.name: value}
    sampling_config({each: new[each] for each in new if each != "engine"})
    return new, f"{plain(field.name)} is now {worded(value)}"


def help_text() -> str:
    """What a user may type in place of text."""
    names = " ".join(f"/{plain(name_of(each))}" for each in dict.fromkeys(changeable().values()))
    return (
        "/temperature 0.5 changes a setting of the next turns, /temperature shows it, /greedy on"
        f" and /greedy off switch. The settings: {names}. A line that begins with // is text that"
        ' begins with /. "charrnn sample --help" explains the settings.'
    )


def named(name: str, value: object) -> str:
    """A setting with its value, as it is typed here."""
    return f"/{plain(name)}" if value is None else f"/{plain(name)} {shown(value)}"


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
