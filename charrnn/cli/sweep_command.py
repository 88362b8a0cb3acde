"""`charrnn sweep`."""

import copy
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from charrnn.cli.options import (
    SHORTER,
    SettingOption,
    SettingsCommand,
    checkpoints_option,
    complete_files,
    given_options,
    option,
)
from charrnn.cli.process import POSSIBLE, keep_memory, start_again, stop_signals
from charrnn.cli.train_command import tell_of_broken
from charrnn.cli.usage import NamedChoice, register
from charrnn.config import GROUPS, Plan
from charrnn.config.settings import ADVISED, name_of
from charrnn.sweeps.folder import EVAL_CHARS, SEEDS, TRIALS
from charrnn.sweeps.ranges import variable
from charrnn.sweeps.results import FORMS

if TYPE_CHECKING:
    from charrnn.cli.sweep_display import SweepDisplay
    from charrnn.sweeps.sweep import SweepEvent

SECTIONS = {
    "Sweep": ("name", "checkpoints", "trials", "seeds", "show", "form"),
    "Text": (),
    "Plan": (),
    "Network": (),
    "Optimizer": (),
    "Reporting": (),
}
"""Headings of the help, with the options that are not settings."""
VALUES = "VALUES"
RUNS = 40
"""After so many runs, at the end of a trial, a fresh process goes on: TensorFlow keeps what it
has compiled for each of them, 25 MB and more, until its process ends."""
LEFT_OUT = ("warm_restart",)
"""Settings that only a resumed run has."""
OWN_HELP: Mapping[str, Mapping[str, str]] = {
    "units": {"help": "Hidden units of each layer; a comma separates two ways, not two layers."},
    "layers": {"shown": ADVISED},
    "eval_chars": {"shown": f"{EVAL_CHARS:,}"},
}
"""Metadata of settings that differ from those of `charrnn train`."""


class SweepCommand(SettingsCommand):
    """A command whose options take a range or several values, where a sweep can vary them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [each for each in super().get_params(ctx) if each.name not in LEFT_OUT]

    def _option(self, field: Field, heading: str) -> click.Option:
        if field not in variable() or field.type is bool:
            return super()._option(for_sweep(field), heading)
        name = name_of(field)
        spellings = [*SHORTER.get(name, ()), option(name), name]
        return SettingOption(for_sweep(field), heading, spellings, multiple=True, metavar=VALUES)


def for_sweep(field: Field) -> Field:
    other = copy.copy(field)
    other.metadata = MappingProxyType({**field.metadata, **OWN_HELP.get(name_of(field), {})})
    return other


def refuse_repeated(options: dict[str, object]) -> dict[str, object]:
    """The options that the user gave, each of which is given once."""
    for name, value in given_options(options).items():
        if isinstance(value, tuple) and len(value) > 1:
            both = " and ".join(map(str, value))
            raise click.UsageError(
                f"{option(name)}: given twice, as {both}; give one range, or several values with"
                " commas"
            )
    return {
        name: value[0] if isinstance(value, tuple) else value
        for name, value in given_options(options).items()
    }


@register
@click.command(
    "sweep",
    cls=SweepCommand,
    groups=[Plan, *GROUPS.values()],
    added=tell_of_broken,
    sections=SECTIONS,
)
@click.argument("corpus", nargs=-1, shell_complete=complete_files)
@click.option("-n", "--name", help="Name of the sweep.  [default: that of CORPUS, with -sweep]")
@checkpoints_option
@click.option(
    "--trials",
    type=int,
    default=TRIALS,
    show_default=True,
    help="How many ways to train are tried.",
)
@click.option(
    "--seeds", type=int, default=SEEDS, show_default=True, help="How many runs each way has."
)
@click.option("--show", metavar="NAME", help="Print the table of a sweep, and train nothing.")
@click.option(
    "--format",
    "form",
    type=NamedChoice(tuple(FORMS)),
    default="text",
    show_default=True,
    help="What the table is written in.",
)
def sweep_command(
    corpus: tuple[str, ...],
    name: str | None,
    checkpoints: Path,
    trials: int,
    seeds: int,
    show: str | None,
    form: str,
    **settings: object,
) -> None:
    """Try many ways to train on a text, and print a table of them.

    A setting takes a range, as in --units 128..512, or several values that are tried one by one,
    as in --cell lstm,gru; with one value it is the same in all runs. Every way is trained with
    several seeds; what is behind others is pruned. Run the same command in other terminals, or on
    other machines that share the folder: they work on one sweep, each on trials of its own. Ctrl-C
    stops and saves, and the same command goes on. This needs Optuna: pip install '.[sweep]' in
    charrnn's folder.
    """
    if show is not None:
        show_table(show, checkpoints, form, corpus)
        return
    keep_memory()
    from charrnn.cli.sweep_display import SweepDisplay
    from charrnn.sweeps.sweep import sweep

    with (
        sweep(
            *corpus,
            name=name,
            checkpoints=checkpoints,
            trials=trials,
            seeds=seeds,
            **refuse_repeated(settings),  # type: ignore[arg-type]
        ) as events,
        stop_signals() as received,
        SweepDisplay(checkpoints, form) as display,
    ):
        full = show_all(events, received, display)
    if received:
        display.stopped()
        sys.exit(128 + received[0])
    if full:
        start_again()


def show_all(
    events: Iterable["SweepEvent"], received: Sequence[int], display: "SweepDisplay"
) -> bool:
    """Show what happens; whether this process has trained enough before the end is returned."""
    from charrnn.sweeps.sweep import TrialEnded, TrialStarted

    runs = 0
    for event in events:
        display.show(event)
        runs += isinstance(event, TrialStarted)
        if received:
            break
        if POSSIBLE and runs >= RUNS and isinstance(event, TrialEnded):
            return True
    return False


def show_table(name: str, checkpoints: Path, form: str, corpus: tuple[str, ...]) -> None:
    """Print the table of a sweep."""
    from charrnn.cli.sweep_display import print_results
    from charrnn.sweeps.folder import find_sweep
    from charrnn.sweeps.sweep import sweep_results

    if corpus:
        raise click.UsageError("--show trains nothing; leave the text out")
    results = sweep_results(name, checkpoints)
    print_results(find_sweep(name, checkpoints).folder, results, checkpoints, form)
