"""The random numbers of sampling, drawn outside every engine.

The number for one character depends on (seed, text, position) alone. So text number i does
not depend on how many are written beside it, nor on what computes the logits.
"""

import secrets

import numpy as np

BLOCK = 64


def random_seed() -> int:
    """A seed that nobody chose, short enough to type again."""
    return secrets.randbelow(1 << 31)


class Noise:
    """Uniform numbers in [0, 1) for `count` texts, position after position, from `start` on."""

    def __init__(self, seed: int, count: int, start: int = 0) -> None:
        keys = (np.array([seed, text], np.uint64) for text in range(count))
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self._block, self._place = np.zeros((count, 0), np.float32), 0
        for skipped in range(0, start, BLOCK):
            self._fill()
            self._place = min(BLOCK, start - skipped)

    def next(self) -> np.ndarray:
        """The next position's numbers, float32 [count]."""
        if self._place == self._block.shape[1]:
            self._fill()
        self._place += 1
        return self._block[:, self._place - 1]

    def _fill(self) -> None:
        rows = [generator.random(BLOCK, np.float32) for generator in self._generators]
        self._block, self._place = np.stack(rows), 0
