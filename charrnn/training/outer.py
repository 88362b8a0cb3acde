"""The outer optimizer: a step with what several workers have learnt by themselves.

DiLoCo (Douillard et al. 2023, arXiv 2311.08105): between two exchanges every worker trains its own
copy of the weights. The mean of the changes, taken as a gradient, then moves the weights that all
workers share, by gradient descent with Nesterov's momentum (Sutskever et al. 2013).
"""

from typing import NamedTuple

import numpy as np

OUTER_RATE, OUTER_MOMENTUM = 0.7, 0.9
"""Those that were best in the paper (section 3.1)."""


class Outer(NamedTuple):
    """The weights that all workers share, and the momentum of their changes: float32 [P] each."""

    weights: np.ndarray
    momentum: np.ndarray

    def after(
        self, change: np.ndarray, rate: float = OUTER_RATE, momentum: float = OUTER_MOMENTUM
    ) -> "Outer":
        """Both after an exchange.

        Args:
            change: The shared weights minus those of a worker, the mean over all workers, [P].
            rate: Of the change that is taken. With 1, and without momentum, the new weights are
                the mean of the workers'.
            momentum: The share of the old momentum that is kept.
        """
        kept = np.float32(momentum) * self.momentum + change
        step = change + np.float32(momentum) * kept
        return Outer(self.weights - np.float32(rate) * step, kept)
