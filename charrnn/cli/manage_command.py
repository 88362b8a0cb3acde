"""`charrnn copy`, `charrnn rename` and `charrnn delete`."""

import sys
from pathlib import Path

import click

from charrnn.cli.options import checkpoints_option, complete_runs
from charrnn.cli.output import escape_unprintable
from charrnn.cli.usage import register
from charrnn.runs.manage import copy_run, delete, kept_folder, rename_run


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


@register
@click.command("delete")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@checkpoints_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_command(runs: tuple[str, ...], checkpoints: Path, yes: bool) -> None:
    """Delete runs or sweeps with all of their files.

    RUN is a name or a path. You are asked before anything is deleted.
    """
    found = dict.fromkeys(kept_folder(run, checkpoints) for run in runs)
    names = ", ".join(escape_unprintable(str(folder)) for folder in found)
    if not yes:
        confirm(f"Delete {names}?")
    for folder in found:
        delete(folder, checkpoints)
    click.echo(f"deleted {names}", err=True)


def confirm(question: str) -> None:
    """Ask on the terminal, and leave with a non-zero status unless the answer is yes."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; give --yes")
    click.confirm(question, abort=True, err=True)
