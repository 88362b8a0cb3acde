"""`charrnn copy`."""

from pathlib import Path

import click

from charrnn.cli.completion import complete_runs
from charrnn.cli.options import checkpoints_option
from charrnn.cli.registry import register
from charrnn.runs.manage import copy_run


@register
@click.command("copy")
@click.argument("run", shell_complete=complete_runs)
@click.argument("name")
@checkpoints_option
def copy_command(run: str, name: str, checkpoints: Path) -> None:
    """Copy a run under another name.

    RUN is its name or its path, NAME that of the copy. Both can be trained further, each by itself.
    """
    copied = copy_run(run, name, checkpoints)
    click.echo(f"wrote {copied.folder}", err=True)
