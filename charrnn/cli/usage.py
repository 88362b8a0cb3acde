"""The table of commands; usage errors in one line, with the name that was probably meant."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import IO, Any

import click
from click.exceptions import NoArgsIsHelpError

from charrnn.plugins import Table

COMMANDS: Table[click.Command] = Table("command")
"""Every command by name. A package adds one by an entry point in `charrnn.commands`."""
OPENINGS = ("Invalid", "No", "Missing", "Got", "Option")
"""Words with which click begins a message; charrnn's own messages begin with a small letter."""
ALIKE = 0.6
"""How alike a misspelt name and the right one are at least (difflib's ratio)."""


def register(command: click.Command) -> click.Command:
    """Put a command into the table, and so into `charrnn --help`.

    Raises:
        ConfigError: There is a command of this name already.
    """
    return COMMANDS.add(str(command.name), command)


class UsageLine(click.UsageError):
    """A usage error that shows as one line, with status 2."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"charrnn: {self.format_message()}", file=file, err=file is None)


@contextmanager
def usage_in_a_line(group: click.Context | None = None) -> Iterator[None]:
    """Turn click's usage errors, of four lines each, into one line.

    Args:
        group: The context in which a command is invoked, if one is.
    """
    try:
        yield
    except (NoArgsIsHelpError, UsageLine):
        raise
    except click.UsageError as error:
        raise UsageLine(
            " ".join(f"{said(error)}; see {page(error, group)} --help".split())
        ) from error


def said(error: click.UsageError) -> str:
    """What is wrong, with a suggestion."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        return f"no such option {error.option_name}{meant(error.option_name, error.ctx)}"
    if type(error) is click.BadParameter and isinstance(error.param, click.Option):
        return f"{error.param.opts[-1]}: {error.message.rstrip('.')}"
    words = error.format_message().rstrip(".")
    return words[0].lower() + words[1:] if words.startswith(OPENINGS) else words


def page(error: click.UsageError, group: click.Context | None) -> str:
    """The command whose help tells more; some of click's errors do not name it."""
    if error.ctx is None:
        return f"charrnn {group.invoked_subcommand}" if group else "charrnn"
    return "charrnn" + error.ctx.command_path.removeprefix(error.ctx.find_root().command_path)


def meant(option: str, ctx: click.Context) -> str:
    """A suggestion for an option that the command does not have."""
    others = [name for name in COMMANDS.present if option in long_options(COMMANDS[name], ctx)]
    if others:
        return f"; it is an option of charrnn {' and '.join(others)}"
    near = nearest(option, long_options(ctx.command, ctx))
    return did_you_mean(near) if near else ""


def did_you_mean(names: Iterable[str]) -> str:
    """The end of a message about a misspelt name."""
    return f"; did you mean {' or '.join(names)}?"


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The known names that begin like a word, up to three, or else the one most like it."""
    names = {plain(name): name for name in known}
    longer = [name for name in names if plain(word) and name.startswith(plain(word))]
    if not 1 <= len(longer) <= 3:
        longer = get_close_matches(plain(word), names, 1, ALIKE)
    return [names[name] for name in longer]


def plain(name: str) -> str:
    """A name without what people confuse: dashes, underscores, capitals."""
    return name.strip("-").replace("_", "-").casefold()


def long_options(command: click.Command, ctx: click.Context) -> list[str]:
    """Every spelling of a command's options that begins with two dashes."""
    params = command.get_params(ctx)
    return [name for param in params for name in param.opts if name.startswith("--")]


def refuse_single_dash(ctx: click.Context, args: list[str]) -> None:
    """Raise UsageError for `-length 300`, which would be read as `-l ength`.

    What follows an option may be its value, and may begin with a dash.
    """
    known = long_options(ctx.command, ctx)
    short = [name for param in ctx.command.get_params(ctx) for name in param.opts]
    for before, argument in zip(["", *args], args, strict=False):
        if argument == "--":
            return
        name = argument.partition("=")[0]
        if not is_word(name) or before.startswith("-"):
            continue
        if f"-{name}" in known:
            raise click.UsageError(f"{argument}: write it with two dashes, -{name}", ctx)
        if name[:2] not in short:
            raise click.NoSuchOption(name, ctx=ctx)


def is_word(option: str) -> bool:
    """Whether an option has one dash and several letters."""
    return option.startswith("-") and option[1:3].isalpha() and len(option) > 2


class NamedChoice(click.Choice):
    """One of several names; a misspelt one is told which it may have meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        near = nearest(str(value), map(str, self.choices))
        message = super().get_invalid_choice_message(value, ctx).rstrip(".")
        return f"{message}{did_you_mean(near) if near else ''}"
