"""How strongly each unit's values go along with each feature: Pearson's correlation.

The values come in blocks and are not kept, so memory does not grow with the text.
"""

from collections.abc import Iterable

import numpy as np

SHIFTS = 20
"""How often the features are moved along the text, to see what chance alone would find."""
NEAREST = 100
"""A feature is moved by at least so many characters."""
Block = tuple[np.ndarray, np.ndarray]
"""Places in the text, int [T], and the values [T, S] of the units there."""
FLAT = 1e-9
"""Values whose variance is a smaller part of their mean square do not change at all."""


class Sums:
    """What the correlations of S units with K features need of the values read so far."""

    def __init__(self) -> None:
        self.count = 0
        self.x = self.xx = self.f = self.ff = self.xf = np.zeros(())

    def add(self, values: np.ndarray, features: np.ndarray) -> None:
        """Count in values [T, S] and features [T, K] of the same characters."""
        self.count += len(values)
        self.x = self.x + values.sum(0, dtype=float)
        self.xx = self.xx + np.square(values, dtype=float).sum(0)
        self.f = self.f + features.sum(0, dtype=float)
        self.ff = self.ff + np.square(features, dtype=float).sum(0)
        self.xf = self.xf + values.T @ features

    def __add__(self, other: "Sums") -> "Sums":
        both = Sums()
        for name, value in vars(self).items():
            setattr(both, name, value + vars(other)[name])
        return both

    def correlations(self) -> np.ndarray:
        """Pearson's r [S, K]; 0 where a unit or a feature does not change."""
        together = self.xf / self.count - np.outer(self.x, self.f) / self.count**2
        spread = np.outer(
            deviation(self.x, self.xx, self.count), deviation(self.f, self.ff, self.count)
        )
        return np.divide(together, spread, out=np.zeros_like(together), where=spread > 0)


def deviation(total: np.ndarray, squares: np.ndarray, count: int) -> np.ndarray:
    """Standard deviations from sums; 0 where rounding alone makes a difference."""
    variance = squares / count - (total / count) ** 2
    return np.sqrt(np.where(variance > FLAT * squares / count, variance, 0))


def correlations(blocks: Iterable[Block], features: np.ndarray) -> np.ndarray:
    """The correlations that hold, and are more than chance.

    A correlation counts if it has the same sign in both halves of the text, and if it is stronger
    than that of every unit with the same feature when the feature is moved along the text. What
    changes slowly, such as "inside quotes", goes along with many a slow unit by chance, and just as
    well when it has been moved.

    Args:
        blocks: The values of S units at N characters together.
        features: [N, K], of the same characters.

    Returns:
        r [S, K] over the whole text, or that of the half where it is weaker if that is less; 0
        where it does not count.
    """
    first, second, moved = Sums(), Sums(), Sums()
    shifted = moved_along(features)
    for places, values in blocks:
        late = places >= len(features) // 2
        for half, rows in ((first, ~late), (second, late)):
            half.add(values[rows], features[places[rows]])
        moved.add(values, shifted[places])
    halves = first.correlations(), second.correlations()
    holds = np.sign(halves[0]) == np.sign(halves[1])
    r = (first + second).correlations()
    r = np.sign(r) * np.minimum.reduce([np.abs(each) for each in (r, *halves)])
    by_chance = np.abs(moved.correlations()).reshape(len(r), -1, features.shape[1]).max((0, 1))
    return np.where(holds & (np.abs(r) > by_chance), r, 0)


def moved_along(features: np.ndarray) -> np.ndarray:
    """The features [N, K] moved round by several distances, side by side: [N, SHIFTS · K]."""
    distances = np.random.default_rng(0).integers(NEAREST, len(features) - NEAREST, SHIFTS)
    return np.concatenate([np.roll(features, each, 0) for each in distances], 1)
