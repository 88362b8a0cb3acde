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
from charrnn.training.events import Event, Note, Waiting
from charrnn.training.learner import Learner
from charrnn.training.step import Outcome
from charrnn.training.together import SharingTrainer
from charrnn.types import Tensors
from charrnn.workers import tensors
from charrnn.workers.cluster import share
from charrnn.workers.messages import Message
from charrnn.workers.team import Leader, Result


class LeadingLearner(Learner):
    """A learner whose every change is made by the other workers too.

    What it computes itself is the part of its own streams. Its checkpoints have the state of all.

    Args:
        corpus: The text.
        config: All settings of the run.
        trainer: Worker 0's.
        team: The connections to the other workers.
    """

    def __init__(
        self, corpus: Corpus, config: Config, trainer: SharingTrainer, team: Leader
    ) -> None:
        super().__init__(corpus, config, trainer)
        self._team = team

    def learn(self, step: int, window: int, rate: float) -> Outcome:
        said = {"step": step, "window": window, "rate": rate, "end": self.progress.end}
        self._team.tell("step", said)
        return super().learn(step, window, rate)

    def hand_out(self) -> None:
        """Give all other workers the weights of this one, and zero states."""
        weights = prefixed("weights", self.trainer.weights())
        self._tell_restored(self._checkpoint(weights))

    def restore(self, checkpoint: Checkpoint) -> None:
        self._tell_restored(checkpoint)
        own = {name: each[self.trainer.rows] for name, each in checkpoint.part("state").items()}
        super().restore(with_states(checkpoint, own))

    def snapshot(self) -> Checkpoint:
        own = super().snapshot()
        self._team.tell("state", {})
        weights = tensors.checksum(own.weights)
        others = [checked_states(*answer, weights) for answer in self._team.collect("state")]
        states = {
            name: np.concatenate([state, *(each[name] for each in others)])
            for name, state in own.part("state").items()
        }
        return with_states(own, states)

    def _tell_restored(self, checkpoint: Checkpoint) -> None:
        """Have all other workers take weights and optimizer, and each its own streams' state."""
        said = {"step": checkpoint.progress.step, "end": checkpoint.progress.end}
        states = checkpoint.part("state")
        shared = with_states(checkpoint, {}).tensors
        self._team.tell("restore", said, tensors.packed(shared))
        streams, size = self.config.training.batch_size, self._team.cluster.size
        shares = (share(streams, size, worker) for worker in range(1, size))
        own = (tensors.packed({n: each[rows] for n, each in states.items()}) for rows in shares)
        self._team.tell_each("carry", {}, own)


def with_states(checkpoint: Checkpoint, states: Tensors) -> Checkpoint:
    """The checkpoint with other states carried."""
    rest = {n: each for n, each in checkpoint.tensors.items() if not n.startswith("state/")}
    return replace(checkpoint, tensors=rest | prefixed("state", states))


def checked_states(peer: str, message: Message, weights: int) -> Tensors:
    """The states that a worker tells; WorkerError unless its weights are those of worker 0."""
    if message.fields.get("weights") != weights:
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
        yield Note(f"{team.cluster.size} workers train together")


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
