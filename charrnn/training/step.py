"""One compiled training step: forward, loss, backward, clipping, Adam."""

from typing import Any, NamedTuple

import numpy as np

from charrnn.checkpoints import Tensors, prefixed
from charrnn.config import Config
from charrnn.evaluation import cross_entropy
from charrnn.model.backend import keras, tf
from charrnn.model.network import build_network, state_names
from charrnn.model.weights import get_weights, set_weights
from charrnn.text.streams import Batch

State = tuple[Any, ...]


class Outcome(NamedTuple):
    """A step's loss (nats per character) and the gradient's global norm before clipping."""

    loss_nats: float
    gradient_norm: float

    @property
    def finite(self) -> bool:
        """Whether the step counted; otherwise it changed nothing."""
        return bool(np.isfinite(self.loss_nats) and np.isfinite(self.gradient_norm))


class Trainer:
    """The network, its optimizer, and the step that ties them together."""

    def __init__(self, config: Config, vocabulary_size: int) -> None:
        self.config = config
        self.model = build_network(config.model, vocabulary_size)
        self.optimizer = keras.optimizers.AdamW(
            weight_decay=config.training.weight_decay, beta_1=0.9, beta_2=0.99, name="adamw"
        )
        self.optimizer.exclude_from_weight_decay(var_names=["bias"])
        self.optimizer.build(self.model.trainable_variables)
        self._compiled = tf.function(self._update, jit_compile=True)

    def step(self, batch: Batch, state: State, seed: int, rate: float) -> tuple[State, Outcome]:
        """Learn from one window; the dropout masks come from (the run's seed, `seed`)."""
        self.optimizer.learning_rate.assign(rate)
        seeds = tf.constant([self.config.training.seed, seed & 0x7FFFFFFF])
        state, loss, norm = self._compiled(*map(tf.constant, batch), state, seeds)
        return state, Outcome(float(loss), float(norm))

    def _update(self, inputs: Any, targets: Any, mask: Any, state: State, seeds: Any) -> Any:
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits, after = self.model((inputs, state, seeds), training=True)
            loss = tf.reduce_sum(cross_entropy(logits, targets) * mask) / tf.reduce_sum(mask)
        gradients = tape.gradient(loss, variables)
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        clipped, _ = tf.clip_by_global_norm(gradients, self.config.training.clip_norm, norm)
        tf.cond(finite, lambda: self._apply(clipped, variables), lambda: None)
        after = tuple(tf.where(finite, new, old) for new, old in zip(after, state, strict=True))
        return after, loss, norm

    def _apply(self, gradients: list[Any], variables: list[Any]) -> None:
        self.optimizer.apply(gradients, variables)

    def weights(self) -> Tensors:
        """Copies of the network's weights by name."""
        return get_weights(self.model)

    def tensors(self, state: State) -> Tensors:
        """All that a step changes: weights, optimizer slots, carried state."""
        slots = {slot.path: slot.numpy() for slot in self.optimizer.variables}
        states = dict(
            zip(state_names(self.config.model), (part.numpy() for part in state), strict=True)
        )
        return (
            prefixed("weights", self.weights())
            | prefixed("optimizer", slots)
            | prefixed("state", states)
        )

    def restore(self, weights: Tensors, slots: Tensors) -> None:
        """Take weights and optimizer slots."""
        set_weights(self.model, weights)
        for slot in self.optimizer.variables:
            slot.assign(slots[slot.path])

    def restore_state(self, states: Tensors) -> State:
        """The carried state out of a checkpoint."""
        return tuple(tf.constant(states[name]) for name in state_names(self.config.model))
