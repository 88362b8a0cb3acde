"""Dynamic evaluation: the weights go on learning from the text that is scored.

After each window has been scored, the weights take a step against its loss and a step back to where
they were trained to (Krause et al. 2018, "Dynamic Evaluation of Neural Sequence Models"):

    θ ← θ - η g / max(√m, φ mean(√m)) + λ √m / mean(√m) ⊙ (θ_0 - θ)

with m the mean square of each weight's gradient over the training text. The floor φ mean(√m) is
not in the paper: what m is measured on may lack a rare character, whose weights then have m = 0.
No character is scored by weights that have seen it. The figure stands beside the static one, never
in its place: the model that is sampled is the static one.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from charrnn.config import ModelConfig
from charrnn.errors import DivergedError
from charrnn.text.batches import Streams
from charrnn.tf.network import compile_function, zero_state
from charrnn.tf.ops import cross_entropy
from charrnn.tf.start import keras, tf
from charrnn.types import Score, State, Tensor

WINDOW = 32
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
        roots = [tf.sqrt(square) for square in self._mean_squares(training_ids)]
        mean = sum(map(tf.reduce_sum, roots)) / sum(int(np.prod(root.shape)) for root in roots)
        self._scales = [tf.maximum(root, FLOOR * mean) for root in roots]
        self._pulls = [tf.minimum(RETURN * root / mean, 1.0) for root in roots]

    def score(self, ids: np.ndarray, unknown: int | None = None) -> Score:
        """Score the N - 1 characters after the first, in one stream from beginning to end.

        Args:
            ids: The text, int [N].
            unknown: The id of the unknown symbol, if the characters that are read as it are
                to be counted.

        Raises:
            DivergedError: The weights have left the finite numbers.
        """
        state, total, unknowns = zero_state(self._config, 1), 0.0, 0
        with self._weights_kept() as trained:
            for window in Streams(ids, 1, min(WINDOW, len(ids) - 1)):
                loss, state = self._learn(*map(tf.constant, window), state, trained)
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
        streams = Streams(ids, 1, min(WINDOW, len(ids) - 1))
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
            logits, after = self._model((inputs, state, tf.zeros(2, tf.int32)), training=False)
            loss = tf.reduce_sum(cross_entropy(logits, targets) * mask)
            mean = loss / tf.reduce_sum(mask)
        gradients = tape.gradient(mean, self._variables)  # those of a lookup are IndexedSlices
        return loss, list(map(tf.convert_to_tensor, gradients)), after

    def _traced_learn(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State, trained: list[Tensor]
    ) -> tuple[Tensor, State]:
        loss, gradients, after = self._traced_differentiate(inputs, targets, mask, state)
        parts = (self._variables, gradients, self._scales, self._pulls, trained)
        for variable, gradient, scale, pull, home in zip(*parts, strict=True):
            variable.assign_add(pull * (home - variable) - RATE * gradient / scale)
        return loss, after
