"""Parallel streams: a text cut into B stretches that are read side by side in windows of T.

The recurrent state is carried from window to window (truncated back-propagation through
time) and starts anew only where the streams start. Every character after the first is a
target exactly once in a pass; what a last window lacks is padded and masked out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """One window of every stream: ids int32 [B, T], and which targets count, float32 [B, T]."""

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray

    @property
    def filled(self) -> float:
        """The share of the targets that count: 1 in a full window."""
        return float(self.mask.sum(dtype=np.float64)) / self.mask.size


def directed(ids: np.ndarray, direction: str) -> np.ndarray:
    """The ids as a model reads them, "forward" or "backward": a view, nothing is copied."""
    return ids[::-1] if direction == "backward" else ids


def fit(length: int, batch_size: int, seq_length: int) -> tuple[int, int]:
    """The batch and window sizes, shrunk where the text cannot fill one window of each stream."""
    targets = max(length - 1, 1)
    seq_length = min(seq_length, targets)
    return min(batch_size, max(1, targets // seq_length)), seq_length


class Streams:
    """B contiguous streams over ids [N], in windows of T.

    The N - 1 targets are dealt to the streams in stretches whose lengths differ by one at
    most. With `warmup`, each stream but the first also reads that many characters before
    its own, whose targets do not count: its state is then the one that a single pass would
    bring along, as far as the model remembers.

    Args:
        ids: The text, int [N].
        batch_size: B.
        seq_length: T.
        warmup: See above.
        rows: Which of the streams are read, where others are read elsewhere.
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
        """The streams as they are read in that pass, from 0: the same in each of them."""
        return self

    @property
    def windows(self) -> int:
        return int(-(-(self._end - self._start).max() // self.seq_length))

    def window(self, index: int) -> Batch:
        """Window number `index` of every stream that is read here."""
        place, inside, counts = (each[self._rows] for each in self._places(index))
        read = np.where(inside, place, 0)
        inputs, targets = (self.ids[read + ahead].astype(np.int32) for ahead in (0, 1))
        return Batch(inputs, targets, counts.astype(np.float32))

    def counted(self, index: int) -> int:
        """How many targets count in that window, in all B streams together."""
        return int(self._places(index)[2].sum())

    def begins(self, index: int) -> np.ndarray:
        """Whether that window begins apart from the one before it, bool [B]: the first does."""
        return np.full(len(self._start[self._rows]), index == 0)

    def _places(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where that window lies, what of it is within the streams, and what counts: [B, T]."""
        offset = index * self.seq_length + np.arange(self.seq_length)
        place = self._start[:, None] + offset
        inside = place < self._end[:, None]
        return place, inside, inside & (offset >= self._skipped[:, None])

    def __iter__(self) -> Iterator[Batch]:
        return map(self.window, range(self.windows))
