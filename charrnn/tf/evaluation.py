"""Scoring a text with a network, in windows of many streams."""

from collections.abc import Callable, Sequence

import numpy as np

from charrnn.config import ModelConfig
from charrnn.text.batches import Streams
from charrnn.tf.network import compile_function, zero_state
from charrnn.tf.ops import cross_entropy
from charrnn.tf.start import keras, tf
from charrnn.types import Score, State, Tensor

STREAMS = 64
WINDOW = 64
WARMUP = 128
LOGITS_IN_MEMORY = 1 << 24
COLD_SEED = 0


class Evaluator:
    """Scores ids with a network, forward only, the state carried over the whole text.

    The text is read in up to 64 streams, each warmed up on the characters before its own, or a
    block of it in each; the figure depends on the text alone, never on the training's batch size.
    """

    def __init__(self, model: keras.Model, config: ModelConfig, vocabulary_size: int) -> None:
        self._model, self._config = model, config
        self._vocabulary_size = vocabulary_size
        self._window_loss = compile_function(self._traced_window_loss, config)

    def streams(self, ids: np.ndarray, edges: Sequence[int] = ()) -> Streams:
        if 0 < len(edges) < self._most_streams(WINDOW):
            return Streams(ids, len(edges) + 1, WINDOW, edges=edges)
        count = min(self._most_streams(WINDOW), max(1, (len(ids) - 1) // (2 * WARMUP)))
        return Streams(ids, count, WINDOW, WARMUP)

    def probe(self, ids: np.ndarray, edges: Sequence[int]) -> tuple[Callable[[], float], int]:
        """A call that scores one window, for timing, and how many windows the ids have."""
        streams = self.streams(ids, edges)
        state = zero_state(self._config, streams.batch_size)
        window = tuple(map(tf.constant, streams.window(0)))
        return lambda: float(self._window_loss(*window, state)[0]), streams.windows

    def score(
        self, ids: np.ndarray, edges: Sequence[int] = (), unknown: int | None = None
    ) -> Score:
        """Score the N - 1 characters after the first.

        Args:
            ids: The text, int [N].
            edges: Where the state becomes zero, since another block of the text begins there.
            unknown: The id of the unknown symbol, if the characters that are read as it are
                to be counted.
        """
        streams = self.streams(ids, edges)
        state = zero_state(self._config, streams.batch_size)
        total, unknowns = 0.0, 0
        for window in streams:
            loss, state = self._window_loss(*map(tf.constant, window), state)
            total += float(loss)
            unknowns += int(window.mask[window.targets == unknown].sum())
        return Score(len(ids) - 1, total / (len(ids) - 1), unknowns)

    def score_cold(self, ids: np.ndarray, window: int, unknown: int | None = None) -> Score:
        """Score random windows, each from the zero state, as nanoGPT's evaluation draws them.

        So many windows are drawn, always the same ones, that they have as many characters as the
        text together; but at least one for each stream.

        Args:
            ids: The text, int [N].
            window: The length of a window, at most N - 1.
            unknown: As in `score`.
        """
        rng = np.random.default_rng(COLD_SEED)
        streams = self._most_streams(window)
        calls = -(-(len(ids) - 1) // (window * streams))
        state = zero_state(self._config, streams)
        mask = tf.ones((streams, window))
        total, unknowns = 0.0, 0
        for _ in range(calls):
            place = rng.integers(0, len(ids) - window, (streams, 1)) + np.arange(window)
            inputs, targets = (ids[place + ahead].astype(np.int32) for ahead in (0, 1))
            total += float(self._window_loss(*map(tf.constant, (inputs, targets)), mask, state)[0])
            unknowns += int((targets == unknown).sum())
        characters = calls * window * streams
        return Score(characters, total / characters, unknowns)

    def _most_streams(self, window: int) -> int:
        """How many streams are read at once, so that a window's logits [B, T, V] fit in memory."""
        return max(1, min(STREAMS, LOGITS_IN_MEMORY // (window * self._vocabulary_size)))

    def _traced_window_loss(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State
    ) -> tuple[Tensor, State]:
        inputs, targets, mask = map(tf.transpose, (inputs, targets, mask))
        logits, state = self._model((inputs, state, tf.zeros(2, tf.int32)), training=False)
        return tf.reduce_sum(cross_entropy(logits, targets) * mask), state
