"""The parts of a session: each is due when it should be, and does one thing."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL

from charrnn.config import Config
from charrnn.errors import DivergedError
from charrnn.network.weights import add_prefix, initial_weights
from charrnn.runs import checkpoints, history
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.events import Evaluated, RolledBack, Sampled, Saved, Stepped
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.text.batches import Stretches
from charrnn.text.corpus import encode_corpus, log_frequencies
from charrnn.text.sources import select
from charrnn.training.begin import build
from charrnn.training.duties import MOST_ROLLBACKS, PATIENCE, improves, roll_back
from charrnn.training.learner import Learner, streams_of
from charrnn.training.session import Session
from charrnn.training.step import Trainer

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def session(corpus: Path, tmp_path: Path, eagerly: None) -> Session:
    """A session at the first of ten steps, in a run that is not saved yet."""
    config = Config.of(**SMALL, dropout=0.3, warmup_steps=0)
    encoded = encode_corpus(select([corpus], config.text).sources, config.text, tmp_path)
    trainer = Trainer(config, encoded.vocabulary.size)
    learner = Learner(encoded, config, trainer)
    session = Session(Run(tmp_path), encoded, config, learner)
    session.progress.end, session.progress.windows = 10, session.workload.windows
    return session


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A clock that goes on by one second each time it is read, and what it will show next."""
    numbers = count(100)
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(numbers)))
    return numbers


def poison(session: Session) -> None:
    """Make the loss of every step that follows not finite."""
    step = session.learner.trainer.step

    def poisoned(batch, state, *others):  # type: ignore[no-untyped-def]
        return step(batch._replace(mask=batch.mask * np.float32("nan")), state, *others)

    session.learner.trainer.step = poisoned  # type: ignore[method-assign]


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    """Two checkpoints hold the same bits and the same progress."""
    assert one.progress == other.progress
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        np.testing.assert_array_equal(tensor, other.tensors[name], err_msg=name)


def due_steps(session: Session, due: Callable[[], bool]) -> list[int]:
    """The steps of the plan at which something is due."""
    found = []
    for step in range(session.progress.start, session.progress.end + 1):
        session.progress.step = step
        if due():
            found.append(step)
    return found


# -- Time --------------------------------------------------------------------------------


def test_every_second_is_counted_once(ticks: Iterator[int], session: Session) -> None:
    session.progress.elapsed_seconds = 50.0
    for counted in (51, 52, 53):
        session.learner.count_time()
        assert session.progress.elapsed_seconds == counted


def test_a_checkpoint_and_a_row_carry_the_time_until_then(
    ticks: Iterator[int], session: Session
) -> None:
    session.validator.evaluate()
    assert session.progress.elapsed_seconds == 1
    session.saver.save()
    assert checkpoints.load(session.run.last).progress.elapsed_seconds == 2
    assert checkpoints.load(session.run.best).progress.elapsed_seconds == 1
    assert session.run.history.read_text().endswith(",1.0\n")


# -- What is due -------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "steps"), [(4, [4, 8, 10]), (5, [5, 10]), (99, [10])])
def test_evaluations_and_checkpoints_are_due_regularly_and_at_the_end(
    session: Session, every: int, steps: list[int]
) -> None:
    session.saver.save()
    session.progress.eval_every = session.progress.checkpoint_every = every
    assert due_steps(session, lambda: session.validator.due) == steps
    assert due_steps(session, lambda: session.saver.due) == steps


@pytest.mark.parametrize(
    ("every", "start", "steps"), [(4, 0, [4, 8]), (5, 0, [5, 10]), (5, 5, [10]), (0, 0, [])]
)
def test_samples_are_due_regularly_but_not_where_a_plan_begins(
    session: Session, every: int, start: int, steps: list[int]
) -> None:
    session.progress.sample_every, session.progress.start = every, start
    assert due_steps(session, lambda: session.sampler.due) == steps


def test_a_sample_is_not_due_again_at_its_step(session: Session) -> None:
    session.progress.step = session.progress.sample_every = 4
    session.sampler.sample()
    assert not session.sampler.due
    session.progress.step = 8
    assert session.sampler.due


def test_what_is_done_is_not_due_again_at_the_same_step(session: Session) -> None:
    session.progress.step = session.progress.end
    assert session.validator.due
    assert isinstance(session.validator.evaluate(), Evaluated)
    assert not session.validator.due
    assert session.saver.due
    assert session.saver.save() == Saved(session.progress.end, session.run.last)
    assert not session.saver.due


def test_after_a_skipped_step_a_checkpoint_waits_even_where_the_plan_ends(
    session: Session,
) -> None:
    session.progress.checkpoint_every, session.progress.skipped_in_a_row = 1, 1
    assert due_steps(session, lambda: session.saver.due) == []
    assert not session.progress.finished


def test_closing_saves_a_new_step_once_and_never_a_skipped_one(session: Session) -> None:
    session.progress.skipped_in_a_row = 1
    session.saver.close()
    assert not session.run.last.exists()
    session.progress.skipped_in_a_row = 0
    session.saver.close()
    written = session.run.last.stat().st_mtime_ns
    session.saver.close()
    assert session.run.last.stat().st_mtime_ns == written


# -- Learning ----------------------------------------------------------------------------


def test_a_restored_learner_repeats_its_steps_bit_for_bit(session: Session) -> None:
    learner = session.learner
    learner.step()
    before = learner.snapshot()
    steps, after = [learner.step(), learner.step()], learner.snapshot()
    assert before.progress.step == 1
    learner.restore(before)
    assert_same(learner.snapshot(), before)
    assert [learner.step(), learner.step()] == steps
    assert_same(learner.snapshot(), after)


def test_means_are_over_the_finite_steps_since_the_last_reset(session: Session) -> None:
    learner = session.learner
    learner.step()
    learner.reset_sums()
    assert learner.progress.train_loss_nats is None
    losses = [learner.step().loss_nats for _ in range(3)]
    poison(session)
    assert learner.step().skipped
    assert learner.progress.train_loss_nats == pytest.approx(np.mean(losses))
    assert learner.progress.skipped_steps == learner.progress.skipped_in_a_row == 1
    assert learner.progress.step == 5


@pytest.mark.graphs
def test_the_mean_loss_is_over_characters_not_over_windows(session: Session) -> None:
    learner = session.learner
    steps = [learner.step() for _ in range(session.workload.windows)]
    assert steps[-1].characters < steps[0].characters
    nats = sum(step.loss_nats * step.characters for step in steps)
    characters = sum(step.characters for step in steps)
    assert learner.progress.train_loss_nats == pytest.approx(nats / characters)


@pytest.mark.parametrize(("limit", "share"), [(1e-6, 1.0), (1e6, 0.0)])
def test_the_clipped_share_tells_how_many_gradients_were_too_large(
    session: Session, limit: float, share: float
) -> None:
    session.learner.config = session.config.changed({"clip_norm": limit})
    session.learner.step()
    assert session.progress.clipped_share == share
    assert session.progress.gradient_norm > 0


def test_best_is_kept_only_where_the_loss_is_lower(session: Session) -> None:
    first = session.validator.evaluate()
    assert first.is_best
    assert session.progress.best_loss_nats == first.val_loss_nats
    session.learner.step()
    for best, expected in ((1e-9, False), (1e9, True)):
        session.progress.best_loss_nats = best
        assert session.validator.evaluate().is_best == expected
    assert session.progress.best_step == checkpoints.load(session.run.best).progress.step == 1


def test_repeated_evaluations_up_to_the_best_one_are_not_stale(session: Session) -> None:
    session.progress.best_loss_nats, session.progress.best_step = 1e-9, 2
    for step, stale in ((1, 0), (2, 0), (3, 1), (4, 2)):
        session.progress.step = step
        session.validator.evaluate()
        assert session.progress.stale_evaluations == stale


@pytest.mark.parametrize(
    ("before", "loss", "best"),
    [
        (None, 3.0, True),
        (None, math.nan, False),
        (None, math.inf, False),
        (math.nan, 3.0, True),
        (math.nan, math.nan, False),
        (3.0, 3.0, False),
        (3.0, math.nan, False),
        (3.0, 2.9, True),
    ],
)
def test_a_loss_that_is_not_finite_is_never_best(
    before: float | None, loss: float, best: bool
) -> None:
    assert improves(loss, Progress(step=9, best_loss_nats=before, best_step=3)) == best


def test_a_sample_depends_on_the_weights_and_the_step_alone(session: Session) -> None:
    one, same = session.sampler.sample(), session.sampler.sample()
    assert one == same == Sampled(0, one.text)
    session.progress.step = 1
    assert session.sampler.sample().text != one.text


# -- Rolling back ------------------------------------------------------------------------


def test_a_session_rolls_back_once_it_has_diverged(session: Session) -> None:
    session.step()
    session.saver.save()
    poison(session)
    outcomes = [session.step() for _ in range(PATIENCE)]
    assert all(isinstance(outcome, Stepped) for outcome in outcomes[:-1])
    assert isinstance(outcomes[-1], RolledBack)
    assert session.progress.step == outcomes[-1].step == 1
    assert session.progress.skipped_in_a_row < PATIENCE


def test_a_rollback_restores_the_weights_and_keeps_what_it_does_not_undo(session: Session) -> None:
    session.saver.save()
    saved, rate = session.learner.snapshot(), session.learner.learning_rate
    session.step()
    lost = session.progress
    lost.best_loss_nats, lost.best_step, lost.skipped_steps = 1.5, 1, 7
    lost.elapsed_seconds += 100
    rolled_back = roll_back(session.run, session.learner, session.saver)
    assert rolled_back == RolledBack(0, rate / 2)
    kept = {"best_loss_nats": 1.5, "best_step": 1, "skipped_steps": 7}
    changed = {"rollbacks": 1, "rate_scale": 0.5}
    assert session.progress.elapsed_seconds > 100
    session.progress.elapsed_seconds = saved.progress.elapsed_seconds
    expected = replace(saved.progress, **kept, **changed)
    assert_same(session.learner.snapshot(), replace(saved, progress=expected))
    assert checkpoints.load(session.run.last).progress.rollbacks == 1


def test_a_sample_after_a_rollback_counts_in_place_of_those_before_it(session: Session) -> None:
    session.step()
    first = session.sampler.sample()
    session.saver.save()
    session.step()
    session.sampler.sample()
    roll_back(session.run, session.learner, session.saver)
    session.step()
    again = session.sampler.sample()
    kept, understood = history.read_samples(session.run.samples.read_bytes())
    assert [(each.step, each.text) for each in kept] == [(1, first.text), (2, again.text)]
    assert understood


def test_each_window_starts_from_the_state_that_the_one_before_it_left(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, size = session.config.model, session.corpus.vocabulary.size
    weights = add_prefix("weights", initial_weights(model, size, seed=0))
    session.learner.trainer.restore(weights)
    step, states = session.learner.trainer.step, []

    def recorded(batch: Any, state: Any, *others: Any) -> Any:
        after, outcome = step(batch, state, *others)
        states.append((state, after))
        return after, outcome

    monkeypatch.setattr(session.learner.trainer, "step", recorded)
    for _ in range(4):
        session.step()
    for (_, after), (before, _) in itertools.pairwise(states):
        for one, other in zip(after, before, strict=True):
            np.testing.assert_array_equal(one, other)
    assert all(np.asarray(part).any() for part in states[-1][0])


def test_a_sample_is_not_written_again_where_a_run_goes_back_to_its_step(session: Session) -> None:
    session.progress.sample_every = 1
    session.step()
    session.saver.save()
    assert session.sampler.due
    for _ in range(2):
        session.sampler.sample()
        session.step()
    roll_back(session.run, session.learner, session.saver)
    assert session.progress.step == 1
    assert not session.sampler.due
    session.step()
    assert session.sampler.due


def test_a_run_that_diverges_too_often_is_given_up(session: Session) -> None:
    session.saver.save()
    for _ in range(MOST_ROLLBACKS):
        roll_back(session.run, session.learner, session.saver)
    with pytest.raises(DivergedError, match=f"diverged {MOST_ROLLBACKS + 1} times"):
        roll_back(session.run, session.learner, session.saver)


# -- What is due -------------------------------------------------------------------------


def test_what_is_due_is_counted_from_the_plan_s_beginning(session: Session) -> None:
    progress = session.progress
    progress.start, progress.end = 1003, 1013
    progress.eval_every = progress.checkpoint_every = progress.sample_every = 5
    parts = (session.validator, session.saver, session.sampler)
    for part in parts:
        assert due_steps(session, lambda part=part: part.due) == [1008, 1013]


# -- States that start anew --------------------------------------------------------------


def test_the_state_is_carried_on(session: Session) -> None:
    session.step()
    learner = session.learner
    assert learner._state_before() is learner.state


def test_a_stretch_starts_from_the_zero_state_and_the_others_carry_theirs_on(
    session: Session,
) -> None:
    learner = session.learner
    learner.streams = Stretches(learner.streams.ids, 4, 10, stretch=3, start=-1)
    session.step()
    for step in range(1, 9):
        learner.state = tuple(part * 0 + 1 for part in learner.state)
        learner.progress.step = step
        before = [part.numpy() for part in learner._state_before()]
        for part in before:
            np.testing.assert_array_equal(part.any(1), ~learner.streams.begins(step))


def test_each_pass_is_read_in_the_order_that_follows_from_its_number(session: Session) -> None:
    learner = session.learner
    config = learner.config.changed({"stretch": 2, "seed": 5})
    learner.streams = streams_of(session.corpus, config)
    windows = session.progress.windows = learner.streams.windows
    for number in (0, 2, 1):
        expected = streams_of(session.corpus, config).in_pass(number)
        learner.progress.step = number * windows + 1
        learner.step()
        for part, other in zip(learner.streams.window(1), expected.window(1), strict=True):
            np.testing.assert_array_equal(part, other)


# -- What a network knows before its first step ------------------------------------------


def test_a_network_begins_with_the_frequencies_of_the_characters(corpus: Path) -> None:
    config = Config.of(**SMALL)
    encoded = encode_corpus(select([corpus], config.text).sources, config.text, corpus.parent)
    bias = log_frequencies(encoded)
    assert (bias.dtype, bias.shape) == (np.float32, (encoded.vocabulary.size,))
    assert np.exp(bias).sum() == pytest.approx(1, rel=1e-5)
    counts = np.bincount(encoded.train, minlength=encoded.vocabulary.size)
    assert (np.argsort(-bias, kind="stable") == np.argsort(-counts, kind="stable")).all()
    built = build(Run(corpus.parent / "run"), encoded, config, None)
    np.testing.assert_array_equal(built.learner.trainer.weights()["logits/bias"], bias)
