"""A worker that learns by itself for many steps, until all exchange what they have learnt.

It needs the network between the workers only once in `exchange_every` steps; see
`charrnn.training.outer` for what is done then. Each worker's optimizer and recurrent states stay
its own, and are not exchanged.
"""

import math

import numpy as np

from charrnn.config import Config
from charrnn.model.network import get_weights, set_weights
from charrnn.network.weights import below, prefixed
from charrnn.progress import COUNTED, Progress
from charrnn.text.streams import Batch
from charrnn.training.counting import count, counted, counts_of
from charrnn.training.outer import Outer
from charrnn.training.step import Outcome, Trainer
from charrnn.training.together import SharingTrainer, WorkerTrainer
from charrnn.types import State, Tensors
from charrnn.workers.team import Team


class LocalTrainer(WorkerTrainer):
    """A worker's trainer, whose steps are its own until `exchange`.

    A step's gradient is that of the mean over the targets of this worker's own streams.
    """

    def __init__(self, config: Config, vocabulary_size: int, team: Team) -> None:
        super().__init__(config, vocabulary_size, team)
        self.exchange_every = config.training.exchange_every
        self._counts = Progress()
        weights = get_weights(self.model)  # zero, until `restore`
        self._shapes = {name: weight.shape for name, weight in weights.items()}
        self._outer = Outer(flat(weights), flat(weights))

    def step(
        self, batch: Batch, state: State, seed: int, rate: float, filled: float | None = None
    ) -> tuple[State, Outcome]:
        """Learn from a window of this worker's streams by itself."""
        self.halfway = True
        state, outcome = super().step(batch, state, seed, rate, batch.filled or 1.0)
        share = batch.filled * len(batch.mask) / self.config.training.batch_size
        count(self._counts, outcome, share, self.config.training.clip_norm)
        return state, outcome

    def exchange(self) -> np.ndarray:
        """Take the outer step with the mean of all workers' changes, and go on from there.

        Returns:
            What each of W workers has counted since the last exchange, [W, len(COUNTED)].

        Raises:
            WorkerError: A worker is lost.
        """
        workers, own = self._team.cluster.size, flat(get_weights(self.model))
        counts = np.zeros((workers, len(COUNTED)), np.float32)
        counts[self._team.cluster.worker] = counts_of(self._counts)
        total = self._team.sum(np.concatenate([self._outer.weights - own, counts.ravel()]))
        change, counts = np.split(total, [own.size])
        self._outer = self._outer.after(change / np.float32(workers))
        set_weights(self.model, self._named(self._outer.weights))
        self._counts = Progress(skipped_in_a_row=self._counts.skipped_in_a_row)
        self.halfway = False
        return counts.reshape(workers, len(COUNTED))

    def weights(self) -> Tensors:
        """Copies of the weights that all workers share."""
        return self._named(self._outer.weights)

    def tensors(self, state: State) -> Tensors:
        """All that a step or an exchange changes; what is the worker's own has one row."""
        here = super().tensors(state)
        own = prefixed("optimizer", below(here, "optimizer")) | {"counts": counts_of(self._counts)}
        if self.halfway:
            own |= prefixed("weights", below(here, "weights"))
        return (
            prefixed("weights", self.weights())
            | prefixed("outer", self._named(self._outer.momentum))
            | prefixed("state", below(here, "state"))
            | prefixed("local", {name: tensor[None] for name, tensor in own.items()})
        )

    def restore(self, tensors: Tensors) -> None:
        """Take what `tensors` has given; or weights alone, or with one optimizer for all."""
        local = {name: rows[0] for name, rows in below(tensors, "local").items()}
        super().restore(tensors | prefixed("optimizer", below(local, "optimizer")))
        weights, momentum = flat(get_weights(self.model)), below(tensors, "outer")
        moved = flat({name: momentum[name] for name in self._shapes}) if momentum else 0 * weights
        self._outer = Outer(weights, moved)
        self._counts = counted(local.get("counts", np.zeros(len(COUNTED))))
        own = below(local, "weights")
        self.halfway = bool(own)
        set_weights(self.model, own or self.weights())

    def _named(self, vector: np.ndarray) -> Tensors:
        """The numbers of a vector [P] under the names of the weights, in their shapes."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes.values()])
        pieces = zip(self._shapes.items(), np.split(vector, ends[:-1]), strict=True)
        return {name: piece.reshape(shape).copy() for (name, shape), piece in pieces}


def flat(weights: Tensors) -> np.ndarray:
    """Weights in one vector float32 [P], in their order."""
    return np.concatenate([np.ravel(each) for each in weights.values()])


def trainer_of(config: Config, vocabulary_size: int, team: Team) -> Trainer:
    """A worker's trainer: with gradients that are summed in each step, or with steps of its own."""
    kind = SharingTrainer if config.training.exchange_every == 1 else LocalTrainer
    return kind(config, vocabulary_size, team)
