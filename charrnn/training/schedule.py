"""The learning rate over a plan."""

import math

from charrnn.config import TrainingConfig
from charrnn.progress import Progress

FLOOR = 0.01
"""The rate at the end of a plan, as a share of the peak."""


def learning_rate(config: TrainingConfig, progress: Progress) -> float:
    """Linear warm-up, then a cosine down to the end of the plan (Loshchilov and Hutter 2017)."""
    steps = progress.end - progress.start
    place = progress.step - progress.start
    warmup = min(config.warmup_steps, steps // 10)
    peak = config.learning_rate * progress.rate_scale
    if place < warmup:
        return peak * (place + 1) / (warmup + 1)
    share = min(1.0, (place - warmup) / max(1, steps - warmup))
    return peak * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * share)) / 2)
