"""Click options made from the fields of the settings, so that each is written once."""

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from charrnn.config import parse_duration
from charrnn.config.settings import flag
from charrnn.errors import ConfigError
from charrnn.runs import DEFAULT_ROOT, WHICH

Command = Callable[..., Any]


class Duration(click.ParamType):
    """A length of time: 90s, 5m, 2h."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        try:
            return value if isinstance(value, float) else parse_duration(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class Numbers(click.ParamType):
    """One number, or several with commas between them."""

    def __init__(self, kind: type, hint: str) -> None:
        self.kind, self.hint = kind, hint
        self.name = f"{'integer' if kind is int else 'float'}[,…]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            numbers = tuple(map(self.kind, str(value).split(",")))
        except ValueError:
            self.fail(f"{value!r}: write one number, or {self.hint}", param, ctx)
        return numbers if len(numbers) > 1 else numbers[0]


SIZES = Numbers(int, "one a layer: 512,256")
TEMPERATURES = Numbers(float, "several: 1.0,0.5,0.2")


def settings_options(groups: Iterable[type]) -> Callable[[Command], Command]:
    """Options for every field of the groups of settings."""

    def decorate(command: Command) -> Command:
        for group in reversed(list(groups)):
            hints = typing.get_type_hints(group)
            for field in reversed(fields(group)):
                command = setting_option(field, hints[field.name])(command)
        return command

    return decorate


def setting_option(field: Field, hint: Any) -> Callable[[Command], Command]:
    """The option of one field; absent on the command line, it is None."""
    if hint is bool:
        either = f"{flag(field)}/{flag(field).replace('--', '--no-', 1)}"
        return click.option(either, field.name, default=None, help=help_of(field))
    if hint is tuple:
        return click.option(
            flag(field), field.name, multiple=True, metavar="TEXT", help=help_of(field)
        )
    kind = option_type(field, hint)
    return click.option(flag(field), field.name, type=kind, default=None, help=help_of(field))


def help_of(field: Field) -> str:
    """The setting's line of help, with its default."""
    default = field.metadata.get("shown", field.default)
    nothing = default is None or default is False or default in ("", ())
    shown = "" if nothing else f"  [default: {default}]"
    return f"{field.metadata['help']}{shown}"


def option_type(field: Field, hint: Any) -> Any:
    """Click's type for a field; limits are the settings' own affair."""
    if "choices" in field.metadata:
        return click.Choice(field.metadata["choices"])
    if flag(field) == "--time":
        return Duration()
    if tuple in typing.get_args(hint):
        return SIZES if int in typing.get_args(hint) else TEMPERATURES
    if isinstance(hint, types.UnionType):
        (hint,) = set(typing.get_args(hint)) - {type(None)}
    return hint


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the user gave."""
    return {name: value for name, value in options.items() if value not in (None, ())}


checkpoints_option = click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_ROOT,
    show_default=True,
    help="Folder of the runs.",
)
which_option = click.option(
    "--which",
    type=click.Choice(WHICH),
    help="Which checkpoint of the run  [default: best, or last before an evaluation].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
run_argument = click.argument("run", required=False)
