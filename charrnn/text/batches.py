"""Batches: a text cut into B parallel streams that are read side by side in windows of T.

The recurrent state is carried from window to window (truncated BPTT), and is zero only where a
stream or stretch starts. Every character after the first is a target exactly once in a pass; what
a last window lacks is padded and masked out.
"""

from collections.abc import Iterator
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
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch_size: int,
        seq_length: int,
        warmup: int = 0,
        rows: slice = slice(None),
    ) -> None:
        self.ids, self.batch_size, self.seq_length = ids, batch_size, seq_length
        self._rows = rows
        shortest, longer = divmod(len(ids) - 1, batch_size)
        own = shortest + (np.arange(batch_size) < longer)
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
    places that they read last. Here each stream goes on elsewhere after a stretch of so many
    windows, at a place that no stream has read in this pass, and from the zero state.

    The text is cut into windows, and the windows into stretches; the last of each may be shorter.
    The streams share the stretches in the order of the pass, so that the numbers of their windows
    differ by at most one. Every target counts once in a pass.

    Args:
        ids: The text, int [N].
        batch_size: B.
        seq_length: T.
        stretch: Windows in a stretch.
        seed: With the number of the pass, it sets the order.
        rows: The streams that are read here.
        number: The pass, from 0.
    """

    def __init__(
        self,
        ids: np.ndarray,
        batch_size: int,
        seq_length: int,
        stretch: int,
        seed: int = 0,
        rows: slice = slice(None),
        number: int = 0,
    ) -> None:
        self.ids, self.batch_size, self.seq_length = ids, batch_size, seq_length
        self._stretch, self._seed, self._rows, self._number = stretch, seed, rows, number
        windows = -(-(len(ids) - 1) // seq_length)
        count = -(-windows // stretch)
        self._order = np.random.default_rng([seed, number, ORDER]).permutation(count)
        self._lacking = count * stretch - windows
        self._short_end = (int(self._order.argmax()) + 1) * stretch - self._lacking
        fewest, more = divmod(windows, batch_size)
        self._own = fewest + (np.arange(batch_size) < more)
        self._first = np.cumsum(self._own) - self._own

    def in_pass(self, number: int) -> Streams:
        if number == self._number:
            return self
        sizes = (self.batch_size, self.seq_length, self._stretch)
        return Stretches(self.ids, *sizes, self._seed, self._rows, number)

    @property
    def windows(self) -> int:
        return int(self._own.max())

    def begins(self, index: int) -> np.ndarray:
        numbers, _ = self._numbers(index)
        begins: np.ndarray = (index == 0) | (numbers % self._stretch == 0)
        return begins[self._rows]

    def _places(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        numbers, there = self._numbers(index)
        place = numbers[:, None] * self.seq_length + np.arange(self.seq_length)
        inside = there[:, None] & (place < len(self.ids) - 1)
        return place, inside, inside

    def _numbers(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The text's window that each stream reads, and whether it still reads: [B]."""
        there = index < self._own
        place = np.where(there, self._first + index, 0)
        place = place + self._lacking * (place >= self._short_end)
        stretch, inside = np.divmod(place, self._stretch)
        return self._order[stretch] * self._stretch + inside, there
