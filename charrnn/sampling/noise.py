"""The random numbers of sampling, drawn outside every engine.

The number for one character depends on (seed, text, position) alone. So text number i does
not depend on how many are written beside it, nor on what computes the logits.
"""

import secrets
from operator import index

import numpy as np

from charrnn.config.sampling import SEEDS
from charrnn.errors import ConfigError

BLOCK = 64
COUNTS = BLOCK // 8
"""Philox counts once for eight numbers of 32 bits."""


def random_seed() -> int:
    """A seed that nobody chose, short enough to type again."""
    return secrets.randbelow(1 << 31)


def checked_seed(seed: object) -> int:
    """The seed as a number; ConfigError if it is not a whole number from 0 to 2^64 - 1."""
    try:
        number = index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number < SEEDS:
        raise ConfigError("must be a whole number from 0 to 2^64 - 1", {"seed": seed})
    return number


class Noise:
    """Uniform numbers in [0, 1) for `count` texts, position after position, from `start` on.

    The texts are numbered from `first` on.
    """

    def __init__(self, seed: int, count: int, start: int = 0, first: int = 0) -> None:
        keys = (np.array([seed, text], np.uint64) for text in range(first, first + count))
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self._block, self._place = np.zeros((count, 0), np.float32), 0
        blocks, place = divmod(start, BLOCK)
        for generator in self._generators:
            generator.bit_generator.advance(blocks * COUNTS)  # type: ignore[attr-defined]
        if place:
            self._fill()
            self._place = place

    def next(self) -> np.ndarray:
        """The next position's numbers, float32 [count]."""
        if self._place == self._block.shape[1]:
            self._fill()
        self._place += 1
        return self._block[:, self._place - 1]

    def _fill(self) -> None:
        rows = [generator.random(BLOCK, np.float32) for generator in self._generators]
        self._block, self._place = np.stack(rows), 0
