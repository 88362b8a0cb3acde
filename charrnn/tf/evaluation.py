"""Scoring a text with a network: as it was trained, or while it goes on learning from the text.

In dynamic evaluation, after each window has been scored, the weights take a step against its loss
and a step back to where they were trained to (Krause et al. 2018, "Dynamic Evaluation of Neural
Sequence Models"):

    θ ← θ - η g / max(√m, φ mean(√m)) + λ √m / mean(√m) ⊙ (θ_0 - θ)

with m the mean square of each weight's gradient over the training text. The floor φ mean(√m) is
not in the paper: what m is measured on may lack a rare character, whose weights then have m = 0.
No character is scored by weights that have seen it. The figure stands beside the static one, never
in its place: the model that is sampled is the static one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from charrnn.config import ModelConfig
from charrnn.errors import DivergedError
from charrnn.text.batches import Streams
from charrnn.tf.network import build_network, compile_function, zero_state
from charrnn.tf.ops import cross_entropy
from charrnn.tf.start import keras, tf
from charrnn.types import Score, State, Tensor

STREAMS = 64
WINDOW = 64
WARMUP = 128
LOGITS_IN_MEMORY = 1 << 24
COLD_SEED = 0
LEARNT_WINDOW = 32
"""Characters between two steps of the weights."""
RATE = 5e-4
"""η, for a loss that is the mean over a window. A network trained for less than a minute gained
still more with 1e-3 (benchmarks/EXPERIMENTS.md); one trained longer has less to learn."""
RETURN = 2e-3
"""λ. Ten times as much took away nearly half of the gain."""
FLOOR = 0.1
"""φ. From 0.1 to 1, usual texts have the same loss to 0.005 nats; with 0.1, texts with rare
characters have the lowest."""
MEASURED_WINDOWS = 500
"""Windows of the training text, spread over all of it, that m is measured on."""
Measured = tuple[list[Tensor], list[Tensor]]
"""For each weight, what its gradient is divided by, and how fast it returns."""
SHARED = 4
"""Networks of so many shapes are kept with what was compiled for them."""


class Evaluator:
    """Scores ids with a network, forward only, the state carried over the whole text.

    The text is read in up to 64 streams, each warmed up on the characters before its own, or a
    block of it in each; the figure depends on the text alone, never on the training's batch size.
    """

    def __init__(self, model: keras.Model, config: ModelConfig, vocabulary_size: int) -> None:
        self.model, self._config = model, config
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
        logits, state = self.model((inputs, state, tf.zeros(2, tf.int32)), training=False)
        return tf.reduce_sum(cross_entropy(logits, targets) * mask), state


class DynamicEvaluator:
    """Scores ids with a network that learns from them on the way; its weights are put back.

    Args:
        model: The network.
        config: Its settings.
    """

    def __init__(self, model: keras.Model, config: ModelConfig) -> None:
        self.model, self._config = model, config
        self._variables = model.trainable_variables
        self._differentiate = compile_function(self._traced_differentiate, config)
        self._learn = compile_function(self._traced_learn, config)

    def measure(self, training_ids: np.ndarray) -> Measured:
        """Measure m on the text that the network was trained on, int [N]."""
        roots = [tf.sqrt(square) for square in self._mean_squares(training_ids)]
        mean = sum(map(tf.reduce_sum, roots)) / sum(int(np.prod(root.shape)) for root in roots)
        scales = [tf.maximum(root, FLOOR * mean) for root in roots]
        return scales, [tf.minimum(RETURN * root / mean, 1.0) for root in roots]

    def score(self, ids: np.ndarray, measured: Measured, unknown: int | None = None) -> Score:
        """Score the N - 1 characters after the first, in one stream from beginning to end.

        Args:
            ids: The text, int [N].
            measured: What `measure` returned.
            unknown: The id of the unknown symbol, if the characters that are read as it are
                to be counted.

        Raises:
            DivergedError: The weights have left the finite numbers.
        """
        state, total, unknowns = zero_state(self._config, 1), 0.0, 0
        with self._weights_kept() as trained:
            for window in Streams(ids, 1, min(LEARNT_WINDOW, len(ids) - 1)):
                loss, state = self._learn(*map(tf.constant, window), state, trained, *measured)
                total += float(loss)
                unknowns += int(window.mask[window.targets == unknown].sum())
        if not math.isfinite(total):
            why = "the weights did not stay finite while they learnt from the text"
            raise DivergedError(why, {"dynamic": True}, way_out="evaluate without it")
        return Score(len(ids) - 1, total / (len(ids) - 1), unknowns)

    @contextmanager
    def _weights_kept(self) -> Iterator[list[Tensor]]:
        """Hand out the weights as they are, and put them back at the end."""
        kept = [tf.identity(each) for each in self._variables]
        try:
            yield kept
        finally:
            for variable, trained in zip(self._variables, kept, strict=True):
                variable.assign(trained)

    def _mean_squares(self, ids: np.ndarray) -> list[Tensor]:
        """m of each weight."""
        streams = Streams(ids, 1, min(LEARNT_WINDOW, len(ids) - 1))
        places = np.linspace(0, streams.windows - 1, min(MEASURED_WINDOWS, streams.windows))
        sums = [tf.zeros_like(each) for each in self._variables]
        for place in places.astype(int):
            state = zero_state(self._config, 1)
            for number in range(max(place - 1, 0), place + 1):  # the one before brings a state
                window = map(tf.constant, streams.window(number))
                _, gradients, state = self._differentiate(*window, state)
            sums = [total + gradient**2 for total, gradient in zip(sums, gradients, strict=True)]
        return [total / len(places) for total in sums]

    def _traced_differentiate(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State
    ) -> tuple[Tensor, list[Tensor], State]:
        """The summed loss of a window [1, T], the gradient of its mean, and the state after."""
        inputs, targets, mask = map(tf.transpose, (inputs, targets, mask))
        with tf.GradientTape() as tape:
            logits, after = self.model((inputs, state, tf.zeros(2, tf.int32)), training=False)
            loss = tf.reduce_sum(cross_entropy(logits, targets) * mask)
            mean = loss / tf.reduce_sum(mask)
        gradients = tape.gradient(mean, self._variables)  # those of a lookup are IndexedSlices
        return loss, list(map(tf.convert_to_tensor, gradients)), after

    def _traced_learn(
        self,
        inputs: Tensor,
        targets: Tensor,
        mask: Tensor,
        state: State,
        trained: list[Tensor],
        scales: list[Tensor],
        pulls: list[Tensor],
    ) -> tuple[Tensor, State]:
        loss, gradients, after = self._traced_differentiate(inputs, targets, mask, state)
        parts = (self._variables, gradients, scales, pulls, trained)
        for variable, gradient, scale, pull, home in zip(*parts, strict=True):
            variable.assign_add(pull * (home - variable) - RATE * gradient / scale)
        return loss, after


@lru_cache(SHARED)
def shared_evaluator(config: ModelConfig, vocabulary_size: int) -> Evaluator:
    """Return the evaluator for all models of a shape, on a network that needs their weights.

    TensorFlow never frees what it has compiled.
    """
    return Evaluator(build_network(config, vocabulary_size), config, vocabulary_size)


@lru_cache(SHARED)
def shared_dynamic_evaluator(config: ModelConfig, vocabulary_size: int) -> DynamicEvaluator:
    """Return the same for dynamic evaluation."""
    return DynamicEvaluator(build_network(config, vocabulary_size), config)
