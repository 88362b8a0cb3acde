"""`charrnn plot`."""

from pathlib import Path

import click

from charrnn.cli.options import checkpoints_option, complete_runs
from charrnn.cli.usage import register
from charrnn.runs.plot import read_curves
from charrnn.runs.run import find_run


@register
@click.command("plot")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@checkpoints_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("loss.svg"),
    show_default=True,
    help="File to write; its ending, .svg, .png or .pdf, names the format.",
)
def plot_command(runs: tuple[str, ...], checkpoints: Path, output: Path) -> None:
    """Draw the losses of runs in one picture.

    Training and validation loss are drawn against time and against passes over the text. RUN is a
    name or a path; without it, the newest run. This needs matplotlib: pip install '.[plot]' in
    charrnn's folder.
    """
    from charrnn.runs.plot import plot

    curves = [read_curves(find_run(run, checkpoints)) for run in runs or [None]]
    for each in curves:
        if not each.complete:
            click.echo(f"{each.run.history}: only a part of it could be read", err=True)
    plot(curves, output)
    click.echo(f"wrote {output}", err=True)
