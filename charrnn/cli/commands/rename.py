"""`charrnn rename`."""

from pathlib import Path

import click

from charrnn.cli.completion import complete_runs
from charrnn.cli.options import checkpoints_option
from charrnn.cli.registry import register
from charrnn.runs.manage import rename_run


@register
@click.command("rename")
@click.argument("run", shell_complete=complete_runs)
@click.argument("name")
@checkpoints_option
def rename_command(run: str, name: str, checkpoints: Path) -> None:
    """Give a run another name.

    RUN is its name or its path, NAME the new name.
    """
    renamed = rename_run(run, name, checkpoints)
    click.echo(f"{renamed.folder} is its name now", err=True)
