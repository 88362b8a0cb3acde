"""Training's events on standard error: a progress bar, a line for each evaluation, samples."""

import shlex
import sys
from functools import singledispatchmethod
from pathlib import Path
from time import perf_counter
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
FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:,.0f}/{total:,.0f} {unit}{postfix}"


class Bar:
    """The progress of a plan in its own measure, seconds or steps, and it ends at 100 %.

    Args:
        started: What is about to be trained.
        screen: Where it is drawn.
        leave: Whether the bar stays on the screen at its end.
    """

    def __init__(self, started: events.Started, screen: Drawing, *, leave: bool = True) -> None:
        self._seconds, self._begun = started.seconds, perf_counter() - started.spent_seconds
        self._values: dict[str, str] = {}
        self._characters, self._first_step = 0, 0.0
        self._tqdm = tqdm(
            file=screen,
            desc="train",
            total=started.seconds or started.end,
            initial=started.spent_seconds if started.seconds else started.step,
            unit="s" if started.seconds else "steps",
            bar_format=FORMAT,
            leave=leave,
            dynamic_ncols=True,
            mininterval=0.2 if screen.isatty() else LOG_SECONDS,
            disable=not leave and not screen.isatty(),
        )

    def step(self, event: events.Stepped) -> None:
        now = perf_counter()
        if self._first_step:  # which was compiled
            self._characters += event.characters
            speed = self._characters / max(1e-9, now - self._first_step)
            self._values["speed"] = f"{tqdm.format_sizeof(speed)} char/s"
        else:
            self._first_step = now
        self._values["loss"] = "skipped" if event.skipped else f"loss {event.loss_nats:.3f}"
        self._tqdm.set_postfix_str(", ".join(self._values.values()), refresh=False)
        self._tqdm.total = self._seconds or event.end
        at = min(now - self._begun, self._seconds) if self._seconds else event.step
        self._tqdm.update(at - self._tqdm.n)

    def evaluate(self, event: events.Evaluated) -> None:
        self._values["val"] = f"val {nats(event.val_loss_nats)}"

    def finish(self) -> None:
        """Show that the plan is carried out, also where it took less time than it had."""
        self._tqdm.update(self._tqdm.total - self._tqdm.n)

    def close(self) -> None:
        self._tqdm.close()


class Display:
    """Draws events; a context manager that takes the bar away at its end."""

    def __init__(self) -> None:
        self._screen = Drawing(sys.stderr)
        self._bar: Bar | None = None
        self._run: Path | None = None
        self._step = 0
        self._end = 0

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
        self._bar = Bar(event, self._screen)

    @show.register
    def _(self, event: events.Stepped) -> None:
        assert self._bar is not None
        self._step, self._end = event.step, event.end
        self._bar.step(event)

    @show.register
    def _(self, event: events.Evaluated) -> None:
        if self._bar is not None:
            self._bar.evaluate(event)
        passes = f"{event.epoch:.2f} passes"
        line = f"step {event.step:,}, {passes}: train {nats(event.train_loss_nats)}"
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
        if self._bar is not None:
            self._bar.finish()
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
                f"stopped with {self._step / max(1, self._end):.0%} done, and saved at step"
                f" {self._step:,}; continue with: charrnn train --resume --name {named(self._run)}"
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
