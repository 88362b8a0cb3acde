"""Click options made from the fields of the settings, so that each is written once."""

import re
import shlex
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from charrnn.cli.usage import COMMANDS, NamedChoice, refuse_single_dash
from charrnn.config.settings import Settings, default_of, format_setting, name_of, resolve
from charrnn.errors import ConfigError
from charrnn.runs.run import DEFAULT_ROOT, WHICH, runs_below

NAMED = re.compile(r"(?<![^\s(])`([a-z_]+)([^`]*)`(?![\w.])")
"""A name in backquotes, but not a part of a longer word: that may be a file's name."""
SHORTER = {
    "learning_rate": ("--lr",),
    "temperature": ("-t", "--temp"),
    "time": ("-t",),
    "length": ("-l",),
    "count": ("-n",),
    "seed": ("-s",),
}
"""Other spellings of the options that are typed most, by the setting's name."""
OTHERS = "Other"
"""The heading of options that no section names."""
checkpoints_option = click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_ROOT,
    show_default=True,
    help="Folder that holds the runs.",
)
which_option = click.option(
    "--which",
    type=NamedChoice(WHICH),
    help="Checkpoint to use: best has the lowest validation loss, last is the newest."
    "  [default: best, or last before the first evaluation]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def name_options(text: str) -> str:
    """The text with options and commands in place of what stands in backquotes.

    After a name there may be its value or arguments, as in `time 5m`.
    """
    return NAMED.sub(lambda match: option_or_command(match[1]) + match[2], text)


def option_or_command(name: str) -> str:
    """`--batch-size` for the setting `batch_size`, `charrnn train` for the command `train`."""
    return f"charrnn {name}" if name in COMMANDS.present else option(name)


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


def option_with(name: str, value: object) -> str:
    """The option of a setting with its value, as a user types it."""
    if value is None or value is True:
        return option(name)
    if value is False:
        return option(f"no_{name}")
    return (
        f"{option(name)} {shlex.quote(value) if isinstance(value, str) else format_setting(value)}"
    )


def complete_runs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The runs whose names begin so; where there are none, files and folders."""
    root = Path(ctx.params.get("checkpoints") or DEFAULT_ROOT)
    names = (run.name for run in reversed(runs_below(root)))
    items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return items or complete_files(ctx, param, incomplete)


def complete_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Whatever files and folders the shell finds."""
    return [CompletionItem(incomplete, type="file")]


def optimizers() -> Iterable[str]:
    """The names of all optimizers, looked up late: `config` cannot know them."""
    from charrnn.training.optimizers import OPTIMIZERS

    return OPTIMIZERS


CHOICES: dict[str, Callable[[], Iterable[str]]] = {"optimizer": optimizers}
"""Choices that the settings themselves cannot tell, by the setting's name."""


class SettingsCommand(click.Command):
    """A command with an option for every setting of some groups.

    The options are made when the command runs, since users may add settings and choices.

    Args:
        groups: Classes of settings.
        sections: The headings of the help in their order, and the command's own options
            (by parameter) that stand under each. A setting stands under its own group's.
        added: Looks up settings that users have added. It is told whether to ask the installed
            packages too, which takes a while: that happens for the help, and where an
            option is not known. Then it also says which packages cannot be loaded.
    """

    def __init__(
        self,
        *arguments: typing.Any,
        groups: Iterable[type[Settings]] = (),
        sections: Mapping[str, Sequence[str]] | None = None,
        added: Callable[[bool], Iterable[Field]] = lambda everywhere: (),
        **options: typing.Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._groups, self._added = tuple(groups), added
        self._sections = dict(sections or {})

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *own, last = super().get_params(ctx)  # the last is --help
        settings = [
            self._option(each, each.metadata.get("group", group.group))
            for group in self._groups
            for each in (*fields(group), *self._added_to(group))  # type: ignore[arg-type]
            if not each.metadata.get("hidden")
        ]
        return [*settings, *own, last]

    def _option(self, field: Field, heading: str) -> click.Option:
        return setting_option(field, heading)

    def _added_to(self, group: type[Settings]) -> Iterable[Field]:
        return self._added(False) if group is self._groups[-1] else ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        refuse_single_dash(ctx, args)
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption:
            self._added(True)
            return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their headings."""
        self._added(True)
        records: dict[str, list[tuple[str, str]]] = {heading: [] for heading in self._sections}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                records.setdefault(self._heading(param), []).append(record)
        for heading, rows in records.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _heading(self, param: click.Parameter) -> str:
        """Where an option stands in the help."""
        if isinstance(param, SettingOption):
            return param.heading
        named = (heading for heading, own in self._sections.items() if param.name in own)
        return next(named, OTHERS)


class PlainOption(click.Option):
    """An option whose help leaves out the limits of its number."""

    def get_help_extra(self, ctx: click.Context) -> typing.Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class SettingOption(click.Option):
    """An option whose help is put together only when it is shown."""

    def __init__(
        self, field: Field, heading: str, *arguments: typing.Any, **options: typing.Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._field, self.heading = field, heading

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


def setting_option(field: Field, heading: str) -> click.Option:
    """The option of one field; absent on the command line, it is None."""
    flag, dest = option(name_of(field)), name_of(field)
    names = [*SHORTER.get(dest, ()), flag, dest]
    if field.type is bool:
        either = f"{flag}/{flag.replace('--', '--no-', 1)}"
        return SettingOption(field, heading, [either, dest], default=None)
    if field.type is tuple:
        return SettingOption(field, heading, names, multiple=True, metavar="TEXT")
    metavar = field.metadata.get("metavar")
    return SettingOption(
        field, heading, names, type=option_type(field), metavar=metavar, default=None
    )


def help_of(field: Field) -> str:
    """The setting's line of help, with its default."""
    default = default_of(field)
    nothing = default is None or default is False or default in ("", ())
    stated = "" if nothing else f"  [default: {format_setting(default)}]"
    return name_options(f"{resolve(field.metadata['help'])}{help_of_choices(field)}{stated}")


def help_of_choices(field: Field) -> str:
    return f" One of: {', '.join(CHOICES[name_of(field)]())}." if name_of(field) in CHOICES else ""


def option_type(field: Field) -> object:
    """Click's type for a field; limits are the settings' own affair."""
    choices = CHOICES.get(name_of(field), field.metadata.get("choices"))
    if choices is not None:
        return NamedChoice(tuple(resolve(choices)), case_sensitive=False)
    if "parse" in field.metadata:
        return Parsed(field.metadata.get("metavar", "TEXT"), field.metadata["parse"])
    if isinstance(field.type, types.UnionType):
        return next(kind for kind in typing.get_args(field.type) if kind is not types.NoneType)
    return field.type


def given_options(options: dict[str, object]) -> dict[str, typing.Any]:
    return {name: value for name, value in options.items() if value not in (None, ())}


run_argument = click.argument("run", required=False, shell_complete=complete_runs)
