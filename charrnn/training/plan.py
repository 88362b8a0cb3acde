"""From what the user asked for to a number of steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from charrnn.config import Plan

DEFAULT = Plan(seconds=300)
DEFAULT_EPOCHS = 50
"""Without a plan: five minutes, but not more passes than this over a small text."""
EVALUATIONS = 20
EVALUATION_SHARE = 0.1
"""At most this share of a time plan goes into evaluation."""
MEASURE_SECONDS = 1.5
MEASURE_STEPS = 3


@dataclass(frozen=True)
class Speed:
    """Seconds that one step and one evaluation take once compiled, and that are gone already."""

    step_seconds: float
    evaluation_seconds: float
    spent_seconds: float


def median_seconds(step: Callable[[], object], least_seconds: float = MEASURE_SECONDS) -> float:
    """The median time of a step, after a first one that compiles it."""
    step()
    times: list[float] = []
    while len(times) < MEASURE_STEPS or sum(times) < least_seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]


def plan_steps(plan: Plan, windows: int, speed: Speed | None) -> int:
    """How many steps the plan means; `windows` make an epoch, a time plan needs the speed."""
    if plan.steps is not None:
        return plan.steps
    if plan.epochs is not None:
        return max(1, round(plan.epochs * windows))
    assert speed is not None
    left = planned_seconds(plan) - speed.spent_seconds
    left -= evaluations_in(plan, speed) * speed.evaluation_seconds
    steps = max(1, int(left / speed.step_seconds))
    return min(steps, DEFAULT_EPOCHS * windows) if plan.empty else steps


def evaluations_in(plan: Plan, speed: Speed | None) -> int:
    """How many evaluations a plan has: 20, fewer where they would take a tenth of its time."""
    if speed is None or speed.evaluation_seconds == 0:
        return EVALUATIONS
    affordable = int(EVALUATION_SHARE * planned_seconds(plan) / speed.evaluation_seconds)
    return max(1, min(EVALUATIONS, affordable))


def planned_seconds(plan: Plan) -> float:
    """The time of a time plan, or of no plan."""
    return (DEFAULT if plan.empty else plan).seconds or 0.0
