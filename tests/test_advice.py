"""What the losses say is told, once and only where it holds; patience ends a plan."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrnn.config import TrainingConfig
from charrnn.runs import checkpoints
from charrnn.runs.events import Evaluated, Finished, Note
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.training.notes import over_fitting, still_falling
from charrnn.training.plan import SCHEDULES, learning_rate, move_end


def curve(*losses: tuple[float | None, float | None]) -> list[Evaluated]:
    """Evaluations from pairs of training and validation losses."""
    best, evaluations = float("inf"), []
    for step, (train, val) in enumerate(losses, start=1):
        is_best = val is not None and val < best
        best = min(best, best if val is None else val)
        evaluations.append(Evaluated(100 * step, 1.0, train, val, 0.01, is_best))
    return evaluations


def told(evaluations: list[Evaluated]) -> list[int]:
    """After how many evaluations it is said that the network over-fits."""
    counts = range(1, len(evaluations) + 1)
    return [count for count in counts if list(over_fitting(evaluations[:count]))]


@pytest.mark.parametrize(
    ("losses", "after"),
    [
        ([(1.5, 1.5), (1.3, 1.45), (1.1, 1.5), (0.9, 1.6), (0.8, 1.7)], [3]),
        ([(1.5, 1.5), (1.3, 1.45), (1.2, 1.46), (1.2, 1.46)], []),
        ([(1.5, 1.5), (1.3, 1.45), (1.4, 1.55)], []),
        ([(1.5, 1.5)], []),
        ([(None, None), (1.5, None), (1.4, None)], []),
    ],
    ids=["over-fitting", "within the noise", "both rise", "one", "no validation text"],
)
def test_over_fitting_is_told_once_where_it_is_first_seen(
    losses: list[tuple[float | None, float | None]], after: list[int]
) -> None:
    assert told(curve(*losses)) == after


def test_over_fitting_names_both_losses_and_the_ways_out() -> None:
    (note,) = over_fitting(curve((1.5, 1.4), (1.2, 1.5)))
    for word in ("1.400", "step 100", "1.500", "`dropout`", "`recurrent_dropout`", "`patience 3`"):
        assert word in note.message
    (note,) = over_fitting(curve((1.5, 1.4), (1.2, 1.5)), patience=5)
    assert "patience" not in note.message


@pytest.mark.parametrize(
    ("losses", "falling"),
    [
        ([(1.6, 1.5), (1.45, 1.42)], True),
        ([(1.62, 1.6), (1.6, 1.59), (1.6, 1.585)], False),
        ([(1.62, 1.6), *[(1.6, 1.59)] * 7, (1.6, 1.57), (1.6, 1.575), (1.6, 1.569)], True),
        ([(1.6, 1.5), (1.2, 1.42)], False),
        ([(1.6, 1.4), (1.5, 1.45)], False),
        ([(1.6, 1.5)], False),
        ([(1.6, None), (1.5, None)], False),
    ],
    ids=["falling", "flat", "falling late", "by heart", "risen", "one", "no validation text"],
)
def test_a_plan_too_short_is_told(
    losses: list[tuple[float | None, float | None]], falling: bool
) -> None:
    notes = list(still_falling(curve(*losses)))
    assert len(notes) == falling
    assert all("`resume`" in note.message and "`time 10m`" in note.message for note in notes)


def test_it_does_not_matter_at_which_step_of_the_run_the_plan_began() -> None:
    resumed = [replace(each, step=10_000 + each.step) for each in curve((1.6, 1.5), (1.45, 1.42))]
    assert len(list(still_falling(resumed))) == 1


@pytest.mark.graphs
@pytest.mark.usefixtures("eagerly")
def test_patience_ends_a_plan_and_the_run_is_complete(
    train: Callable[..., list[Any]], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([2.0, 1.5, 1.6, 1.7, 1.4])
    monkeypatch.setattr("charrnn.training.duties.Validator.loss_nats", lambda self: next(losses))
    history = train(corpus, steps=20, eval_every=2, patience=2)
    evaluated = [event.step for event in history if isinstance(event, Evaluated)]
    assert evaluated == [2, 4, 6, 8]
    assert any("stopped early" in event.message for event in history if isinstance(event, Note))
    assert isinstance(history[-1], Finished)
    progress = checkpoints.load(Run(tmp_path / "checkpoints" / "corpus").last).progress
    assert progress.complete
    assert (progress.best_step, progress.stale_evaluations) == (4, 2)
    (note, _) = train(resume=True, name="corpus")
    assert "already finished" in note.message


# -- The schedule, whose end may move ----------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_end_that_moves_leaves_the_rate_where_it_is(schedule: str) -> None:
    config = TrainingConfig(schedule=schedule, warmup_steps=5)
    progress = Progress(step=40, start=10, end=100)
    before = learning_rate(config, progress)
    for end in (300, 60, 80):
        move_end(config, progress, end)
        assert learning_rate(config, progress) == pytest.approx(before)
    progress.step = 79
    assert learning_rate(config, progress) < before / 10


def test_an_end_moved_to_where_it_is_changes_nothing() -> None:
    config, progress = TrainingConfig(schedule="linear"), Progress(step=700, start=0, end=1000)
    moved = Progress(step=700, start=0, end=1000)
    move_end(config, moved, 1000)
    for step in range(700, 1000):
        progress.step = moved.step = step
        assert learning_rate(config, moved) == pytest.approx(learning_rate(config, progress))


def test_in_the_warm_up_only_the_end_moves() -> None:
    config, progress = TrainingConfig(warmup_steps=50), Progress(step=3, start=0, end=10_000)
    rate = learning_rate(config, progress)
    move_end(config, progress, 2_000)
    assert (progress.end, progress.decay_from) == (2_000, None)
    assert learning_rate(config, progress) == rate


def test_a_schedule_begins_at_the_peak_and_falls() -> None:
    for shape in SCHEDULES.values():
        shares = [shape(share / 100) for share in range(101)]
        assert shares[0] == 1
        assert shares == sorted(shares, reverse=True)
        assert shares[-1] <= 0.01
