"""A training step that several workers take together: their gradients are summed.

Each worker differentiates its own streams of the batch. The sum over all of them, clipped, is what
every optimizer is handed, so that all workers keep the same weights to the last bit.
"""

import numpy as np

from charrnn.config import Config
from charrnn.model.backend import tf
from charrnn.training.step import Trainer, joined
from charrnn.types import State, Tensor
from charrnn.workers.team import Team


class WorkerTrainer(Trainer):
    """The trainer of one of several workers, which reads its own streams of the batch.

    Args:
        config: All settings of the run; the batch is that of all workers together.
        vocabulary_size: V, the unknown symbol included.
        team: The connections to the other workers.
    """

    def __init__(self, config: Config, vocabulary_size: int, team: Team) -> None:
        super().__init__(config, vocabulary_size)
        self.rows = team.share(config.training.batch_size)
        self.parts = min(self.parts, self.rows.stop - self.rows.start)
        self._team, self.key = team, mask_seed(config.training.seed, team.cluster.worker)


class SharingTrainer(WorkerTrainer):
    """A worker's trainer that takes each step with the gradients of all workers."""

    def __init__(self, config: Config, vocabulary_size: int, team: Team) -> None:
        super().__init__(config, vocabulary_size, team)
        self._own = tf.function(self._traced_own, autograph=False)
        self._pack = tf.function(traced_pack, jit_compile=True, autograph=False)
        self._finish = tf.function(self._traced_finish, jit_compile=True, autograph=False)
        self._update = self._update_together

    def _update_together(
        self, inputs: Tensor, targets: Tensor, mask: Tensor, state: State, seeds: Tensor
    ) -> tuple[State, Tensor, Tensor]:
        packed, after = self._own(inputs, targets, mask, state, seeds)
        total = self._team.sum(np.array(packed))
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
        return self._pack(losses, gradients), joined(states)

    def _traced_finish(
        self, packed: Tensor, after: State, before: State
    ) -> tuple[State, Tensor, Tensor]:
        """Take the step with what all workers have together."""
        variables = self.model.trainable_variables
        sizes = [1, *(int(np.prod(each.shape)) for each in variables)]
        loss, *flat = tf.split(packed, sizes)
        total = [tf.reshape(one, each.shape) for one, each in zip(flat, variables, strict=True)]
        return self._conclude(loss[0], total, after, before)


def traced_pack(losses: list[Tensor], gradients: list[list[Tensor]]) -> Tensor:
    """The parts' losses and gradients, summed, in one vector: the loss comes first."""
    total = [tf.reshape(tf.add_n(each), [-1]) for each in zip(*gradients, strict=True)]
    return tf.concat([[tf.add_n(losses)], *total], 0)


def mask_seed(seed: int, worker: int) -> int:
    """The first number of a worker's seeds, which keeps its dropout masks apart from the others'.

    Worker 0 has the run's own seed, as a process that trains alone.
    """
    if not worker:
        return seed
    return int(np.random.SeedSequence([seed, worker]).generate_state(1)[0]) & 0x7FFFFFFF
