"""A plan by time ends when its time is over, on a machine that is simulated, clock and all."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SMALL

from charrnn.config import Config, Plan
from charrnn.errors import ConfigError
from charrnn.runs import checkpoints
from charrnn.runs.events import Evaluated, Note, Saved, Started, Stepped
from charrnn.runs.run import Run
from charrnn.text.corpus import encode_corpus
from charrnn.text.sources import select
from charrnn.training import machine, train
from charrnn.training.begin import fit_settings
from charrnn.training.learner import learner_of
from charrnn.training.plan import (
    OUTSIDE_SECONDS,
    Budget,
    evaluation_characters,
    evaluations_in,
    plan_steps,
)
from charrnn.training.ranks import ALONE
from charrnn.training.session import Session
from charrnn.training.step import Outcome

pytestmark = pytest.mark.usefixtures("eagerly")

BEGIN, BEFORE = 1000.0, 4.0
"""The clock when the command starts, and seconds until the plan is made."""
WINDOWS = 20
"""Of an evaluation."""
COMPILING, EVALUATING, SAVING, WRITING = 3.0, 0.8, 0.1, 0.3
"""Seconds on the simulated machine. The first evaluation compiles too."""


class Machine:
    """A machine whose clock goes on only when it works.

    Args:
        step_seconds: From the seconds since the start to what a step takes.
    """

    def __init__(self, step_seconds: Callable[[float], float]) -> None:
        self.now, self._step_seconds = BEGIN + BEFORE, step_seconds
        self.started = [0, 0]

    def step(self, batch, state, *others):  # type: ignore[no-untyped-def]
        """In place of a training step."""
        self.started[0] += 1
        self.now += self._step_seconds(self.now - BEGIN)
        self.now += COMPILING * (self.started[0] == 1)
        return state, Outcome(1.0, 1.0)

    def window(self) -> None:
        """In place of the evaluation of one window."""
        self.now += EVALUATING / WINDOWS + COMPILING / 2 * (self.started[1] == 0)
        self.started[1] = 1

    def loss_nats(self) -> float:
        """In place of an evaluation: better each time."""
        self.started[1] += 1
        self.now += EVALUATING
        return 2.0 - 0.01 * self.started[1]


def simulated(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: Machine,
    **settings: object,
) -> Session:
    """A session whose steps and evaluations take the machine's time."""
    monkeypatch.setattr(time, "perf_counter", lambda: machine.now)
    tmp_path.mkdir(exist_ok=True)
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 2000, encoding="utf-8")
    config = Config.of(**{**SMALL, "sample_every": 0, "schedule": "linear", **settings})
    corpus = encode_corpus(select([text], config.text).sources, config.text, tmp_path)
    config = fit_settings(corpus, config)
    session = Session(Run(tmp_path), corpus, config, learner_of(corpus, config, ALONE))
    monkeypatch.setattr(session.learner.trainer, "step", machine.step)
    monkeypatch.setattr(session.validator, "loss_nats", machine.loss_nats)
    monkeypatch.setattr(session.validator.evaluator, "probe", lambda *_: (machine.window, WINDOWS))
    monkeypatch.setattr("charrnn.training.session.operations_per_second", lambda: 1e9)
    save = session.saver.save

    def slow_save(run=None):  # type: ignore[no-untyped-def]
        machine.now += SAVING
        return save(run)

    monkeypatch.setattr(session.saver, "save", slow_save)
    return session


def carry_out(session: Session, plan: Plan) -> list[object]:
    """All events of a plan."""
    return [*session.set_plan(plan, BEGIN), *train.events(session)]


def course_of(session: Session, seconds: float) -> Iterator[object]:
    """The events of a plan by time, one after the other."""
    yield from session.set_plan(Plan(seconds=seconds), BEGIN)
    yield from train.events(session)


def steady(now: float) -> float:
    return 0.02


def slower(now: float) -> float:
    return 0.02 if now < 60 else 0.03


def faster(now: float) -> float:
    return 0.03 if now < 60 else 0.02


def uneven(now: float) -> float:
    return 0.03 if int(now / 7) % 3 == 0 else 0.02


@pytest.mark.parametrize("step_seconds", [steady, slower, faster, uneven])
@pytest.mark.parametrize("settings", [{}, {"eval_every": 500}, {"eval_chars": 2000}])
def test_a_plan_ends_with_its_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step_seconds: Callable[[float], float],
    settings: dict[str, object],
) -> None:
    """Within 3 % of two minutes, where the machine's speed changes by a third half-way."""
    machine = Machine(step_seconds)
    session = simulated(tmp_path, monkeypatch, machine, **settings)
    history = carry_out(session, Plan(seconds=120))
    assert machine.now - BEGIN == pytest.approx(120, abs=3.6)
    progress = session.progress
    assert progress.complete
    assert checkpoints.load(session.run.last).progress.step == progress.end
    started = next(event for event in history if isinstance(event, Started))
    assert started.seconds == 120


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_rate_comes_down_evenly_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """However often the end is moved: the rate never jumps, and is at its lowest at the end."""
    machine = Machine(slower)
    session = simulated(tmp_path, monkeypatch, machine, schedule=schedule)
    rates = []
    step = machine.step

    def noted(batch, state, seed, rate, filled):  # type: ignore[no-untyped-def]
        rates.append(rate)
        return step(batch, state, seed, rate)

    monkeypatch.setattr(session.learner.trainer, "step", noted)
    carry_out(session, Plan(seconds=120))
    peak = session.config.training.learning_rate
    warmup = session.config.training.warmup_steps
    falling = rates[warmup:]
    assert max(rates) == pytest.approx(peak, rel=0.01)
    assert all(after <= before for before, after in itertools.pairwise(falling))
    assert all(before - after < peak / 500 for before, after in itertools.pairwise(falling))
    assert rates[-1] < 0.02 * peak


def test_evaluations_and_what_else_is_done_come_out_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what the reader of the events takes, such as a screen."""
    machine = Machine(steady)
    session = simulated(tmp_path, monkeypatch, machine, sample_every=400)
    monkeypatch.setattr(
        session.sampler, "sample", lambda: setattr(machine, "now", machine.now + WRITING)
    )
    for event in itertools.chain(session.set_plan(Plan(seconds=60), BEGIN), train.events(session)):
        machine.now += 0.004 * isinstance(event, Stepped)
    assert machine.now - BEGIN == pytest.approx(60, abs=1.8)


@pytest.mark.parametrize("every", [10, 30, 1000])
@pytest.mark.parametrize("taken", [0, 7, 95])
def test_steps_and_the_evaluations_among_them_fill_what_is_left(
    monkeypatch: pytest.MonkeyPatch, taken: int, every: int
) -> None:
    """A hundred seconds, of which an evaluation takes two and a step a half."""
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    budget = Budget(100 + OUTSIDE_SECONDS, begin=0.0)
    budget.step_seconds, budget.evaluation_seconds = 0.5, 2.0
    steps = budget.steps_to_the_end(taken, every)
    among = sum(step % every == 0 for step in range(taken + 1, taken + steps))
    assert 97.5 <= 0.5 * steps + 2 * (among + 1) <= 100.25


def test_evaluations_take_a_small_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = simulated(tmp_path, monkeypatch, Machine(steady))
    history = carry_out(session, Plan(seconds=120))
    evaluated = [event.step for event in history if isinstance(event, Evaluated)]
    assert evaluated[-1] == session.progress.end
    assert len(evaluated) == len(set(evaluated)) <= 21
    gaps = [after - before for before, after in itertools.pairwise(evaluated)]
    assert min(gaps) >= max(gaps) // 3


def test_the_first_steps_decide_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step is measured and then undone: the steps of the plan are those of the machine."""
    machine = Machine(steady)
    session = simulated(tmp_path, monkeypatch, machine)
    history = carry_out(session, Plan(seconds=40))
    assert machine.started[0] == session.progress.step == session.progress.end
    notes = [event.message for event in history if isinstance(event, Note)]
    assert any(note.startswith("training for about") for note in notes)


def test_a_resumed_run_decides_nothing_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends at the step, and with the rates, that its checkpoint has recorded."""
    machine = Machine(slower)
    session = simulated(tmp_path, monkeypatch, machine)
    for event in itertools.chain(session.set_plan(Plan(seconds=120), BEGIN), train.events(session)):
        if isinstance(event, Saved) and event.step > 2500:
            break
    saved = checkpoints.load(session.run.last)
    again = simulated(tmp_path, monkeypatch, Machine(lambda now: 5.0))
    again.learner.restore(saved)
    rate = again.learner.learning_rate
    list(train.events(again))
    assert again.progress.end == saved.progress.end == again.progress.step
    assert 0 < rate < again.config.training.learning_rate


@pytest.mark.parametrize(
    ("seconds", "rate", "message"),
    [
        (1, 1e9, "`time` 1: the start takes 5 s here; give it more"),
        (
            20,
            1e3,
            r"`time` 20: .* 5 s here, and a step of this network about [0-9.e+]+ s; give it more",
        ),
    ],
)
def test_a_plan_that_has_no_time_for_a_step_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, rate: float, message: str
) -> None:
    session = simulated(tmp_path, monkeypatch, Machine(steady))
    monkeypatch.setattr("charrnn.training.session.operations_per_second", lambda: rate)
    with pytest.raises(ConfigError, match=message):
        carry_out(session, Plan(seconds=seconds))
    assert session.progress.step == 0
    assert not session.run.last.exists()


@pytest.mark.parametrize("step_seconds", [1.0, 7.0, 50.0])
def test_a_plan_is_exceeded_by_a_step_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_seconds: float
) -> None:
    """However much longer a step takes than foreseen."""
    machine = Machine(lambda now: step_seconds)
    session = simulated(tmp_path, monkeypatch, machine)
    carry_out(session, Plan(seconds=20))
    ends = EVALUATING + COMPILING / 2 + 2 * SAVING
    assert machine.now - BEGIN <= 20 + step_seconds + COMPILING + ends
    assert session.progress.complete
    assert session.run.best.exists()


def test_what_the_start_took_is_said_where_it_is_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, said in ((30, True), (120, False)):
        session = simulated(tmp_path / str(seconds), monkeypatch, Machine(steady))
        history = carry_out(session, Plan(seconds=seconds))
        notes = [event.message for event in history if isinstance(event, Note)]
        assert ("7 of the 30 s were TensorFlow's start and compilation" in notes) == said


@pytest.mark.parametrize("left_open", [True, False])
def test_rates_are_settled_for_the_steps_that_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_open: bool
) -> None:
    """What the user has set stays."""
    settings = {} if left_open else {"dropout": 0.4}
    session = simulated(tmp_path, monkeypatch, Machine(steady), dropout=0.4)
    session.advise = lambda steps: session.config.changed({"dropout": 0.1} | settings)
    monkeypatch.setattr("charrnn.training.session.characters_per_second", lambda *_: 1e6)
    history = carry_out(session, Plan(seconds=120))
    notes = [event.message for event in history if isinstance(event, Note)]
    (note,) = (each for each in notes if "as foreseen" in each)
    assert note.endswith("; dropout 0.1, not 0.4") == left_open
    saved = checkpoints.load(session.run.last).config
    expected = 0.1 if left_open else 0.4
    assert (saved.model.dropout, session.learner.trainer.config.model.dropout) == (expected,) * 2


def test_a_machine_that_becomes_slower_is_noted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = simulated(tmp_path, monkeypatch, Machine(lambda now: 0.01 if now < 20 else 0.06))
    session.foreseen_steps = 0
    history = carry_out(session, Plan(seconds=120))
    notes = [event.message for event in history if isinstance(event, Note)]
    assert sum("as foreseen" in each for each in notes[3:]) == 1


def test_without_a_plan_a_small_text_is_not_read_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.training.session.DEFAULT_EPOCHS", 0.5)
    session = simulated(tmp_path, monkeypatch, Machine(lambda now: 0.001))
    carry_out(session, Plan())
    assert session.progress.end == round(0.5 * session.progress.windows)


def test_a_long_validation_text_is_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the user has said how much of it, or the run was evaluated before."""
    monkeypatch.setattr("charrnn.training.plan.LEAST_EVALUATED", 100)
    settings = {"eval_chars": 3000}
    session = simulated(tmp_path, monkeypatch, Machine(steady), **settings)
    carry_out(session, Plan(seconds=12))
    assert len(session.validator.ids) == 3000
    session = simulated(tmp_path, monkeypatch, Machine(steady))
    whole = len(session.validator.ids)
    history = carry_out(session, Plan(seconds=12))
    part = len(session.validator.ids)
    assert 100 < part < whole
    assert session.learner.snapshot().config.training.eval_chars == part
    assert any("validation reads the first" in getattr(each, "message", "") for each in history)


def test_plans_by_steps_and_epochs() -> None:
    assert plan_steps(Plan(steps=7), 100) == 7
    assert plan_steps(Plan(epochs=0.5), 100) == 50
    assert plan_steps(Plan(epochs=0.001), 100) == 1


@pytest.mark.parametrize("seconds", [1.0, 40.0, 3600.0])
@pytest.mark.parametrize("evaluation", [0.001, 0.2, 3.0])
def test_how_many_evaluations_a_time_can_afford(seconds: float, evaluation: float) -> None:
    count = evaluations_in(seconds, evaluation)
    assert 1 <= count <= 20
    assert count * evaluation <= 0.05 * seconds or count == 1
    assert count == 20 or (count + 1) * evaluation > 0.05 * seconds


def test_how_much_of_the_validation_text_a_time_can_afford() -> None:
    assert evaluation_characters(300_000, 1e-5, 1000) == 300_000
    assert evaluation_characters(300_000, 2**-16, 20) == 39_321
    assert evaluation_characters(300_000, 1e-5, 0) == 10_000
    assert evaluation_characters(5_000, 1e-5, 0) == 5_000


def test_the_machine_s_rate_is_the_best_of_several_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks) / 100)
    assert machine.operations_per_second.__wrapped__() == pytest.approx(
        2 * machine.ROWS * machine.INPUTS * machine.OUTPUTS / 0.01
    )
