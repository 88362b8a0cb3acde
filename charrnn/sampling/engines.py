"""What computes logits for a sampler: NumPy at once, or the Keras graph for many texts."""

from typing import Protocol

import numpy as np

from charrnn.cells import State
from charrnn.checkpoints import Checkpoint
from charrnn.errors import ConfigError
from charrnn.sampling.instant import InstantNetwork

ENGINES = ("auto", "numpy", "tensorflow")
GRAPH_TEXTS = 4096
"""From this many texts on, the graph is faster by more than it takes to start."""


class Engine(Protocol):
    """A network that carries the states of B texts from call to call."""

    state: State
    """The cells' parts [B, U], in the order of `charrnn.model.weights.state_names`."""

    def start(self, count: int) -> None:
        """Put so many texts at the zero state."""

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Logits [B, V] after the last of ids [T, B]."""

    def select(self, rows: np.ndarray) -> None:
        """Go on with the texts of these numbers, each as often as it is named."""


def make_engine(checkpoint: Checkpoint, name: str, count: int) -> Engine:
    """The engine of that name, or with "auto" the one that is done first."""
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: must be one of {', '.join(ENGINES)}")
    if name == "tensorflow" or (name == "auto" and count >= GRAPH_TEXTS):
        from charrnn.sampling.graph import GraphEngine

        return GraphEngine.of(checkpoint)
    return InstantNetwork(checkpoint.config.model, checkpoint.weights)
