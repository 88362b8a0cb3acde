"""The learning rate over a plan."""

import math
from collections.abc import Callable

from charrnn.config import TrainingConfig
from charrnn.runs.progress import Progress

FLOOR = 0.01
"""The rate at the end of a cosine, as a share of the peak."""


def cosine(share: float) -> float:
    """Down to a hundredth along a cosine (Loshchilov and Hutter 2017)."""
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * share)) / 2


def linear(share: float) -> float:
    """Down to zero in a straight line (Bergsma et al. 2025, arXiv 2502.15938)."""
    return 1 - share


SCHEDULES: dict[str, Callable[[float], float]] = {"linear": linear, "cosine": cosine}
"""From the share of the decay that is done to the share of the peak."""


def learning_rate(config: TrainingConfig, progress: Progress) -> float:
    """The rate of the next step: linear warm-up, then the decay to the end of the plan."""
    place, warmup = progress.step - progress.start, warmup_steps(config, progress)
    peak = config.learning_rate * progress.rate_scale
    if place < warmup:
        return peak * (place + 1) / (warmup + 1)
    return peak * SCHEDULES[config.schedule](decayed_share(config, progress))


def warmup_steps(config: TrainingConfig, progress: Progress) -> int:
    """Steps of the plan until the rate is at its peak."""
    if progress.decay_from is not None:
        return progress.decay_from - progress.start
    return min(config.warmup_steps, (progress.end - progress.start) // 10)


def decayed_share(config: TrainingConfig, progress: Progress) -> float:
    """The share of the decay, from 0 to 1, that is done: linear in steps to the plan's end."""
    begin = progress.start + warmup_steps(config, progress)
    share = min(1.0, max(0, progress.step - begin) / max(1, progress.end - begin))
    return progress.decayed + (1 - progress.decayed) * share


def move_end(config: TrainingConfig, progress: Progress, end: int) -> None:
    """Give the plan another end. The decay goes on from where it is, and is done by then.

    During the warm-up nothing has decayed yet, and only the end moves.
    """
    if progress.step - progress.start > warmup_steps(config, progress):
        progress.decayed = decayed_share(config, progress)
        progress.decay_from = progress.step
    progress.end = end
