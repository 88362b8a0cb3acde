"""What computes logits for a sampler: NumPy at once, or the Keras graph for many texts."""

from pathlib import Path
from typing import Protocol

import numpy as np

from charrnn.cells import State
from charrnn.checkpoints import Checkpoint
from charrnn.config.sampling import ENGINES
from charrnn.errors import ConfigError
from charrnn.sampling.instant import InstantNetwork

GRAPH_TEXTS = 1024
"""From this many texts on, the graph is a little ahead of NumPy on a CPU …"""
GRAPH_CHARACTERS = 1 << 20
"""… and with this many characters in all, by more than the seconds that it takes to start."""
GRAPH_TEXTS_ON_GPU = 64
NVIDIA = Path("/proc/driver/nvidia/version")
"""There where an NVIDIA GPU is, which is known without importing TensorFlow."""


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


def make_engine(checkpoint: Checkpoint, name: str, count: int, length: int) -> Engine:
    """The engine of that name, or with "auto" the one that is done first.

    `count` texts of `length` characters are to be written.
    """
    if name not in ENGINES:
        raise ConfigError(f"--engine {name}: must be one of {', '.join(ENGINES)}")
    if name == "tensorflow" or (name == "auto" and graph_is_faster(count, length)):
        from charrnn.sampling.graph import GraphEngine

        return GraphEngine.of(checkpoint)
    return InstantNetwork(checkpoint.config.model, checkpoint.weights)


def graph_is_faster(count: int, length: int) -> bool:
    """Whether the graph is done before NumPy, its start included (benchmarks/sample_speed.py)."""
    if NVIDIA.exists() and count >= GRAPH_TEXTS_ON_GPU:
        return True
    return count >= GRAPH_TEXTS and count * length >= GRAPH_CHARACTERS
