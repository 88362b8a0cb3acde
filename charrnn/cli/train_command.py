"""`charrnn train`."""

import signal
from collections.abc import Iterable
from dataclasses import Field
from pathlib import Path

import click

from charrnn.cli.boundary import report_and_go_on
from charrnn.cli.options import (
    SettingsCommand,
    checkpoints_option,
    complete_files,
    complete_runs,
    given_options,
)
from charrnn.cli.process import keep_memory, stop_signals
from charrnn.cli.usage import register
from charrnn.config import GROUPS, Plan

SECTIONS = {
    "Run": ("name", "checkpoints", "resume", "init_from", "overwrite"),
    "Text": (),
    "Plan": (),
    "Network": (),
    "Optimizer": (),
    "Reporting": ("log",),
}
"""The headings of the help, with the options that are not settings."""


def tell_of_broken(everywhere: bool) -> Iterable[Field]:
    """For the help: which cells and optimizers of installed packages cannot be loaded."""
    from charrnn.cells import CELLS
    from charrnn.training.loggers import LOGGERS
    from charrnn.training.optimizers import OPTIMIZERS

    for table in (CELLS, OPTIMIZERS, LOGGERS) if everywhere else ():
        table.working(report_and_go_on)
    return ()


@register
@click.command(
    "train",
    cls=SettingsCommand,
    groups=[Plan, *GROUPS.values()],
    added=tell_of_broken,
    sections=SECTIONS,
)
@click.argument("corpus", nargs=-1, shell_complete=complete_files)
@click.option(
    "-n",
    "--name",
    shell_complete=complete_runs,
    help="Name of the run.  [default: the name of CORPUS]",
)
@checkpoints_option
@click.option(
    "--resume",
    is_flag=True,
    help="Continue a run exactly where it stopped: that of --name or CORPUS, or the newest.",
)
@click.option(
    "--init-from",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Start a new run from an old run's weights.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace an existing run of the same name (deletes it).",
)
@click.option(
    "--log",
    metavar="NAME",
    multiple=True,
    help="Write a log for another program too, into a folder in the run's. NAME is tensorboard; to"
    " see it: tensorboard --logdir checkpoints. A resumed run goes on with its log.",
)
def train_command(
    corpus: tuple[str, ...],
    name: str | None,
    checkpoints: Path,
    resume: bool,
    init_from: str | None,
    overwrite: bool,
    log: tuple[str, ...],
    **settings: object,
) -> None:
    """Train a model on a text.

    CORPUS is files, folders, globs, or - for standard input. Files ending in .gz, .bz2 or .xz
    are decompressed. Without CORPUS, the text is the reference of the Python language.
    Without a plan: five minutes, or 50 passes over a small text. Ctrl-C stops and saves;
    --resume continues. A default that is "chosen" suits the text, the time and the machine.
    Several processes train one model together under MPI: mpiexec -n 4 charrnn train CORPUS.
    """
    keep_memory()
    from charrnn.cli.display import Display
    from charrnn.runs.events import Stopped
    from charrnn.training.ranks import ranks_of_launcher
    from charrnn.training.train import train

    with (
        train(
            *corpus,
            name=name,
            checkpoints=checkpoints,
            resume=resume,
            init_from=init_from,
            overwrite=overwrite,
            log=log,
            **given_options(settings),
        ) as events,
        stop_signals() as received,
        Display() as display,
    ):
        ranks, event = ranks_of_launcher(), None
        for event in events:
            if ranks.first:
                display.show(event)
            if received and not ranks.stop():
                break
    if received or isinstance(event, Stopped):
        if ranks.first:
            display.stopped()
        ranks.exit(128 + (received[0] if received else signal.SIGINT))
