"""One compiled training step: forward, loss, backward, clipping, Adam."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from charrnn.checkpoints import Tensors, prefixed
from charrnn.config import Config
from charrnn.evaluation import cross_entropy
from charrnn.model.backend import has_gpu, keras, tf
from charrnn.model.network import build_network, compile_function
from charrnn.model.weights import get_weights, set_weights, state_names, stored_name
from charrnn.text.streams import Batch

State = tuple[Any, ...]

HALVES_UP_TO = 1 << 16
"""Up to this B · U the batch is cut in two."""
PART_SHIFT = 27
"""Sets the seeds of the parts' dropout masks apart."""


class Outcome(NamedTuple):
    """A step's loss (nats per character) and the gradient's global norm before clipping."""

    loss_nats: float
    gradient_norm: float

    @property
    def finite(self) -> bool:
        """Whether the step counted; otherwise it changed nothing."""
        return bool(np.isfinite(self.loss_nats) and np.isfinite(self.gradient_norm))


class Trainer:
    """The network, its optimizer, and the step that ties them together.

    On a CPU, unless a time step is very large, the batch is cut in two halves whose gradients
    are computed side by side, a core each: within one program the elementwise work of a time
    step runs on one core. Their sum is the whole batch's gradient.
    """

    def __init__(self, config: Config, vocabulary_size: int) -> None:
        self.config = config
        self.model = build_network(config.model, vocabulary_size)
        self.optimizer = keras.optimizers.AdamW(
            weight_decay=config.training.weight_decay, beta_1=0.9, beta_2=0.99, name="adamw"
        )
        vectors = [weight for weight in self.model.trainable_variables if is_vector(weight)]
        self.optimizer.exclude_from_weight_decay(var_list=vectors)
        self.optimizer.build(self.model.trainable_variables)
        self._differentiate = compile_function(self._traced_differentiate, config.model)
        self._apply = tf.function(self._traced_apply, jit_compile=True, autograph=False)
        self._update = tf.function(self._traced_update, autograph=False)

    @property
    def parts(self) -> int:
        """Into how many parts the batch is cut."""
        batch, model = self.config.training.batch_size, self.config.model
        small = batch > 1 and batch * max(model.layer_units) <= HALVES_UP_TO
        return 2 if small and not has_gpu() else 1

    def step(self, batch: Batch, state: State, seed: int, rate: float) -> tuple[State, Outcome]:
        """Learn from one window; the dropout masks come from (the run's seed, `seed`)."""
        self.optimizer.learning_rate.assign(rate)
        seeds = tf.constant([self.config.training.seed, seed & 0x7FFFFFFF])
        state, loss, norm = self._update(*map(tf.constant, batch), state, seeds)
        return state, Outcome(float(loss), float(norm))

    def _traced_update(self, inputs: Any, targets: Any, mask: Any, state: State, seeds: Any) -> Any:
        batch = (inputs, targets, mask / tf.reduce_sum(mask), *state)
        results = [
            self._differentiate(*part, seeds + tf.constant([number << PART_SHIFT, 0]))
            for number, part in enumerate(cut(batch, self.parts))
        ]
        losses, gradients, states = zip(*results, strict=True)
        return self._apply(losses, gradients, states, state)

    def _traced_differentiate(
        self, inputs: Any, targets: Any, weights: Any, *state_and_seeds: Any
    ) -> tuple[Any, list[Any], State]:
        """Loss summed with the targets' weights, its gradients, and the state after."""
        *state, seeds = state_and_seeds
        inputs, targets, weights = map(tf.transpose, (inputs, targets, weights))
        with tf.GradientTape() as tape:
            logits, after = self.model((inputs, tuple(state), seeds), training=True)
            loss = tf.reduce_sum(cross_entropy(logits, targets) * weights)
        return loss, tape.gradient(loss, self.model.trainable_variables), after

    def _traced_apply(self, losses: Any, gradients: Any, states: Any, before: State) -> Any:
        """Clip and take the step, unless something in it is not finite."""
        loss = tf.add_n(losses)
        total = [tf.add_n(each) for each in zip(*gradients, strict=True)]
        norm = tf.linalg.global_norm(total)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        clipped, _ = tf.clip_by_global_norm(total, self.config.training.clip_norm, norm)
        tf.cond(finite, lambda: self._take(clipped), lambda: None)
        after = (tf.concat(parts, 0) for parts in zip(*states, strict=True))
        kept = tuple(tf.where(finite, new, old) for new, old in zip(after, before, strict=True))
        return kept, loss, norm

    def _take(self, gradients: list[Any]) -> None:
        self.optimizer.apply(gradients, self.model.trainable_variables)

    def weights(self) -> Tensors:
        """Copies of the network's weights by name."""
        return get_weights(self.model)

    def tensors(self, state: State) -> Tensors:
        """All that a step changes: weights, optimizer slots, carried state."""
        slots = {stored_name(slot): slot.numpy() for slot in self.optimizer.variables}
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
            slot.assign(slots[stored_name(slot)])

    def restore_state(self, states: Tensors) -> State:
        """The carried state out of a checkpoint."""
        return tuple(tf.constant(states[name]) for name in state_names(self.config.model))


def cut(tensors: tuple[Any, ...], parts: int) -> list[tuple[Any, ...]]:
    """Tensors [B, …] as so many groups of rows, as even as B allows."""
    size = tensors[0].shape[0]
    edges = [size * part // parts for part in range(parts + 1)]
    return [tuple(tensor[start:end] for tensor in tensors) for start, end in pairwise(edges)]


def is_vector(weight: Any) -> bool:
    """Whether a weight is a bias or scale, one number a unit: such do not decay."""
    return len(weight.shape) == 1 or weight.name == "bias"
