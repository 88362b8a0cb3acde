"""One compiled training step: forward, loss, backward, clipping, and the optimizer."""

from typing import NamedTuple

import numpy as np

from charrnn.config import Config
from charrnn.model.backend import has_gpu, keras, tf
from charrnn.model.limits import cores
from charrnn.model.loss import cross_entropy
from charrnn.model.network import (
    build_network,
    compile_function,
    get_weights,
    set_weights,
)
from charrnn.network.layout import Layout
from charrnn.network.weights import below, prefixed, state_names
from charrnn.text.streams import Batch
from charrnn.training.optimizers import find_optimizer
from charrnn.training.parts import choose_parts, cut
from charrnn.types import State, Tensor, Tensors

PART_SHIFT = 27
"""Sets the seeds of the parts' dropout masks apart."""


class Outcome(NamedTuple):
    """A step's loss (nats per character) and the gradient's global norm before clipping.

    The loss is the mean over the targets that count; the gradient is that of their sum, divided
    by the B · T targets of a full window.
    """

    loss_nats: float
    gradient_norm: float

    @property
    def finite(self) -> bool:
        """Whether the step counted; otherwise it changed nothing."""
        return bool(np.isfinite(self.loss_nats) and np.isfinite(self.gradient_norm))


class Trainer:
    """The network, its optimizer, and the step that ties them together.

    On a CPU the batch is cut into `parts` whose gradients are computed side by side (see
    `charrnn.training.parts`); their sum is the whole batch's gradient.

    Every target weighs 1 / (B · T). So in the last window of the streams, where few targets may
    be left, each moves the weights no further than it would in a full window.

    Args:
        config: All settings of the run.
        vocabulary_size: V, the unknown symbol included.
    """

    def __init__(self, config: Config, vocabulary_size: int) -> None:
        self.config = config
        self.model = build_network(config.model, vocabulary_size)
        self.optimizer = find_optimizer(config.training)(keras, config.training)
        vectors = [weight for weight in self.model.trainable_variables if is_vector(weight)]
        self.optimizer.exclude_from_weight_decay(var_list=vectors)
        self.optimizer.build(self.model.trainable_variables)
        parts = config.training.parts or choose_parts(config, cores())
        self.parts = 1 if has_gpu() else min(parts, config.training.batch_size)
        self.rows = slice(0, config.training.batch_size)
        """Which of the batch's streams this process reads."""
        self.key = config.training.seed
        """The first of the two numbers on which the dropout masks depend."""
        self.exchange_every = 1
        """Steps from one exchange with other workers to the next."""
        self.halfway = False
        """Whether steps were taken here since the last exchange with other workers."""
        self._differentiate = compile_function(self._traced_differentiate, config.model)
        self._apply = tf.function(self._traced_apply, jit_compile=True, autograph=False)
        self._update = tf.function(self._traced_update, autograph=False)

    def step(
        self, batch: Batch, state: State, seed: int, rate: float, filled: float | None = None
    ) -> tuple[State, Outcome]:
        """Learn from one window.

        Args:
            batch: A window of every stream.
            state: The state before it, [B, U] each part.
            seed: Fixes the dropout masks, together with the run's own seed: the step's number.
            rate: The learning rate.
            filled: The share of the whole window's targets that count, where the batch is a part
                of it.

        Returns:
            The state after the window, and how the step went. A step whose loss or gradient
            is not finite changes nothing.
        """
        self.optimizer.learning_rate.assign(rate)
        seeds = tf.constant([self.key, seed & 0x7FFFFFFF])
        state, loss, norm = self._update(*map(tf.constant, batch), state, seeds)
        return state, Outcome(float(loss) / (filled or batch.filled), float(norm))

    def _traced_update(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State, seeds: Tensor
    ) -> tuple[State, Tensor, Tensor]:
        weights = mask / tf.cast(tf.size(mask), mask.dtype)
        parts = self._differentiate_parts(inputs, targets, weights, state, seeds)
        result: tuple[State, Tensor, Tensor] = self._apply(*parts, state)
        return result

    def _differentiate_parts(
        self, inputs: Tensor, targets: Tensor, weights: Tensor, state: State, seeds: Tensor
    ) -> tuple[list[Tensor], list[list[Tensor]], list[State]]:
        """Each part's loss, gradients and state after."""
        results = [
            self._differentiate(*part, seeds + part_seed(number))
            for number, part in enumerate(cut((inputs, targets, weights, *state), self.parts))
        ]
        losses, gradients, states = map(list, zip(*results, strict=True))
        return losses, gradients, states

    def _traced_differentiate(
        self, inputs: Tensor, targets: Tensor, weights: Tensor, *state_and_seeds: Tensor
    ) -> tuple[Tensor, list[Tensor], State]:
        """Loss summed with the targets' weights, its gradients, and the state after."""
        *state, seeds = state_and_seeds
        inputs, targets, weights = map(tf.transpose, (inputs, targets, weights))
        with tf.GradientTape() as tape:
            logits, after = self.model((inputs, tuple(state), seeds), training=True)
            loss = tf.reduce_sum(cross_entropy(logits, targets) * weights)
        return loss, tape.gradient(loss, self.model.trainable_variables), after

    def _traced_apply(
        self,
        losses: list[Tensor],
        gradients: list[list[Tensor]],
        states: list[State],
        before: State,
    ) -> tuple[State, Tensor, Tensor]:
        """Take the step with the sum of the parts."""
        total = [tf.add_n(each) for each in zip(*gradients, strict=True)]
        return self._conclude(tf.add_n(losses), total, joined(states), before)

    def _conclude(
        self, loss: Tensor, total: list[Tensor], after: State, before: State
    ) -> tuple[State, Tensor, Tensor]:
        """Clip and take the step, unless something in it is not finite."""
        norm = tf.linalg.global_norm(total)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        clipped, _ = tf.clip_by_global_norm(total, self.config.training.clip_norm, norm)
        tf.cond(finite, lambda: self._take(clipped), lambda: None)
        kept = tuple(tf.where(finite, new, old) for new, old in zip(after, before, strict=True))
        return kept, loss, norm

    def _take(self, gradients: list[Tensor]) -> None:
        self.optimizer.apply(gradients, self.model.trainable_variables)

    def weights(self) -> Tensors:
        """Copies of the network's weights by name."""
        return get_weights(self.model)

    def tensors(self, state: State) -> Tensors:
        """All that a step changes: weights, optimizer slots, carried state."""
        states = dict(zip(state_names(self.config.model), map(np.asarray, state), strict=True))
        return (
            prefixed("weights", get_weights(self.model))
            | prefixed("optimizer", {slot.path: slot.numpy() for slot in self.optimizer.variables})
            | prefixed("state", states)
        )

    def restore(self, tensors: Tensors) -> None:
        """Take weights and optimizer slots; where there are no slots, keep those there are."""
        set_weights(self.model, below(tensors, "weights"))
        slots = below(tensors, "optimizer")
        for slot in self.optimizer.variables if slots else ():
            slot.assign(slots[slot.path])

    @property
    def slots(self) -> Layout:
        """Shape and type of the optimizer's slots by name."""
        return {
            slot.path: (tuple(slot.shape), np.dtype(slot.dtype))
            for slot in self.optimizer.variables
        }

    def restore_state(self, states: Tensors) -> State:
        """The carried state out of a checkpoint."""
        return tuple(tf.constant(states[name]) for name in state_names(self.config.model))


def part_seed(number: int) -> Tensor:
    """What is added to the seeds int32 [2] for a part's own masks; large numbers wrap around."""
    return tf.constant(np.array([number << PART_SHIFT, 0]).astype(np.int32))


def joined(states: list[State]) -> State:
    """The parts' states as one, [B, U] each."""
    return tuple(tf.concat(parts, 0) for parts in zip(*states, strict=True))


def is_vector(weight: tf.Variable) -> bool:
    """Whether a weight is a bias or scale, one number a unit: such do not decay."""
    return len(weight.shape) == 1 or weight.name == "bias"
