"""The random numbers of sampling, drawn outside every engine.

The number for one character depends on (seed, text, position) alone. So text number i does
not depend on how many are written beside it, nor on what computes the logits.
"""

import secrets

import numpy as np


def random_seed() -> int:
    """A seed that nobody chose, short enough to type again."""
    return secrets.randbelow(1 << 31)


class Noise:
    """Uniform numbers in [0, 1) for `count` texts, position after position."""

    def __init__(self, seed: int, count: int) -> None:
        keys = (np.array([seed, text], np.uint64) for text in range(count))
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]

    def next(self, positions: int) -> np.ndarray:
        """The next positions' numbers, float32 [count, positions]."""
        rows = [generator.random(positions, np.float32) for generator in self._generators]
        return np.stack(rows)
