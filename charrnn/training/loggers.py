"""Loggers: what writes the events of training for other programs to show.

A new one is a function under `@register`; `log` then takes its name. It is handed the folder that
it writes into, which is its own, and the step at which the session begins: a run that resumes may
have logged later steps before, which it takes again. What it needs it imports in its body, so that
this file imports no framework.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from charrnn.errors import ConfigError
from charrnn.plugins import Table
from charrnn.runs.events import Event, Note
from charrnn.runs.run import Run
from charrnn.types import Tensors

CopyWeights = Callable[[], Tensors]
"""Copies the network's weights by name."""


class Logger(Protocol):
    """Writes events."""

    def log(self, event: Event, weights: CopyWeights) -> None:
        """Write what is to be written of an event; the weights are those of this moment."""

    def close(self) -> None:
        """Write what is still to be written, and close the files."""


Open = Callable[[Path, int], Logger]
"""From its folder and the step at which it begins to a logger."""
LOGGERS: Table[Open] = Table("logger")
"""Every logger by name."""


def register(open_logger: Open) -> Open:
    """Put a function into the table of loggers, under its own name.

    Raises:
        ConfigError: There is a logger of this name already.
    """
    return LOGGERS.add(open_logger.__name__, open_logger)


@register
def tensorboard(folder: Path, step: int) -> Logger:
    """Scalars, samples and histograms of the weights, as TensorBoard reads them."""
    from charrnn.training.tensorboard import EventFiles

    return EventFiles(folder, step)


def refuse_unknown_loggers(names: Iterable[str]) -> None:
    """Raise ConfigError where there is no logger of a name."""
    for name in names:
        if name not in LOGGERS:
            raise ConfigError(f"must be one of {', '.join(LOGGERS)}", {"log": name})


def pass_to_loggers(
    stream: Generator[Event, None, None],
    run: Run,
    names: Iterable[str],
    step: int,
    weights: CopyWeights,
) -> Generator[Event, None, None]:
    """Hand events to loggers, and pass them on.

    A logger that fails is given up with a note: it must not end training.

    Args:
        stream: The events of a session; it is closed at the end.
        names: The loggers asked for. Those that the run has logged with before go on too.
        step: Where the session begins.
        weights: Copies the network's weights as they are.
    """
    logs = [Log(name, folder_of(run, name)) for name in dict.fromkeys([*names, *loggers_of(run)])]
    with closing(stream):
        try:
            for log in logs:
                yield from log.open(step)
            for event in stream:
                for log in logs:
                    yield from log.log(event, weights)
                yield event
        finally:
            for log in logs:
                log.close()


class Log:
    """A logger in use, or one that was given up."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self._logger: Logger | None = None

    def open(self, step: int) -> Iterator[Note]:
        """Begin at a step; a note where that cannot be done."""
        try:
            self._logger = LOGGERS[self._name](self._folder, step)
        except Exception as error:
            yield self._given_up(error)

    def log(self, event: Event, weights: CopyWeights) -> Iterator[Note]:
        """Write an event; a note where that cannot be done."""
        if self._logger is None:
            return
        try:
            self._logger.log(event, weights)
        except Exception as error:
            yield self._given_up(error)

    def close(self) -> None:
        if self._logger is not None:
            with suppress(Exception):
                self._logger.close()

    def _given_up(self, error: Exception) -> Note:
        self.close()
        self._logger = None
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return Note(f"{self._folder}: training goes on, but is not logged there any longer: {why}")


def loggers_of(run: Run) -> list[str]:
    return [name for name in LOGGERS if folder_of(run, name).is_dir()]


def folder_of(run: Run, name: str) -> Path:
    return run.folder / name
