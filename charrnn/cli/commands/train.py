"""`charrnn train`."""

import os
import sys
import typing
from collections.abc import Iterable
from dataclasses import Field
from pathlib import Path

import click

from charrnn.cli.allocator import keep_memory
from charrnn.cli.boundary import tell
from charrnn.cli.completion import complete_files, complete_runs
from charrnn.cli.options import SettingsCommand, checkpoints_option, given
from charrnn.cli.registry import register
from charrnn.cli.signals import stop_signals
from charrnn.config import GROUPS, Plan
from charrnn.workers.cluster import TF_CONFIG, from_tf_config

SECTIONS = {
    "Run": ("name", "checkpoints", "resume", "init_from", "overwrite"),
    "Text": (),
    "Plan": (),
    "Network": (),
    "Optimizer": (),
    "Machine": ("workers", "worker"),
    "Reporting": ("log",),
}
"""The headings of the help, with the options that are not settings."""


def tell_of_broken(everywhere: bool) -> Iterable[Field]:
    """For the help: which cells and optimizers of installed packages cannot be loaded."""
    from charrnn.cells import CELLS
    from charrnn.training.loggers import LOGGERS
    from charrnn.training.optimizers import OPTIMIZERS

    for table in (CELLS, OPTIMIZERS, LOGGERS) if everywhere else ():
        table.working(tell)
    return ()


def together(workers: str | None, worker: int | None) -> dict[str, typing.Any]:
    """The workers as they were named, or else as the environment names them."""
    cluster = None
    if workers is None and worker is None:
        cluster = from_tf_config(os.environ.get(TF_CONFIG))
    if cluster is None:
        return {"workers": workers, "worker": worker}
    return {"workers": [str(each) for each in cluster.addresses], "worker": cluster.worker}


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
@click.option(
    "--workers",
    metavar="HOST:PORT,HOST:PORT,...",
    help="Train together with other processes, on this machine or others: the address of each, in"
    " the same order everywhere. Run the same command for each of them, with its own --worker. In"
    " place of both, the environment variable TF_CONFIG is read. Nothing is encrypted and nobody"
    " has to prove who he is: the ports belong in a trusted network.",
)
@click.option(
    "--worker",
    metavar="NUMBER",
    type=int,
    help="Which of the workers this is, from 0. Worker 0 writes the run.",
)
def train_command(
    corpus: tuple[str, ...],
    name: str | None,
    checkpoints: Path,
    resume: bool,
    init_from: str | None,
    overwrite: bool,
    log: tuple[str, ...],
    workers: str | None,
    worker: int | None,
    **settings: object,
) -> None:
    """Train a model on a text.

    CORPUS is files, folders, globs, or - for standard input. Files ending in .gz, .bz2 or .xz
    are decompressed. Without CORPUS, the text is the source code of Python's standard library.
    Without a plan: five minutes, or 50 epochs if the text is small. Ctrl-C stops and saves;
    --resume continues. A default that is "chosen" suits the text, the time and the machine.
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
            log=log,
            **together(workers, worker),
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
