"""What the curves of a plan say that a user may not see: advice, and an early end."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from charrnn.runs.events import Evaluated, Note

if TYPE_CHECKING:  # it imports TensorFlow, which advice on old losses does not need
    from charrnn.training.session import Session

RISEN = 0.01
"""Validation is said to rise where it is above its lowest by this share."""
GAP = 0.03
"""A network still learns what holds for other texts too where its validation loss is above its
training loss by at most this share,"""
FALLEN, LATE = 0.01, 0.75
"""and where the validation loss has fallen by the first share since the second share of the plan's
evaluations, which are equally far apart."""


def over_fitting(evaluations: Sequence[Evaluated], patience: int | None = None) -> Iterator[Note]:
    """Note that validation rises while training falls, at the evaluation that first shows it.

    Args:
        evaluations: Those of the plan so far.
        patience: What the user asked for, who need not be told of it then.
    """
    if rising(evaluations) and not any(map(rising, heads(evaluations))):
        early = "" if patience else "; `patience 3` ends such a run early"
        yield Note(
            f"{by_heart(evaluations)}. The best weights are kept. More text, or a higher `dropout`"
            f" or `recurrent_dropout`, helps{early}"
        )


def by_heart(evaluations: Sequence[Evaluated]) -> str:
    """What the losses say where they are rising."""
    losses = [each for each in evaluations if each.val_loss_nats is not None]
    lowest, latest = min(losses, key=validation), losses[-1]
    return (
        f"the validation loss has risen from {validation(lowest):.3f}, at step {lowest.step:,}, to"
        f" {validation(latest):.3f}, while the training loss falls: the network learns this text by"
        " heart"
    )


def heads(evaluations: Sequence[Evaluated]) -> Iterator[Sequence[Evaluated]]:
    """The evaluations as they were before the latest one, and before each earlier one."""
    return (evaluations[:end] for end in range(1, len(evaluations)))


def rising(evaluations: Sequence[Evaluated]) -> bool:
    """Whether the latest validation loss is clearly above the lowest, and the training loss below
    the one that it had there."""
    losses = [
        each for each in evaluations if None not in (each.val_loss_nats, each.train_loss_nats)
    ]
    if len(losses) < 2:
        return False
    lowest, latest = min(losses, key=validation), losses[-1]
    risen = validation(latest) > (1 + RISEN) * validation(lowest)
    return risen and (latest.train_loss_nats or 0) < (lowest.train_loss_nats or 0)


def still_falling(evaluations: Sequence[Evaluated]) -> Iterator[Note]:
    """Note that the plan was too short for the network: it has not begun to learn by heart."""
    if falling_fast(evaluations) and learns_for_others(evaluations[-1]):
        yield Note(
            "the validation loss was still falling fast: a longer plan gives a better model, or"
            " train this one further with `resume` and `time 10m`"
        )


def falling_fast(evaluations: Sequence[Evaluated]) -> bool:
    """Whether the last validation loss is the lowest, and clearly below that of a while before."""
    if len(evaluations) < 2 or not evaluations[-1].is_best:
        return False
    before = evaluations[int(LATE * len(evaluations)) - 1].val_loss_nats
    return before is not None and validation(evaluations[-1]) < (1 - FALLEN) * before


def learns_for_others(evaluated: Evaluated) -> bool:
    """Whether the network knows other texts nearly as well as the one that it learns from."""
    train = evaluated.train_loss_nats
    return train is not None and validation(evaluated) <= (1 + GAP) * train


def stopped_early(session: "Session") -> Iterator[Note]:
    """End the plan here where the user's patience is over."""
    progress, patience = session.progress, session.config.training.patience
    if patience is None or progress.finished or progress.stale_evaluations < patience:
        return
    with session.learner.changing():
        progress.end = progress.step
    yield Note(
        f"stopped early: the last {patience} evaluations were not below the lowest validation"
        f" loss, that of step {progress.best_step:,} (`patience`)"
    )


def validation(evaluated: Evaluated) -> float:
    """The validation loss, which there must be."""
    assert evaluated.val_loss_nats is not None
    return evaluated.val_loss_nats
