"""How well a model predicts a text: nats and bits per character, perplexity."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.config import ModelConfig
from charrnn.model.backend import tf
from charrnn.model.network import compile_function, zero_state
from charrnn.text.streams import Streams

STREAMS = 64
WINDOW = 64
WARMUP = 128
LOGITS_IN_MEMORY = 1 << 24


@dataclass(frozen=True)
class Score:
    """The mean negative log-likelihood of a text's characters, each given those before it."""

    characters: int
    nats_per_char: float
    unknown: int = 0
    """How many of the characters are outside the vocabulary."""

    @property
    def bits_per_char(self) -> float:
        """The same in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp of the nats: among how many equal choices the model hesitates."""
        return math.exp(min(self.nats_per_char, 700.0))


class Evaluator:
    """Scores ids with a network, forward only, the state carried over the whole text.

    The text is read in up to 64 streams, each warmed up on the characters before its own;
    the figure depends on the text alone, never on the training's batch size.
    """

    def __init__(self, model: Any, config: ModelConfig, vocabulary_size: int) -> None:
        self._model, self._config = model, config
        self._most_streams = max(1, min(STREAMS, LOGITS_IN_MEMORY // (WINDOW * vocabulary_size)))
        self._window_loss = compile_function(self._traced_window_loss, config)

    def streams(self, ids: np.ndarray) -> Streams:
        """The ids cut for evaluation."""
        count = min(self._most_streams, max(1, (len(ids) - 1) // (2 * WARMUP)))
        return Streams(ids, count, WINDOW, WARMUP)

    def probe(self, ids: np.ndarray) -> tuple[Callable[[], Any], int]:
        """A call that scores one window, for timing, and how many windows the ids have."""
        streams = self.streams(ids)
        state = zero_state(self._config, streams.batch_size)
        window = tuple(map(tf.constant, streams.window(0)))
        return lambda: float(self._window_loss(*window, state)[0]), streams.windows

    def score(self, ids: np.ndarray, unknown: int | None = None) -> Score:
        """Score the N - 1 characters after the first of ids [N]; count the `unknown` id."""
        streams = self.streams(ids)
        state = zero_state(self._config, streams.batch_size)
        total, unknowns = 0.0, 0
        for window in streams:
            loss, state = self._window_loss(*map(tf.constant, window), state)
            total += float(loss)
            unknowns += int(window.mask[window.targets == unknown].sum())
        return Score(len(ids) - 1, total / (len(ids) - 1), unknowns)

    def _traced_window_loss(self, inputs: Any, targets: Any, mask: Any, state: Any) -> Any:
        inputs, targets, mask = map(tf.transpose, (inputs, targets, mask))
        logits, state = self._model((inputs, state, tf.zeros(2, tf.int32)), training=False)
        return tf.reduce_sum(cross_entropy(logits, targets) * mask), state


def cross_entropy(logits: Any, targets: Any) -> Any:
    """-log softmax(logits)[target] in nats, for targets [T, B] from logits [T, B, V]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
