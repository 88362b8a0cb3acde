"""What is counted of the steps: losses, gradient norms, and steps that were skipped."""

import numpy as np

from charrnn.progress import COUNTED, Progress
from charrnn.training.step import Outcome

SUMS, IN_A_ROW = COUNTED[:-1], COUNTED[-1]


def count(progress: Progress, outcome: Outcome, filled: float, clip_norm: float) -> None:
    """Count a step.

    Args:
        progress: Where it is counted.
        outcome: How the step went.
        filled: The targets that counted, as a share of those of a full window.
        clip_norm: Above this norm the gradient was clipped.
    """
    if not outcome.finite:
        progress.skipped_steps += 1
        progress.skipped_in_a_row += 1
        return
    progress.skipped_in_a_row = 0
    progress.counted_steps += 1
    progress.loss_sum += outcome.loss_nats * filled
    progress.filled_windows += filled
    progress.norm_sum += outcome.gradient_norm
    progress.clipped_steps += outcome.gradient_norm > clip_norm


def counts_of(progress: Progress) -> np.ndarray:
    """What is counted there: float64, in the order of `COUNTED`."""
    return np.array([getattr(progress, name) for name in COUNTED], np.float64)


def counted(counts: np.ndarray) -> Progress:
    """The progress of which `counts_of` has told."""
    kinds = {name: type(getattr(Progress(), name)) for name in COUNTED}
    return Progress(**{n: kinds[n](each) for n, each in zip(COUNTED, counts, strict=True)})


def add_counts(progress: Progress, counts: np.ndarray) -> None:
    """Add what W workers have counted by themselves, [W, len(COUNTED)].

    The steps that were skipped in a row are those of the worker that has skipped the most.
    """
    totals = counts.astype(np.float64).sum(0)
    for name, total in zip(SUMS, totals[:-1], strict=True):
        before = getattr(progress, name)
        setattr(progress, name, before + type(before)(total))
    progress.skipped_in_a_row = int(counts[:, -1].max())
