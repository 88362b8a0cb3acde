"""What `train` returns: training in progress, as far as it is iterated."""

import weakref
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from charrnn.runs.events import Event

Item = TypeVar("Item")
Own = TypeVar("Own", bound="Closing")


class Closing(Generic[Item]):
    """An iterator that ends what it does however it is left, as `Training` does.

    Args:
        events: Does it, and ends it when it is closed.
    """

    def __init__(self, events: Generator[Item, None, None]) -> None:
        self._events = events
        self._close = weakref.finalize(self, events.close)

    def __next__(self) -> Item:
        return next(self._events)

    def __iter__(self) -> Iterator[Item]:
        # The loop alone holds this generator, so that it ends with the loop, even where a
        # variable or a traceback still holds the training.
        try:
            yield from self._events
        finally:
            self.close()

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Save, and give the run's folder free; there are no events after that."""
        self._close()


class Training(Closing[Event]):
    """An iterator of events, which saves however it is left.

    A `for` loop over it closes it when the loop ends, be it by `break`, by an exception in its
    body, or by Ctrl-C in the body or within a step. So do a `with` block, the end of the program,
    and forgetting the object. To continue after that, resume the run. With `next`, training goes
    on step by step, and stays open.

    Args:
        events: Carries the training out, and saves when it is closed.
    """
