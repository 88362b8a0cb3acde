"""A text read in stretches, in another order in every pass.

Streams that read a long text from front to back know best, when the time is over, the few places
that they read last. Here each stream goes on elsewhere after a stretch of so many windows, at a
place that no stream has read in this pass. A stretch starts from the zero state, as a text does
that is evaluated or written.
"""

import numpy as np

from charrnn.text.streams import Streams

ORDER = 2
"""Keeps the random numbers of the order apart from others of the same seed."""


class Stretches(Streams):
    """B streams over ids [N], in windows of T, that read the text's stretches in a random order.

    The text is cut into windows, and the windows into stretches; the last of each may be shorter.
    The stretches, one after the other in the order of the pass, are dealt to the streams, so
    that the numbers of their windows differ by one at most. Every target counts once in a pass.

    Args:
        ids: The text, int [N].
        batch_size: B.
        seq_length: T.
        stretch: Windows in a stretch.
        seed: The order follows from it and from the number of the pass.
        rows: Which of the streams are read, where others are read elsewhere.
        number: That of the pass, from 0.
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
        """Which of the text's windows each stream reads there, and whether it still reads: [B]."""
        there = index < self._own
        place = np.where(there, self._first + index, 0)
        place = place + self._lacking * (place >= self._short_end)
        stretch, inside = np.divmod(place, self._stretch)
        return self._order[stretch] * self._stretch + inside, there
