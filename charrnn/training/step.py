"""One compiled training step: forward, loss, backward, clipping, and the optimizer."""

from typing import NamedTuple

import numpy as np

from charrnn.config import Config
from charrnn.network.weights import Layout, add_prefix, state_names, strip_prefix
from charrnn.text.batches import Batch
from charrnn.tf.limits import cores
from charrnn.tf.network import build_network, compile_function, get_weights, set_weights
from charrnn.tf.ops import cross_entropy
from charrnn.tf.parts import choose_parts, cut
from charrnn.tf.start import has_gpu, keras, tf
from charrnn.training.optimizers import find_optimizer
from charrnn.training.ranks import ALONE, MpiRanks, Ranks, streams_of_rank
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
    `charrnn.tf.parts`); their sum is the whole batch's gradient.

    Every target weighs 1 / (B · T). So in the last window of the streams, where few targets may
    be left, each moves the weights no further than it would in a full window.

    Args:
        config: All settings of the run.
        vocabulary_size: V, the unknown symbol included.
        ranks: Those that train together; this one reads its share of the batch's streams.
    """

    def __init__(self, config: Config, vocabulary_size: int, ranks: Ranks = ALONE) -> None:
        self.config = config
        self.rows = streams_of_rank(config.training.batch_size, ranks.rank, ranks.size)
        """Which of the batch's streams this process reads."""
        self.model = build_network(config.model, vocabulary_size)
        self.optimizer = find_optimizer(config.training)(keras, config.training)
        vectors = [weight for weight in self.model.trainable_variables if is_vector(weight)]
        self.optimizer.exclude_from_weight_decay(var_list=vectors)
        self.optimizer.build(self.model.trainable_variables)
        parts = config.training.parts or choose_parts(config, cores())
        self.parts = 1 if has_gpu() else min(parts, self.rows.stop - self.rows.start)
        self._key = mask_seed(config.training.seed, ranks.rank)
        self._compile()

    def _compile(self) -> None:
        self._differentiate = compile_function(self._traced_differentiate, self.config.model)
        self._apply = tf.function(self._traced_apply, jit_compile=True, autograph=False)
        self._update = tf.function(self._traced_update, autograph=False)

    def change(self, config: Config) -> None:
        """Go on with other rates of dropout and weight decay; the next step is compiled anew."""
        self.config, self.model.config = config, config.model
        self.optimizer.weight_decay = config.training.weight_decay
        self._compile()

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
        seeds = tf.constant([self._key, seed & 0x7FFFFFFF])
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
        return self._conclude(tf.add_n(losses), total, concatenate_states(states), before)

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
        return get_weights(self.model)

    def tensors(self, state: State) -> Tensors:
        """All that a step changes: weights, optimizer slots, carried state."""
        states = dict(zip(state_names(self.config.model), map(np.asarray, state), strict=True))
        return (
            add_prefix("weights", get_weights(self.model))
            | add_prefix(
                "optimizer", {slot.path: slot.numpy() for slot in self.optimizer.variables}
            )
            | add_prefix("state", states)
        )

    def restore(self, tensors: Tensors) -> None:
        """Take weights and optimizer slots; where there are no slots, keep those there are."""
        set_weights(self.model, strip_prefix(tensors, "weights"))
        slots = strip_prefix(tensors, "optimizer")
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


class RankTrainer(Trainer):
    """The trainer of one of several ranks: each step takes the gradients of all of them.

    Each rank differentiates its own streams of the batch. The sum over all ranks, clipped, is what
    every optimizer is handed, so that all ranks keep the same weights to the last bit.
    """

    def __init__(self, config: Config, vocabulary_size: int, ranks: MpiRanks) -> None:
        super().__init__(config, vocabulary_size, ranks)
        self._ranks = ranks

    def _compile(self) -> None:
        super()._compile()
        self._own = tf.function(self._traced_own, autograph=False)
        self._pack = tf.function(traced_pack, jit_compile=True, autograph=False)
        self._finish = tf.function(self._traced_finish, jit_compile=True, autograph=False)
        self._update = self._update_together

    def _update_together(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State, seeds: Tensor
    ) -> tuple[State, Tensor, Tensor]:
        packed, after = self._own(inputs, targets, mask, state, seeds)
        total = self._ranks.sum(packed.numpy())
        result: tuple[State, Tensor, Tensor] = self._finish(tf.constant(total), after, state)
        return result

    def _traced_own(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State, seeds: Tensor
    ) -> tuple[Tensor, State]:
        """Loss and gradients of the streams read here, in one vector, and the state after."""
        options = self.config.training
        weights = mask / tf.constant(options.batch_size * options.seq_length, mask.dtype)
        losses, gradients, states = self._differentiate_parts(
            inputs, targets, weights, state, seeds
        )
        return self._pack(losses, gradients), concatenate_states(states)

    def _traced_finish(
        self, packed: Tensor, after: State, before: State
    ) -> tuple[State, Tensor, Tensor]:
        """Take the step with the sum over all ranks."""
        variables = self.model.trainable_variables
        sizes = [1, *(int(np.prod(each.shape)) for each in variables)]
        loss, *flat = tf.split(packed, sizes)
        total = [tf.reshape(one, each.shape) for one, each in zip(flat, variables, strict=True)]
        return self._conclude(loss[0], total, after, before)


def traced_pack(losses: list[Tensor], gradients: list[list[Tensor]]) -> Tensor:
    """The parts' losses and gradients, summed, in one vector: the loss comes first."""
    total = [tf.reshape(tf.add_n(each), [-1]) for each in zip(*gradients, strict=True)]
    return tf.concat([[tf.add_n(losses)], *total], 0)


def mask_seed(seed: int, rank: int) -> int:
    """Return the first number of a rank's seeds, which sets its dropout masks apart.

    Rank 0 has the run's own seed, as a process that trains alone.
    """
    if not rank:
        return seed
    return int(np.random.SeedSequence([seed, rank]).generate_state(1)[0]) & 0x7FFFFFFF


def part_seed(number: int) -> Tensor:
    """What is added to the seeds int32 [2] for a part's own masks; large numbers wrap around."""
    return tf.constant(np.array([number << PART_SHIFT, 0]).astype(np.int32))


def concatenate_states(states: list[State]) -> State:
    return tuple(tf.concat(parts, 0) for parts in zip(*states, strict=True))


def is_vector(weight: tf.Variable) -> bool:
    """Whether a weight is a bias or scale, one number a unit: such do not decay."""
    return len(weight.shape) == 1 or weight.name == "bias"
