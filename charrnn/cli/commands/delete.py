"""`charrnn delete`."""

import sys
from pathlib import Path

import click

from charrnn.cli.completion import complete_runs
from charrnn.cli.options import checkpoints_option
from charrnn.cli.registry import register
from charrnn.cli.terminal import in_a_line
from charrnn.runs.manage import delete_run, run_inside


@register
@click.command("delete")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@checkpoints_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_command(runs: tuple[str, ...], checkpoints: Path, yes: bool) -> None:
    """Delete runs with all of their files.

    RUN is a name or a path. You are asked before anything is deleted.
    """
    found = dict.fromkeys(run_inside(run, checkpoints) for run in runs)
    names = ", ".join(in_a_line(str(run.folder)) for run in found)
    if not yes:
        confirm(f"Delete {names}?")
    for run in found:
        delete_run(run.folder, checkpoints)
    click.echo(f"deleted {names}", err=True)


def confirm(question: str) -> None:
    """Ask on the terminal, and leave with a non-zero status unless the answer is yes."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; give --yes")
    click.confirm(question, abort=True, err=True)
