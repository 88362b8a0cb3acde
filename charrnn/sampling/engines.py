"""Engines compute a sampler's logits: NumPy, the Keras graph for many texts, or a blend."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from charrnn.config.sampling import ENGINES
from charrnn.errors import CheckpointError, ConfigError
from charrnn.network.instant import InstantNetwork
from charrnn.runs.checkpoints import Checkpoint
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import State

GRAPH_TEXTS = 1024
"""From this many texts on, the graph is a little faster than NumPy on a CPU."""
GRAPH_CHARACTERS = 1 << 20
"""From this many characters on, it also makes up for the seconds that TensorFlow takes to start."""
GRAPH_TEXTS_ON_GPU = 64
NVIDIA = Path("/proc/driver/nvidia/version")
"""Shows an NVIDIA GPU without importing TensorFlow."""
GROUP_BYTES = 1 << 26
"""Memory of a group of texts: a few thousand of 500 characters, more than any engine needs."""
MOST_BYTES = 1 << 30
"""Memory of texts that must be written at once, such as the candidates of a beam."""
OBJECT_BYTES = 6144
"""About what a text takes beside its numbers."""
COPIES = 6
"""About how many copies of a text's states and logits exist at a time."""


class Engine(Protocol):
    """A network that carries the states of B texts from call to call."""

    state: State
    """The cells' parts [B, U], in the order of `charrnn.network.weights.state_names`."""

    @property
    def takes_any_size(self) -> bool:
        """Whether no graph is built for each new number of texts."""

    def start(self, count: int) -> None:
        """Begin `count` texts at the zero state."""

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Read T characters of each text, int [T, B]; return the next one's logits [B, V]."""

    def select(self, rows: np.ndarray) -> None:
        """Continue with the texts of these rows, int [N]; a row may be repeated."""


def read_logits(engine: Engine, ids: np.ndarray) -> np.ndarray:
    """Let an engine read ids [T, B]; return its logits in double precision, float64 [B, V].

    Raises:
        CheckpointError: The logits are not finite.
    """
    logits: np.ndarray = engine.read(ids).astype(np.float64)
    if not math.isfinite(logits.item(logits.argmax())):  # NaN where one is; faster than `max`
        raise damaged()
    return logits


def damaged() -> CheckpointError:
    """Return the error for a model that computes values that are not finite."""
    return CheckpointError(
        "the model computes values that are not finite: its weights are damaged or too large",
        way_out="use the run's other checkpoint (`which best` or `which last`), or retrain",
    )


def make_engine(checkpoint: Checkpoint, name: str, count: int, length: int) -> Engine:
    """Return the engine for `count` texts of `length` characters.

    Args:
        checkpoint: The model.
        name: "numpy", "tensorflow", or "auto" for the faster one.
        count: The number of texts.
        length: The number of characters of each.

    Raises:
        ConfigError: There is no engine of that name.
    """
    if name not in ENGINES:
        raise ConfigError(f"must be one of {', '.join(ENGINES)}", {"engine": name})
    if name == "tensorflow" or (name == "auto" and graph_is_faster(count, length)):
        from charrnn.sampling.graph import GraphEngine

        return GraphEngine.of(checkpoint)
    return InstantNetwork(checkpoint.config.model, checkpoint.weights)


def graph_is_faster(count: int, length: int) -> bool:
    if NVIDIA.exists() and count >= GRAPH_TEXTS_ON_GPU:
        return True
    return count >= GRAPH_TEXTS and count * length >= GRAPH_CHARACTERS


def bytes_of_a_text(engine: Engine, vocabulary_size: int, length: int) -> int:
    state = sum(part.nbytes // max(1, len(part)) for part in engine.state)
    return OBJECT_BYTES + COPIES * (state + 8 * vocabulary_size) + 8 * max(0, length)


def check_fit(count: int, text_bytes: int, settings: Mapping[str, object]) -> None:
    """Raise ConfigError, naming the settings, if so many texts take too much memory at once."""
    most = max(1, MOST_BYTES // text_bytes)
    if count > most:
        why = f"{count:,} texts at once would take {count * text_bytes / 2**30:.1f} GiB"
        raise ConfigError(why, settings, way_out=f"at most {most:,} fit")


class SharedEngine:
    """A model's engine in the ids of a smaller vocabulary, over whose characters it is normalised.

    Args:
        engine: The model's engine.
        places: The model's id for each id of the smaller vocabulary, int [V].
    """

    def __init__(self, engine: Engine, places: np.ndarray) -> None:
        self._engine, self._places = engine, places
        self.start, self.select = engine.start, engine.select

    @staticmethod
    def of(engine: Engine, own: Vocabulary, shared: Vocabulary) -> Engine:
        if own == shared:
            return engine
        places = np.append(own.encode(shared.characters), own.unknown)
        return SharedEngine(engine, places)

    @property
    def takes_any_size(self) -> bool:
        return self._engine.takes_any_size

    @property
    def state(self) -> State:
        return self._engine.state

    @state.setter
    def state(self, state: State) -> None:
        self._engine.state = state

    def read(self, ids: np.ndarray) -> np.ndarray:
        return self._engine.read(self._places[ids])[:, self._places]


class BlendedEngine:
    """An engine whose probabilities are Σ w_m p_m over the engines m, Σ w_m = 1."""

    def __init__(self, engines: list[Engine], weights: list[float]) -> None:
        self._engines = engines
        self._weights = np.array(weights) / sum(weights)

    @property
    def takes_any_size(self) -> bool:
        return all(engine.takes_any_size for engine in self._engines)

    @property
    def state(self) -> State:
        return tuple(part for engine in self._engines for part in engine.state)

    @state.setter
    def state(self, state: State) -> None:
        for engine in self._engines:
            parts = len(engine.state)
            engine.state, state = state[:parts], state[parts:]

    def start(self, count: int) -> None:
        for engine in self._engines:
            engine.start(count)

    def select(self, rows: np.ndarray) -> None:
        for engine in self._engines:
            engine.select(rows)

    def read(self, ids: np.ndarray) -> np.ndarray:
        logits = [read_logits(engine, ids) for engine in self._engines]
        normalisers = [np.logaddexp.reduce(each, -1, keepdims=True) for each in logits]
        terms = zip(self._weights, logits, normalisers, strict=True)
        log_p = np.logaddexp.reduce([each - log_z + np.log(w) for w, each, log_z in terms])
        blended: np.ndarray = log_p + np.tensordot(self._weights, np.array(normalisers), 1)
        return blended
