"""Batches: a text cut into B parallel streams that are read side by side in windows of T.

The recurrent state is carried from window to window (truncated BPTT), and is zero only where a
stream or stretch starts. Every character after the first is a target exactly once in a pass; what
a last window lacks is padded and masked out.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

ORDER = 2
"""Keeps the random numbers of the order apart from others of the same seed."""


class Batch(NamedTuple):
    """One window of every stream: ids int32 [B, T], and which targets count, float32 [B, T]."""

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray

    @property
    def filled(self) -> float:
        """The share of the targets that count; 1 in a full window."""
        return float(self.mask.sum(dtype=np.float64)) / self.mask.size


def in_direction(ids: np.ndarray, direction: str) -> np.ndarray:
    """The ids as a model reads them, "forward" or "backward": a view, nothing is copied."""
    return ids[::-1] if direction == "backward" else ids


def fit(length: int, batch_size: int, seq_length: int) -> tuple[int, int]:
    """The batch and window sizes, shrunk where the text cannot fill one window of each stream."""
    targets = max(length - 1, 1)
    seq_length = min(seq_length, targets)
    return min(batch_size, max(1, targets // seq_length)), seq_length


class Streams:
    """B contiguous streams over ids [N], in windows of T.

    The N - 1 targets are cut into B stretches whose lengths differ by at most one. With `warmup`,
    each stream but the first also reads that many characters before its own, whose targets do
    not count: they bring the state near that of a single pass.

    Args:
        ids: The text, int [N].
        batch_size: B.
        seq_length: T.
        warmup: Characters read before a stream's own.
        rows: The streams that are read here; other ranks read the others.
        edges: Where the streams but the first begin instead, int [B - 1].
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch_size: int,
        seq_length: int,
        warmup: int = 0,
        rows: slice = slice(None),
        edges: Sequence[int] = (),
    ) -> None:
        self.ids, self.batch_size, self.seq_length = ids, batch_size, seq_length
        self._rows = rows
        shortest, longer = divmod(len(ids) - 1, batch_size)
        own = shortest + (np.arange(batch_size) < longer)
        if edges:
            own = np.diff([0, *edges, len(ids) - 1])
        own_start = np.cumsum(own) - own
        self._skipped = np.minimum(own_start, warmup)
        self._start = own_start - self._skipped
        self._end = own_start + own

    def in_pass(self, number: int) -> "Streams":
        """The streams as pass `number`, from 0, reads them."""
        return self

    @property
    def windows(self) -> int:
        return int(-(-(self._end - self._start).max() // self.seq_length))

    def window(self, index: int) -> Batch:
        place, inside, counts = (each[self._rows] for each in self._places(index))
        read = np.where(inside, place, 0)
        inputs, targets = (self.ids[read + ahead].astype(np.int32) for ahead in (0, 1))
        return Batch(inputs, targets, counts.astype(np.float32))

    def counted(self, index: int) -> int:
        """How many targets of a window count, in all B streams."""
        return int(self._places(index)[2].sum())

    def begins(self, index: int) -> np.ndarray:
        """Whether each stream's window does not follow the one before it, bool [B]."""
        return np.full(len(self._start[self._rows]), index == 0)

    def _places(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions of a window, whether in the stream, and whether they count: [B, T]."""
        offset = index * self.seq_length + np.arange(self.seq_length)
        place = self._start[:, None] + offset
        inside = place < self._end[:, None]
        return place, inside, inside & (offset >= self._skipped[:, None])

    def __iter__(self) -> Iterator[Batch]:
        return map(self.window, range(self.windows))


class Stretches(Streams):
    """B streams over ids [N], in windows of T, that read the text's stretches in a random order.

    Streams that read a long text from front to back know best, when the time is over, the few
    places that they read last. Here each stream goes on elsewhere after a stretch of some
    windows, at a place that no stream has read in this pass, and from the zero state.

    A stretch begins with `start`, where one is near: so the network learns to begin a text as it
    is written, from the zero state and this id. The streams share the stretches in the order of
    the pass, so that the numbers of their windows differ by at most one. Every target counts once
    in a pass.

    Args:
        ids: The text, int [N].
        batch_size: B.
        seq_length: T.
        stretch: Windows in a stretch, about: see `cut`.
        start: The id that stands before a text, as a line's end does.
        edges: Where other parts of the corpus begin, int [E], ascending: no stretch crosses one.
        seed: With the number of the pass, it sets the order.
        rows: The streams that are read here.
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch_size: int,
        seq_length: int,
        stretch: int,
        start: int,
        edges: Sequence[int] = (),
        seed: int = 0,
        rows: slice = slice(None),
    ) -> None:
        self.ids, self.batch_size, self.seq_length = ids, batch_size, seq_length
        self._seed, self._rows = seed, rows
        self._cuts = cut(ids, seq_length, stretch, start, edges)
        self._counts = -(-np.diff(self._cuts) // seq_length)
        fewest, more = divmod(int(self._counts.sum()), batch_size)
        self._own = fewest + (np.arange(batch_size) < more)
        self._first = np.cumsum(self._own) - self._own
        self._shuffle(0)

    def _shuffle(self, number: int) -> None:
        self._number = number
        rng = np.random.default_rng([self._seed, number, ORDER])
        self._order = rng.permutation(len(self._counts))
        self._ends = np.cumsum(self._counts[self._order])

    def in_pass(self, number: int) -> Streams:
        if number == self._number:
            return self
        streams = copy.copy(self)
        streams._shuffle(number)
        return streams

    @property
    def windows(self) -> int:
        return int(self._own.max())

    def begins(self, index: int) -> np.ndarray:
        _, inside, _ = self._numbers(index)
        begins: np.ndarray = (index == 0) | (inside == 0)
        return begins[self._rows]

    def _places(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        stretch, inside, reading = self._numbers(index)
        offset = inside * self.seq_length + self._cuts[stretch]
        place = offset[:, None] + np.arange(self.seq_length)
        there = reading[:, None] & (place < self._cuts[stretch + 1][:, None])
        return place, there, there

    def _numbers(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The stretch that each stream reads, the window in it, and whether it still reads: [B]."""
        reading = index < self._own
        window = np.where(reading, self._first + index, 0)
        place = np.searchsorted(self._ends, window, side="right")
        stretch = self._order[place]
        return stretch, window - self._ends[place] + self._counts[stretch], reading


def cut(
    ids: np.ndarray, seq_length: int, stretch: int, start: int, edges: Sequence[int] = ()
) -> np.ndarray:
    """Cut a text's inputs into stretches that begin with `start`; return their bounds, [S + 1].

    Of the places in reach, from half to one and a half times the length, a stretch ends at the one
    that fills its last window best. With none in reach it ends after `stretch` windows.
    """
    slack = stretch // 2
    most = (stretch + slack) * seq_length
    least = (stretch - slack - 1) * seq_length + 1
    bounds = [0]
    for end in (*edges, len(ids) - 1):
        while end - bounds[-1] > most:
            near = ids[bounds[-1] + least : bounds[-1] + most + 1] == start
            lengths = np.flatnonzero(near) + least
            best = lengths[np.argmin(-lengths % seq_length)] if len(lengths) else 0
            bounds.append(bounds[-1] + int(best or stretch * seq_length))
        if end > bounds[-1]:
            bounds.append(end)
    return np.array(bounds)
