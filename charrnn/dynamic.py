"""Dynamic evaluation: the weights go on learning from the text that is scored.

After each window has been scored, the weights take a step against its loss and a step back to where
they were trained to (Krause et al. 2018, "Dynamic Evaluation of Neural Sequence Models"):

    θ ← θ - η g / (√m + ε) + λ √m / mean(√m) ⊙ (θ_0 - θ)

with m the mean square of each weight's gradient over the training text. No character is scored by
weights that have seen it. The figure stands beside the static one, never in its place: the
model that is sampled is the static one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from charrnn.config import ModelConfig
from charrnn.model.backend import keras, tf
from charrnn.model.loss import cross_entropy
from charrnn.model.network import compile_function, zero_state
from charrnn.score import Score
from charrnn.text.streams import Streams
from charrnn.types import State, Tensor

WINDOW = 32
"""Characters between two steps of the weights."""
RATE = 5e-4
"""η, for a loss that is the mean over a window. A network trained for less than a minute gained
still more with 1e-3 (benchmarks/EXPERIMENTS.md); one trained longer has less to learn."""
RETURN = 2e-3
"""λ. Ten times as much took away nearly half of the gain."""
EPSILON = 1e-6
"""ε: gradients of about 1e-3 are usual."""
MEASURED_WINDOWS = 500
"""Windows of the training text, spread over all of it, that m is measured on."""


class DynamicEvaluator:
    """Scores ids with a network that learns from them on the way; its weights are put back.

    Args:
        model: The network.
        config: Its settings.
        training_ids: The text that it was trained on, int [N], to measure m on.
    """

    def __init__(self, model: keras.Model, config: ModelConfig, training_ids: np.ndarray) -> None:
        self._model, self._config = model, config
        self._variables = model.trainable_variables
        self._differentiate = compile_function(self._traced_differentiate, config)
        self._learn = compile_function(self._traced_learn, config)
        self._roots = [tf.sqrt(square) for square in self._mean_squares(training_ids)]
        numbers = sum(int(np.prod(root.shape)) for root in self._roots)
        self._mean_root = sum(map(tf.reduce_sum, self._roots)) / numbers
        self._trained = [tf.convert_to_tensor(each) for each in self._variables]

    def score(self, ids: np.ndarray, unknown: int | None = None) -> Score:
        """Score the N - 1 characters after the first, in one stream from beginning to end.

        Args:
            ids: The text, int [N].
            unknown: The id of the unknown symbol, if the characters that are read as it are
                to be counted.
        """
        state, total, unknowns = zero_state(self._config, 1), 0.0, 0
        with self._weights_kept():
            for window in Streams(ids, 1, min(WINDOW, len(ids) - 1)):
                loss, state = self._learn(*map(tf.constant, window), state)
                total += float(loss)
                unknowns += int(window.mask[window.targets == unknown].sum())
        return Score(len(ids) - 1, total / (len(ids) - 1), unknowns)

    @contextmanager
    def _weights_kept(self) -> Iterator[None]:
        """Put the weights back at the end."""
        try:
            yield
        finally:
            for variable, trained in zip(self._variables, self._trained, strict=True):
                variable.assign(trained)

    def _mean_squares(self, ids: np.ndarray) -> list[Tensor]:
        """m of each weight."""
        streams = Streams(ids, 1, min(WINDOW, len(ids) - 1))
        places = np.linspace(0, streams.windows - 1, min(MEASURED_WINDOWS, streams.windows))
        state, sums = zero_state(self._config, 1), [tf.zeros_like(each) for each in self._variables]
        for place in places.astype(int):
            window = map(tf.constant, streams.window(place))
            _, gradients, state = self._differentiate(*window, state)
            sums = [total + gradient**2 for total, gradient in zip(sums, gradients, strict=True)]
        return [total / len(places) for total in sums]

    def _traced_differentiate(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State
    ) -> tuple[Tensor, list[Tensor], State]:
        """The summed loss of a window [1, T], the gradient of its mean, and the state after."""
        inputs, targets, mask = map(tf.transpose, (inputs, targets, mask))
        with tf.GradientTape() as tape:
            logits, after = self._model((inputs, state, tf.zeros(2, tf.int32)), training=False)
            loss = tf.reduce_sum(cross_entropy(logits, targets) * mask)
            mean = loss / tf.reduce_sum(mask)
        return loss, tape.gradient(mean, self._variables), after

    def _traced_learn(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State
    ) -> tuple[Tensor, State]:
        loss, gradients, after = self._traced_differentiate(inputs, targets, mask, state)
        parts = zip(self._variables, gradients, self._roots, self._trained, strict=True)
        for variable, gradient, root, trained in parts:
            pull = tf.minimum(RETURN * root / self._mean_root, 1.0)
            step = RATE * gradient / (root + EPSILON)
            variable.assign_add(pull * (trained - variable) - step)
        return loss, after
