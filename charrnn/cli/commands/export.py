"""`charrnn export`."""

from pathlib import Path

import click

from charrnn.cli.options import checkpoints_option, run_argument, which_option
from charrnn.cli.usage import NamedChoice, register
from charrnn.runs.outputs import size_in_words
from charrnn.runs.run import WHICH


class ExportCommand(click.Command):
    """A command whose formats are looked up when it runs, since users may add some."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from charrnn.exporting.exporting import FORMATS

        kind = NamedChoice(tuple(FORMATS))
        chosen = click.Option(["--to"], type=kind, required=True, help="Format.")
        return [chosen, *super().get_params(ctx)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from charrnn.cli.boundary import tell
        from charrnn.exporting.exporting import FORMATS

        with formatter.section("Formats"):
            formatter.write_dl([(n, f.summary) for n, f in FORMATS.working(tell).items()])


@register
@click.command("export", cls=ExportCommand)
@run_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write, or for hub the folder.",
)
@checkpoints_option
@which_option
def export_command(
    run: str | None, to: str, output: Path, checkpoints: Path, which: str | None
) -> None:
    """Write a run's model for programs without charrnn.

    RUN is a name or a path; without it, the newest run. A short program that reads the file and
    writes a text goes to standard output: add "> write.py" to keep it.
    """
    from charrnn.exporting.exporting import export_model

    done = export_model(run, to=to, output=output, which=which or WHICH, checkpoints=checkpoints)
    click.echo(f"wrote {done.path}: {size_in_words(done.size)}", err=True)
    if done.usage:
        click.echo(done.usage)
