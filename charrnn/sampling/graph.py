"""The Keras network as an engine, with a graph for each batch size."""

import numpy as np

from charrnn.config import ModelConfig
from charrnn.runs.checkpoints import Checkpoint
from charrnn.tf.network import Network, build_network, compile_function, zero_state
from charrnn.tf.start import tf
from charrnn.types import State, Tensor


class GraphEngine:
    """An engine (see `charrnn.sampling.engines`) on TensorFlow."""

    takes_any_size = False

    def __init__(self, model: Network, config: ModelConfig) -> None:
        self._model, self._config = model, config
        self._step = compile_function(self._traced_step, config)
        self._state: tuple[Tensor, ...] = ()
        self.start(1)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "GraphEngine":
        config = checkpoint.config.model
        return cls(build_network(config, checkpoint.vocabulary.size, checkpoint.weights), config)

    @property
    def state(self) -> tuple[np.ndarray, ...]:
        return tuple(part.numpy() for part in self._state)

    @state.setter
    def state(self, state: tuple[np.ndarray, ...]) -> None:
        self._state = tuple(map(tf.constant, state))

    def start(self, count: int) -> None:
        self._state = zero_state(self._config, count)

    def select(self, rows: np.ndarray) -> None:
        self._state = tuple(tf.gather(part, rows) for part in self._state)

    def read(self, ids: np.ndarray) -> np.ndarray:
        for row in ids:
            logits, self._state = self._step(tf.constant(row, tf.int32), self._state)
        return np.asarray(logits)

    def _traced_step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state = self._model((ids[None], state, tf.zeros(2, tf.int32)), training=False)
        return logits[0], state
