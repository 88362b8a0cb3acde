"""Click options made from the fields of the settings, so that each is written once."""

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from pathlib import Path

import click

from charrnn.cli.wording import option, spoken
from charrnn.config.settings import looked_up, name_of
from charrnn.errors import ConfigError
from charrnn.runs import DEFAULT_ROOT, WHICH


class SettingsCommand(click.Command):
    """A command with an option for every setting of some groups.

    The options are made when the command runs, since users may add settings and choices.

    Args:
        groups: Classes of settings.
        added: Looks up settings that users have added. It is told whether to ask the installed
            packages too, which takes a while: that happens for the help, and where an
            option is not known. Then it also says which packages cannot be loaded.
    """

    def __init__(
        self,
        *arguments: typing.Any,
        groups: Iterable[type] = (),
        added: Callable[[bool], Iterable[Field]] = lambda everywhere: (),
        **options: typing.Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._groups, self._added = tuple(groups), added

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *own, last = super().get_params(ctx)  # the last is --help
        settings = [each for group in self._groups for each in fields(group)]
        settings += list(self._added(False))
        shown = (each for each in settings if not each.metadata.get("hidden"))
        return [*own, *map(setting_option, shown), last]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption:
            self._added(True)
            return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self._added(True)
        super().format_options(ctx, formatter)


class SettingOption(click.Option):
    """An option whose help is put together only when it is shown."""

    def __init__(self, field: Field, *arguments: typing.Any, **options: typing.Any) -> None:
        super().__init__(*arguments, **options)
        self._field = field

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = help_of(self._field)
        return super().get_help_record(ctx)


class Parsed(click.ParamType):
    """What a setting's own parser makes of a text."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name, self._parse = name, parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ConfigError as error:
            self.fail(f"{value!r}: {error.why}", param, ctx)


def setting_option(field: Field) -> click.Option:
    """The option of one field; absent on the command line, it is None."""
    flag, dest = option(name_of(field)), name_of(field)
    if field.type is bool:
        either = f"{flag}/{flag.replace('--', '--no-', 1)}"
        return SettingOption(field, [either, dest], default=None)
    if field.type is tuple:
        return SettingOption(field, [flag, dest], multiple=True, metavar="TEXT")
    return SettingOption(field, [flag, dest], type=option_type(field), default=None)


def help_of(field: Field) -> str:
    """The setting's line of help, with its default."""
    default = field.metadata.get("shown", field.default)
    nothing = default is None or default is False or default in ("", ())
    shown = "" if nothing else f"  [default: {default}]"
    return spoken(f"{looked_up(field.metadata['help'])}{shown}")


def option_type(field: Field) -> object:
    """Click's type for a field; limits are the settings' own affair."""
    if "choices" in field.metadata:
        return click.Choice(tuple(looked_up(field.metadata["choices"])))
    if "parse" in field.metadata:
        return Parsed(field.metadata.get("metavar", "TEXT"), field.metadata["parse"])
    if isinstance(field.type, types.UnionType):
        return next(kind for kind in typing.get_args(field.type) if kind is not types.NoneType)
    return field.type


def given(options: dict[str, object]) -> dict[str, typing.Any]:
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
