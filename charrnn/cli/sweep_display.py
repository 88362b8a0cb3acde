"""A sweep's events on standard error, and its table on standard output."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import singledispatchmethod
from pathlib import Path
from types import TracebackType

import click
from tqdm import tqdm

from charrnn.cli.display import Bar
from charrnn.cli.options import name_options, option_with
from charrnn.cli.output import Drawing, escape_controls
from charrnn.runs.events import Evaluated, RolledBack, Started, Stepped
from charrnn.runs.run import DEFAULT_ROOT
from charrnn.sweeps.results import (
    FAILED,
    FINISHED,
    STOPPED,
    TRAINING,
    Result,
    as_good_as_the_best,
    best_runs,
    loss,
    table,
)
from charrnn.sweeps.sweep import SweepEnded, SweepEvent, TrialEnded, TrialStarted

RANKABLE_STEPS = 200
"""Runs of fewer steps say little of what longer ones come to."""
COMPARED = 5
"""So many of the best runs are compared on a page."""


class SweepDisplay:
    """Draws events: a bar for the run in training, and a line for each trial.

    Args:
        checkpoints: The folder in which the sweep lies.
        form: What the table at the end is written in.
    """

    def __init__(self, checkpoints: Path, form: str) -> None:
        self._screen = Drawing(sys.stderr)
        self._bar: Bar | None = None
        self._checkpoints, self._form = checkpoints, form
        self._steps, self._doubted = RANKABLE_STEPS, False

    def __enter__(self) -> "SweepDisplay":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_bar()

    @singledispatchmethod
    def show(self, event: SweepEvent) -> None:
        """Draw an event; those without a drawing of their own are passed over."""

    @show.register
    def _(self, event: TrialStarted) -> None:
        self._end_bar()
        words = "goes on" if event.resumed else "begins"
        line = f"trial {event.trial}, seed {event.seed} {words}: {in_options(event.settings)}"
        self._line(f"{line}; {event.run}")

    @show.register
    def _(self, event: Started) -> None:
        self._bar = Bar(event, self._screen, leave=False)

    @show.register
    def _(self, event: Stepped) -> None:
        assert self._bar is not None
        self._bar.step(event)
        self._steps = event.step

    @show.register
    def _(self, event: Evaluated) -> None:
        if self._bar is not None:
            self._bar.evaluate(event)

    @show.register
    def _(self, event: RolledBack) -> None:
        self._line(f"the losses were not finite: back to step {event.step:,}")

    @show.register
    def _(self, event: TrialEnded) -> None:
        self._end_bar()
        result = event.result
        told = f"{result.state}: {name_options(result.why)}" if result.why else result.state
        self._line(f"trial {result.trial} {told}, {loss(result)} nats per character")
        if result.state == FINISHED and self._steps < RANKABLE_STEPS and not self._doubted:
            self._doubted = True
            self._line(
                f"its last run took {self._steps:,} steps: too few to rank settings by; give more"
                " --time or --steps"
            )

    @show.register
    def _(self, event: SweepEnded) -> None:
        print_results(event.folder, event.results, self._checkpoints, self._form)

    def stopped(self) -> None:
        """Say how to go on after a stop."""
        self._line("stopped and saved; the same command goes on with this trial")

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self, text: str) -> None:
        with tqdm.external_write_mode(file=self._screen):
            click.echo(escape_controls(text), err=True)


def in_options(settings: Mapping[str, object]) -> str:
    return " ".join(option_with(name, value) for name, value in settings.items())


def print_results(folder: Path, results: Sequence[Result], checkpoints: Path, form: str) -> None:
    """The table on standard output; on standard error, what is still open, and what to do next."""
    click.echo(escape_controls(table(results, form)))
    for state, words in {
        TRAINING: "still in training by other processes",
        STOPPED: "stopped; the command that made them goes on with them",
        FAILED: "failed",
    }.items():
        number = sum(each.state == state for each in results)
        if number:
            click.echo(f"{number} {'trial' if number == 1 else 'trials'} {words}", err=True)
    alike = as_good_as_the_best(results)
    if alike:
        what = "another trial is" if alike == 1 else f"{alike} other trials are"
        click.echo(
            f"{what} behind the best one by no more than the seeds differ: their order is chance;"
            " longer runs or more --seeds tell more",
            err=True,
        )
    if any(each.state == FINISHED for each in results):
        click.echo(f"compare the best with: {page_command(folder, results, checkpoints)}", err=True)


def page_command(folder: Path, results: Sequence[Result], checkpoints: Path) -> str:
    """The command that makes a page of the best runs."""
    root, inside = shlex.quote(str(checkpoints)), folder.parent == checkpoints
    where = "" if not inside or checkpoints == DEFAULT_ROOT else f" --checkpoints {root}"
    base = Path(folder.name) if inside else folder
    runs = " ".join(shlex.quote(str(base / run)) for run in best_runs(results, COMPARED))
    return f"charrnn page {runs}{where} -o {shlex.quote(f'{folder.name}.html')}"
