"""`charrnn`: the group of commands."""

import click

import charrnn.cli.commands  # noqa: F401  (each command registers itself)
from charrnn import __version__
from charrnn.cli.boundary import ReportingGroup, tell
from charrnn.cli.native import quiet_start
from charrnn.cli.registry import COMMANDS


class TableGroup(ReportingGroup):
    """A group whose commands are those of the table, looked up when they are wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS.working(tell))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return COMMANDS.get(name)

    def invoke(self, ctx: click.Context) -> object:
        with quiet_start():
            return super().invoke(ctx)


@click.group(cls=TableGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="charrnn")
def main() -> None:
    """Learn a text character by character, then write in its voice.

    \b
    charrnn train corpus.txt            learn a text
    charrnn sample --temperature 0.8    write in its voice
    charrnn train --resume              go on exactly where it stopped
    """
