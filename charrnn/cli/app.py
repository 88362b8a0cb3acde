"""`charrnn`: the group of commands."""

import shlex
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import click

from charrnn import __version__
from charrnn.cli.boundary import ReportingGroup, report_and_go_on
from charrnn.cli.process import quiet_start
from charrnn.cli.usage import COMMANDS, did_you_mean, nearest, usage_in_a_line

COMMAND_FILE = "_command"
"""How the names of files end in which commands register themselves."""
EPILOG = """\b
charrnn COMMAND --help explains a command. To complete commands, options
and runs with the Tab key, put this line into ~/.bashrc (or the same with
zsh in place of bash into ~/.zshrc):
  eval "$(_CHARRNN_COMPLETE=bash_source charrnn)"
"""


class TableGroup(ReportingGroup):
    """A group whose commands are those of the table, looked up when they are wanted."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with usage_in_a_line():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> object:
        with usage_in_a_line(ctx), quiet_start():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = self.get_command(ctx, args[0]) is None
        if unknown and not (ctx.resilient_parsing or args[0].startswith("-")):
            raise click.UsageError(f"no such command '{args[0]}'{meant(args[0])}", ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS.working(report_and_go_on))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return COMMANDS.get(name)


def meant(name: str) -> str:
    """A suggestion for a command that does not exist; perhaps it was to be a text or a run."""
    near = nearest(name, COMMANDS.present)
    if near or not Path(name).exists():
        return did_you_mean([f"charrnn {each}" for each in near]) if near else ""
    return did_you_mean([f"charrnn train {shlex.quote(name)}"])


@click.group(
    cls=TableGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG
)
@click.version_option(__version__, prog_name="charrnn")
def main() -> None:
    """Learn a text character by character, then write new text in its style.

    \b
    charrnn train corpus.txt            learn a text
    charrnn sample --temperature 0.8    write new text in its style
    charrnn train --resume              continue exactly where it stopped
    """


for _module in iter_modules([str(Path(__file__).parent)]):
    if _module.name.endswith(COMMAND_FILE):
        import_module(f"charrnn.cli.{_module.name}")
