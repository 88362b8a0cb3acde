"""Worker 0's part: the session runs here, and what its learner does the others do too."""

import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace

import numpy as np

from charrnn.checkpoints import Checkpoint
from charrnn.config import Config
from charrnn.errors import ConfigError, WorkerError
from charrnn.network.weights import prefixed
from charrnn.runs import Run
from charrnn.text.corpus import Corpus, CorpusInfo
from charrnn.training.counting import add_counts
from charrnn.training.events import Event, Note, Waiting
from charrnn.training.learner import Learner
from charrnn.training.local_steps import LocalTrainer
from charrnn.training.notes import describe_exchange
from charrnn.training.step import Outcome, Trainer
from charrnn.types import Tensors
from charrnn.workers import tensors
from charrnn.workers.cluster import share
from charrnn.workers.messages import Message
from charrnn.workers.team import Leader, Result

STATE, LOCAL = "state", "local"
"""The parts of a checkpoint that differ between workers: the streams' states, a row for each
stream, and each worker's own optimizer, a row for each worker."""


class LeadingLearner(Learner):
    """A learner whose every change is made by the other workers too.

    What it computes itself is the part of its own streams. Its checkpoints have the state of all.

    Args:
        corpus: The text.
        config: All settings of the run.
        trainer: Worker 0's.
        team: The connections to the other workers.
    """

    def __init__(self, corpus: Corpus, config: Config, trainer: Trainer, team: Leader) -> None:
        super().__init__(corpus, config, trainer)
        self._team = team

    def learn(self, step: int, window: int, rate: float) -> Outcome:
        said = {"step": step, "window": window, "rate": rate, "end": self.progress.end}
        self._team.tell("step", said)
        return super().learn(step, window, rate)

    def begin_with(self, weights: Tensors) -> None:
        super().begin_with(weights)
        self._tell_restored(self._checkpoint(prefixed("weights", weights)))

    def restore(self, checkpoint: Checkpoint) -> None:
        self._tell_restored(checkpoint)
        super().restore(with_own(checkpoint, self._own_of(checkpoint.tensors, 0)))

    def snapshot(self) -> Checkpoint:
        here = super().snapshot()
        self._team.tell("state", {})
        checksum = shared_checksum(here.tensors)
        others = [checked_own(*answer, checksum) for answer in self._team.collect("state")]
        own = {
            name: np.concatenate([tensor, *(each[name] for each in others)])
            for name, tensor in own_tensors(here.tensors).items()
        }
        return with_own(here, own)

    def _tell_restored(self, checkpoint: Checkpoint) -> None:
        """Have all other workers take what is shared, and each what is its own."""
        said = {"step": checkpoint.progress.step, "end": checkpoint.progress.end}
        self._team.tell("restore", said, tensors.packed(with_own(checkpoint, {}).tensors))
        workers = range(1, self._team.cluster.size)
        own = (tensors.packed(self._own_of(checkpoint.tensors, worker)) for worker in workers)
        self._team.tell_each("carry", {}, own)

    def _own_of(self, given: Tensors, worker: int) -> Tensors:
        """What of a checkpoint's tensors is a worker's own."""
        streams = share(self.config.training.batch_size, self._team.cluster.size, worker)
        rows = {STATE: streams, LOCAL: slice(worker, worker + 1)}
        return {n: each[rows[n.split("/")[0]]] for n, each in own_tensors(given).items()}


class RoundsLearner(LeadingLearner):
    """A learner that leads workers of which each learns by itself between two exchanges."""

    trainer: LocalTrainer

    def exchange(self) -> None:
        """Have all workers go on from the weights that follow from their changes together."""
        self._team.tell("exchange", {})
        add_counts(self.progress, self.trainer.exchange())

    def _count(self, outcome: Outcome, filled: float) -> None:
        progress = self.progress
        progress.step += 1
        if progress.falls_on(self.trainer.exchange_every) or progress.step >= progress.end:
            self.exchange()


def own_tensors(given: Tensors) -> Tensors:
    """Of a checkpoint's tensors those that differ between workers: a row for each, or for each
    of their streams."""
    return {n: each for n, each in given.items() if n.split("/")[0] in (STATE, LOCAL)}


def with_own(checkpoint: Checkpoint, own: Tensors) -> Checkpoint:
    """The checkpoint with other tensors in place of those that differ between workers."""
    differing = own_tensors(checkpoint.tensors)
    shared = {n: each for n, each in checkpoint.tensors.items() if n not in differing}
    return replace(checkpoint, tensors=shared | own)


def shared_checksum(given: Tensors) -> int:
    """The checksum of what all workers have alike: weights, and the momentum of their changes."""
    return tensors.checksum(
        {n: each for n, each in given.items() if n.startswith(("weights/", "outer/"))}
    )


def checked_own(peer: str, message: Message, checksum: int) -> Tensors:
    """What is a worker's own; WorkerError unless its weights are those of worker 0."""
    if message.fields.get("weights") != checksum:
        raise WorkerError(
            "its weights are no longer those of worker 0: one of the two has computed wrongly",
            where=peer,
            way_out="see that the machines are alike and sound; then start all workers with"
            " `resume`",
        )
    return tensors.unpacked(message.data)


def gather(
    team: Leader | None, run: Run, config: Config, fingerprint: str | None = None
) -> Generator[Event, None, float]:
    """Wait for the other workers, and say where the run is and how its text is read.

    Args:
        team: The connections; None where this process trains alone.
        run: The run.
        config: Its settings, of which those of the text are told.
        fingerprint: That of the text, where it is encoded already.

    Returns:
        How many seconds they were waited for.
    """
    if team is None:
        return 0.0
    others = ", ".join(team.cluster.named(worker) for worker in range(1, team.cluster.size))
    yield Note(f"this is worker 0 of {team.cluster.size}: waiting for {others}")
    begin = time.perf_counter()
    text = config.to_json()["text"]
    welcome = {"run": run.name, "text": text, "fingerprint": fingerprint}
    yield from told_of(team.meet(welcome))
    return time.perf_counter() - begin


def hand_over(team: Leader | None, corpus: Corpus, config: Config) -> Iterator[Event]:
    """Compare the workers' texts, and give all of them the settings of the run."""
    if team is not None:
        refuse_few_streams(team.cluster.size, config)
        yield from told_of(team.begin(told(corpus.info), {"config": config.to_json()}))
        yield from describe_exchange(team.cluster.size, config)


def told_of(waiting: Generator[None, None, Result]) -> Generator[Event, None, Result]:
    """What is waited for, with an event after each moment of waiting."""
    while True:
        try:
            next(waiting)
        except StopIteration as done:
            found: Result = done.value
            return found
        yield Waiting()


def refuse_few_streams(workers: int, config: Config) -> None:
    """Raise ConfigError unless each worker has a stream at least."""
    streams = config.training.batch_size
    if streams < workers:
        why = f"there are {workers} workers, and each needs a stream at least"
        way_out = f"start at most {streams} of them, or raise it; a short text has few streams"
        raise ConfigError(why, {"batch_size": streams}, way_out=way_out)


def told(info: CorpusInfo) -> dict[str, object]:
    """What of an encoded text has to be the same everywhere."""
    names = ("fingerprint", "length", "train_end", "val_end", "checksum")
    return {name: asdict(info)[name] for name in names}
