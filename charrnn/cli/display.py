"""Training's events on standard error: a progress bar, a line for each evaluation, samples."""

import shlex
import sys
from functools import singledispatchmethod
from pathlib import Path
from types import TracebackType

import click
from tqdm import tqdm

from charrnn.cli.options import name_options
from charrnn.cli.output import Drawing
from charrnn.runs import events
from charrnn.runs.events import Event
from charrnn.runs.run import DEFAULT_ROOT

LOG_SECONDS = 10.0
"""How often the bar is drawn where standard error is a file."""


class Display:
    """Draws events; a context manager that takes the bar away at its end."""

    def __init__(self) -> None:
        self._screen = Drawing(sys.stderr)
        self._bar: tqdm | None = None
        self._run: Path | None = None
        self._step = 0
        self._end = 0
        self._losses: dict[str, str] = {}

    def __enter__(self) -> "Display":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    @singledispatchmethod
    def show(self, event: Event) -> None:
        """Draw an event; those without a drawing of their own are passed over."""

    @show.register
    def _(self, event: events.Note) -> None:
        self._line(name_options(event.message))

    @show.register
    def _(self, event: events.Started) -> None:
        self._run, self._end, self._step = event.run, event.end, event.step
        end = "" if event.seconds is not None else f" of {event.end:,}"
        self._line(f"{event.run}: {event.parameters:,} parameters, step {event.step:,}{end}")
        self._bar = tqdm(
            file=self._screen,
            desc="train",
            unit="char",
            unit_scale=True,
            dynamic_ncols=True,
            smoothing=0.05,
            mininterval=0.2 if self._screen.isatty() else LOG_SECONDS,
        )

    @show.register
    def _(self, event: events.Stepped) -> None:
        assert self._bar is not None
        self._step, self._end = event.step, event.end
        self._bar.total = self._bar.n + event.characters * (event.end - event.step + 1)
        self._losses["loss"] = "skipped" if event.skipped else f"{event.loss_nats:.3f}"
        self._bar.set_postfix(self._losses, refresh=False)
        self._bar.update(event.characters)

    @show.register
    def _(self, event: events.Evaluated) -> None:
        self._losses["val"] = nats(event.val_loss_nats)
        line = f"step {event.step:,}, epoch {event.epoch:.2f}: train {nats(event.train_loss_nats)}"
        if event.val_loss_nats is not None:
            bits = f"{nats(event.val_bits_per_char)} bits per character"
            line += f", validation {nats(event.val_loss_nats)} nats = {bits}"
            line += " (lowest so far)" if event.is_best else ""
        self._line(line)

    @show.register
    def _(self, event: events.Sampled) -> None:
        rule = "-" * 72
        self._line(f"{rule}\n{event.text}\n{rule}")

    @show.register
    def _(self, event: events.RolledBack) -> None:
        self._step = event.step
        self._line(
            f"the losses were not finite: back to step {event.step:,},"
            f" at half the learning rate, now {event.learning_rate:.2g}"
        )

    @show.register
    def _(self, event: events.Finished) -> None:
        best = (
            ""
            if event.best_loss_nats is None
            else f", lowest validation loss {nats(event.best_loss_nats)} nats"
        )
        self._line(
            f"finished at step {event.step:,}{best}; write with: charrnn sample {named(event.run)}"
        )

    def stopped(self) -> None:
        """Say how to continue after a stop."""
        if self._run is None:
            self._line("stopped before training began; nothing was saved")
        else:
            self._line(
                f"stopped and saved at step {self._step:,} of {self._end:,};"
                f" continue with: charrnn train --resume --name {named(self._run)}"
            )

    def _line(self, text: str) -> None:
        with tqdm.external_write_mode(file=self._screen):
            click.echo(text, err=True)


def nats(loss: float | None) -> str:
    return "-" if loss is None else f"{loss:.3f}"


def named(run: Path) -> str:
    """The run's name with what else a command needs to find it again."""
    elsewhere = (
        "" if run.parent == DEFAULT_ROOT else f" --checkpoints {shlex.quote(str(run.parent))}"
    )
    return shlex.quote(run.name) + elsewhere
