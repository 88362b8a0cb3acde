"""`charrnn train`."""

import sys
from collections.abc import Iterable
from dataclasses import Field
from pathlib import Path

import click

from charrnn.cli.allocator import keep_memory
from charrnn.cli.boundary import tell
from charrnn.cli.options import SettingsCommand, checkpoints_option, given
from charrnn.cli.registry import register
from charrnn.cli.signals import stop_signals
from charrnn.config import GROUPS, Plan


def tell_of_broken(everywhere: bool) -> Iterable[Field]:
    """For the help: which cells and optimizers of installed packages cannot be loaded."""
    from charrnn.cells import CELLS
    from charrnn.training.optimizers import OPTIMIZERS

    for table in (CELLS, OPTIMIZERS) if everywhere else ():
        table.working(tell)
    return ()


@register
@click.command("train", cls=SettingsCommand, groups=[Plan, *GROUPS.values()], added=tell_of_broken)
@click.argument("corpus", nargs=-1)
@click.option("--name", help="The run's name  [default: the corpus's].")
@checkpoints_option
@click.option("--resume", is_flag=True, help="Go on with a run exactly where it stopped.")
@click.option("--init-from", metavar="RUN", help="Start a new run from an old run's weights.")
@click.option("--overwrite", is_flag=True, help="Delete a run that stands in the way.")
def train_command(
    corpus: tuple[str, ...],
    name: str | None,
    checkpoints: Path,
    resume: bool,
    init_from: str | None,
    overwrite: bool,
    **settings: object,
) -> None:
    """Learn a text: files, folders, globs, or - for standard input.

    .gz, .bz2 and .xz files are read through. Without CORPUS, the Python standard library's
    own sources are learnt. Without --epochs, --steps or --time, training takes five
    minutes, or 50 epochs of a small text. Ctrl-C stops and saves.
    """
    keep_memory()
    from charrnn.cli.progress import Display
    from charrnn.training.loop import train

    with (
        train(
            *corpus,
            name=name,
            checkpoints=checkpoints,
            resume=resume,
            init_from=init_from,
            overwrite=overwrite,
            **given(settings),
        ) as events,
        stop_signals() as received,
        Display() as display,
    ):
        for event in events:
            display.show(event)
            if received:
                break
    if received:
        display.stopped()
        sys.exit(128 + received[0])
