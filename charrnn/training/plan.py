"""From what the user asked for to a number of steps, with the evaluations that go with them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from charrnn.config import Plan, TrainingConfig
from charrnn.runs.progress import Progress

DEFAULT = Plan(seconds=300)
DEFAULT_EPOCHS = 50
"""Without a plan: five minutes, but not more passes than this over a small text."""
EVALUATIONS = 20
EVALUATED_TIME = 0.05
"""In a plan by time, several evaluations together take at most this share of it."""
LAST_EVALUATION = 0.03
"""And one of them this share: where the whole validation text takes longer, a part is read."""
EVALUATED_SHARE = 0.3
"""In a plan by steps, at most this many characters are evaluated for each one trained on.
Evaluating goes forward only, a third of the work, so that it takes about a tenth of the time."""
LEAST_EVALUATED = 10_000
"""The loss of fewer characters than this tells little: no shorter part is chosen to save time."""


@dataclass(frozen=True)
class Workload:
    """What a plan depends on: windows in an epoch, characters in a step and in an evaluation, and
    the steps between evaluations if the user set them."""

    windows: int
    step_characters: int
    evaluation_characters: int
    eval_every: int | None = None

    def evaluations(self, steps: int) -> int:
        """How many evaluations go with so many steps: 20, or fewer if they would take too long.

        There is one at least, at the end.
        """
        if self.eval_every:
            return -(-steps // self.eval_every)
        characters = EVALUATED_SHARE * steps * self.step_characters
        return max(1, min(EVALUATIONS, int(characters / max(1, self.evaluation_characters))))


def plan_steps(plan: Plan, windows: int) -> int:
    """How many steps a plan by steps or epochs comes to, with so many windows in an epoch."""
    if plan.steps is not None:
        return plan.steps
    assert plan.epochs is not None
    return max(1, round(plan.epochs * windows))


def seconds_of(plan: Plan) -> float:
    return (DEFAULT if plan.empty else plan).seconds or 0.0


def evaluations_in(seconds: float, evaluation_seconds: float) -> int:
    affordable = EVALUATED_TIME * max(0.0, seconds) / max(evaluation_seconds, 1e-9)
    return max(1, min(EVALUATIONS, int(affordable)))


def evaluation_characters(characters: int, seconds_each: float, seconds: float) -> int:
    """How many of the validation characters an evaluation reads in a plan of so many seconds.

    All of them, unless that takes more than a small share of the time.
    """
    affordable = LAST_EVALUATION * max(0.0, seconds) / max(seconds_each, 1e-12)
    return min(characters, max(LEAST_EVALUATED, int(affordable)))


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
