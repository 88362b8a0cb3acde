"""Workers that learn by themselves between two exchanges: what an exchange does, and keeps."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

import charrnn
from charrnn.checkpoints import Checkpoint
from charrnn.config import Config
from charrnn.errors import ConfigError
from charrnn.model.backend import tf
from charrnn.model.network import zero_state
from charrnn.network.weights import below, initial_weights, prefixed
from charrnn.progress import Progress
from charrnn.text.streams import Batch
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import outer
from charrnn.training.counting import add_counts, counted, counts_of
from charrnn.training.local_steps import LocalTrainer
from charrnn.training.optimizers import OPTIMIZERS
from charrnn.training.outer import Outer
from charrnn.training.regrouping import regrouped
from charrnn.training.step import Trainer
from charrnn.types import Tensors
from charrnn.workers.cluster import cluster_of, share
from charrnn.workers.team import Team

VOCABULARY = Vocabulary("\nabcde")
WORKERS, STREAMS, WINDOW = 2, 4, 5
SETTINGS = {"units": 4, "layers": 1, "embedding": 3, "batch_size": STREAMS, "seq_length": WINDOW}
SETTINGS |= {"dropout": 0.0, "exchange_every": 3, "parts": 1}

pytestmark = pytest.mark.usefixtures("eagerly")


class Meeting:
    """Sums the vectors of workers that are threads of one process."""

    def __init__(self) -> None:
        self.vectors: list[np.ndarray] = [np.zeros(0)] * WORKERS
        self.barrier = threading.Barrier(WORKERS, timeout=60)

    def sum(self, worker: int, vector: np.ndarray) -> np.ndarray:
        """The sum of all vectors, the same bits for each worker."""
        self.vectors[worker] = vector
        self.barrier.wait()
        return np.sum(self.vectors, axis=0)


class Together:
    """A team of which the others are threads."""

    def __init__(self, meeting: Meeting, worker: int) -> None:
        self.cluster = cluster_of([f"node{each}:1" for each in range(WORKERS)], worker)
        self.share = lambda streams: share(streams, WORKERS, worker)
        self.sum = lambda vector: meeting.sum(worker, vector)


def trainers(**settings: Any) -> list[LocalTrainer]:
    """Both workers' trainers, with the same weights."""
    config, meeting = Config.of(**SETTINGS | settings), Meeting()
    made = [
        LocalTrainer(config, VOCABULARY.size, cast(Team, Together(meeting, worker)))
        for worker in range(WORKERS)
    ]
    weights = initial_weights(config.model, VOCABULARY.size, 0)
    for each in made:
        each.restore(prefixed("weights", weights))
    return made


def batch(step: int) -> Batch:
    """A window of all streams."""
    ids = np.random.default_rng(step).integers(0, 6, (2, STREAMS, WINDOW), dtype=np.int32)
    return Batch(*ids, np.ones((STREAMS, WINDOW), np.float32))


def learn(trainer: Trainer, steps: range, rate: float = 0.01) -> Any:
    """The state after some steps on the streams of a trainer."""
    rows = trainer.rows
    state = zero_state(trainer.config.model, rows.stop - rows.start)
    for step in steps:
        own = Batch(*(each[rows] for each in batch(step)))
        state, _ = trainer.step(own, state, step, rate)
    return state


def exchange(workers: list[LocalTrainer]) -> list[np.ndarray]:
    """What each worker is told by an exchange."""
    counts: dict[int, np.ndarray] = {}

    def work(worker: int) -> None:
        counts[worker] = workers[worker].exchange()

    threads = [threading.Thread(target=work, args=[worker]) for worker in range(WORKERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return [counts[worker] for worker in range(WORKERS)]


def in_network(trainer: Trainer) -> Tensors:
    """The weights with which the next step begins."""
    return {weight.path: weight.numpy() for weight in trainer.model.weights}


def assert_same(one: Tensors, other: Tensors) -> None:
    """Both have the same bits under the same names."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture
def plain() -> Iterator[str]:
    """An optimizer without a memory."""

    def descent(keras: Any, config: Any) -> Any:
        return keras.optimizers.SGD(name="descent")

    OPTIMIZERS.add("descent", descent)
    yield "descent"
    OPTIMIZERS._items.pop("descent")


@pytest.fixture
def mean_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outer optimizer takes the mean of the workers' weights."""
    after = Outer.after
    monkeypatch.setattr(Outer, "after", lambda self, change: after(self, change, 1.0, 0.0))


def test_workers_part_between_exchanges_and_have_the_same_bits_after_each() -> None:
    workers = trainers()
    for begin in (0, 3):
        for each in workers:
            learn(each, range(begin, begin + 3))
        one, other = map(in_network, workers)
        assert any((one[name] != other[name]).any() for name in one)
        exchange(workers)
        assert_same(*map(in_network, workers))
        assert_same(in_network(workers[0]), workers[0].weights())


@pytest.mark.usefixtures("mean_alone")
def test_with_rate_1_and_no_momentum_the_weights_are_the_workers_mean() -> None:
    workers = trainers()
    for each in workers:
        learn(each, range(3))
    one, other = map(in_network, workers)
    exchange(workers)
    for name, weight in in_network(workers[0]).items():
        np.testing.assert_allclose(weight, (one[name] + other[name]) / 2, atol=1e-6)


@pytest.mark.usefixtures("mean_alone")
def test_the_mean_of_one_step_of_descent_each_is_one_step_with_the_whole_batch(plain: str) -> None:
    settings = {"optimizer": plain, "clip_norm": 1e6}
    workers = trainers(**settings)
    alone = Trainer(workers[0].config, VOCABULARY.size)
    alone.restore(prefixed("weights", workers[0].weights()))
    for step in range(3):
        learn(alone, range(step, step + 1), rate=0.5)
        for each in workers:
            learn(each, range(step, step + 1), rate=0.5)
        exchange(workers)
    for name, weight in in_network(alone).items():
        np.testing.assert_allclose(in_network(workers[1])[name], weight, atol=1e-5, err_msg=name)


def test_the_outer_step_is_that_of_nesterov_s_momentum() -> None:
    changes = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    optimizer = tf.keras.optimizers.SGD(outer.OUTER_RATE, outer.OUTER_MOMENTUM, nesterov=True)
    variable, ours = tf.keras.Variable(np.ones(3)), Outer(np.ones(3), np.zeros(3))
    for change in changes:
        ours = ours.after(change)
        optimizer.apply([tf.constant(change)], [variable])
    np.testing.assert_allclose(ours.weights, variable.numpy(), rtol=1e-5)


def test_an_exchange_leaves_each_worker_s_own_optimizer_alone() -> None:
    workers = trainers()
    states = [learn(each, range(3)) for each in workers]
    state = states[0]
    before = [below(each.tensors(state), "local/optimizer") for each in workers]
    exchange(workers)
    for each, slots in zip(workers, before, strict=True):
        assert_same(below(each.tensors(state), "local/optimizer"), slots)


@pytest.mark.parametrize("steps", [2, 3])
def test_what_a_worker_saves_brings_it_back_between_exchanges_and_after_one(steps: int) -> None:
    def to_the_end(workers: list[LocalTrainer], begin: int) -> list[Tensors]:
        for step in range(begin, 6):
            for each in workers:
                learn(each, range(step, step + 1))
            if step % 3 == 2:
                exchange(workers)
        return [each.tensors(zero_state(each.config.model, 2)) for each in workers]

    whole, halves = trainers(), trainers()
    for each in halves:
        learn(each, range(1))
        learn(each, range(1, 2))
    if steps == 3:
        for each in halves:
            learn(each, range(2, 3))
        exchange(halves)
    saved = [each.tensors(zero_state(each.config.model, 2)) for each in halves]
    assert bool(below(saved[0], "local/weights")) == (steps == 2)
    again = trainers()
    for each, tensors in zip(again, saved, strict=True):
        each.restore(tensors)
    for one, other in zip(to_the_end(whole, 0), to_the_end(again, steps), strict=True):
        assert_same(one, other)


def test_all_workers_steps_are_counted_at_the_exchange() -> None:
    workers, alone = trainers(), Progress()
    for each in workers:
        learn(each, range(3))
    told = exchange(workers)
    np.testing.assert_array_equal(*told)
    add_counts(alone, told[0])
    assert (alone.counted_steps, alone.skipped_steps, alone.filled_windows) == (6, 0, 3.0)
    assert 1 < alone.train_loss_nats < 3  # about ln 7
    np.testing.assert_array_equal(exchange(workers)[0], 0)


def test_a_step_that_is_not_finite_changes_nothing_but_the_count() -> None:
    workers = trainers()
    shared = workers[1].weights()
    for weight in workers[1].model.weights:
        weight.assign(np.full(weight.shape, 3e38, np.float32))
    broken = in_network(workers[1])
    learn(workers[1], range(2))
    assert_same(in_network(workers[1]), broken)
    assert_same(workers[1].weights(), shared)
    progress = Progress()
    add_counts(progress, exchange(workers)[0])
    assert (progress.skipped_steps, progress.skipped_in_a_row) == (2, 2)


def test_counts_come_back() -> None:
    progress = Progress(loss_sum=1.5, clipped_steps=3, skipped_in_a_row=2)
    assert counted(counts_of(progress)) == progress


def saved(halfway: bool) -> tuple[list[LocalTrainer], Checkpoint]:
    """Two workers, and the checkpoint that they write."""
    workers = trainers()
    for each in workers:
        learn(each, range(3))
    exchange(workers)
    if halfway:
        for each in workers:
            learn(each, range(3, 5))
    both = [each.tensors(zero_state(each.config.model, 2)) for each in workers]
    tensors = {
        name: np.concatenate([each[name] for each in both])
        if name.startswith(("local/", "state/"))
        else both[0][name]
        for name in both[0]
    }
    return workers, Checkpoint(workers[0].config, VOCABULARY, Progress(workers=2), tensors)


def outcome(generator: Iterator[Any]) -> tuple[list[str], Any]:
    """What a generator notes and returns."""
    notes = []
    while True:
        try:
            notes.append(next(generator).message)
        except StopIteration as done:
            return notes, done.value


def test_the_same_workers_take_a_checkpoint_as_it_is() -> None:
    _, checkpoint = saved(halfway=True)
    assert outcome(regrouped(checkpoint, 2, 7)) == ([], checkpoint)


@pytest.mark.parametrize(("workers", "every"), [(1, 3), (3, 3), (2, 1)])
def test_others_begin_where_an_exchange_leads(workers: int, every: int) -> None:
    team, checkpoint = saved(halfway=True)
    (note,), taken = outcome(regrouped(checkpoint, workers, every))
    assert "brought together" in note
    exchange(team)
    for name, weight in team[0].weights().items():
        np.testing.assert_allclose(taken.weights[name], weight, atol=1e-6, err_msg=name)
    momentum = below(team[0].tensors(zero_state(team[0].config.model, 2)), "outer")
    for name, each in taken.part("outer").items():
        np.testing.assert_allclose(each, momentum[name], atol=1e-6, err_msg=name)
    assert not taken.part("local")
    first = {n: rows[0] for n, rows in checkpoint.part("local/optimizer").items()}
    assert_same(taken.part("optimizer"), first)
    assert_same(taken.part("state"), checkpoint.part("state"))
    assert (checkpoint.progress.counted_steps, taken.progress.counted_steps) == (0, 4)


def test_others_begin_with_the_shared_weights_after_an_exchange() -> None:
    team, checkpoint = saved(halfway=False)
    (note,), taken = outcome(regrouped(checkpoint, 1, 3))
    assert "brought together" not in note
    assert_same(taken.weights, team[0].weights())


def test_exchanges_are_refused_without_other_workers() -> None:
    with pytest.raises(
        ConfigError, match=r"^`exchange_every` 5: is for several workers .*`workers`"
    ):
        charrnn.train("corpus.txt", exchange_every=5)
    with pytest.raises(ConfigError, match=r"^`exchange_every` 5: is for several workers"):
        charrnn.sweep("corpus.txt", units="4..8", exchange_every=5)
