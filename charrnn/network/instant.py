"""The network in NumPy, for sampling: nothing to import, nothing to compile.

Weights are used where they lie, so that a memory-mapped checkpoint is read as it is needed.
"""

import numpy as np

from charrnn.cells import arrays
from charrnn.config import ModelConfig
from charrnn.network.stack import Stack, run_step
from charrnn.network.weights import LOGITS_BIAS, state_widths
from charrnn.types import State, Weights

TABLE_ENTRIES = 1 << 18
"""Up to this size the first layer's input products of all characters are made beforehand."""


class InstantNetwork:
    """An engine (see `charrnn.sampling.engines`) that imports no framework."""

    takes_any_size = True

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config = config
        table = tabulated(config, len(weights[LOGITS_BIAS]))
        self._stack = Stack(arrays, config, weights, table=table)
        self.state: State = ()
        self.start(1)

    def start(self, count: int) -> None:
        widths = state_widths(self._config)
        self.state = tuple(np.zeros((count, units), np.float32) for units in widths)

    def select(self, rows: np.ndarray) -> None:
        self.state = tuple(part[rows] for part in self.state)

    def read(self, ids: np.ndarray) -> np.ndarray:
        for row in ids:
            features, self.state = self._stack.features(row, self.state, run_step)
        return self._stack.logits(features)


def tabulated(config: ModelConfig, vocabulary_size: int) -> bool:
    """Whether the first layer's input products are made beforehand for all characters."""
    columns = config.make_cell().gates * config.layer_units[0]
    return vocabulary_size * columns <= TABLE_ENTRIES
