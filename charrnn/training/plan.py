"""From what the user asked for to a number of steps."""

from dataclasses import dataclass

from charrnn.config import Plan

DEFAULT = Plan(seconds=300)
DEFAULT_EPOCHS = 50
"""Without a plan: five minutes, but not more passes than this over a small text."""
EVALUATIONS = 20
EVALUATED_SHARE = 0.3
"""At most this many characters are evaluated for each one trained on. Evaluating goes forward only,
a third of the work, so that evaluations take about a tenth of the time."""


@dataclass(frozen=True)
class Speed:
    """Seconds that a step and an evaluation take once compiled, and seconds spent already."""

    step_seconds: float
    evaluation_seconds: float
    spent_seconds: float


@dataclass(frozen=True)
class Workload:
    """What a plan depends on: windows in an epoch, characters in a step and in an evaluation, and
    the steps between evaluations if the user set them."""

    windows: int
    step_characters: int
    evaluation_characters: int
    eval_every: int | None = None

    def evaluations(self, steps: int) -> int:
        """How many evaluations go with so many steps: 20, or fewer if they would take too long."""
        if self.eval_every:
            return -(-steps // self.eval_every)
        affordable = EVALUATED_SHARE * steps * self.step_characters
        return max(1, min(EVALUATIONS, int(affordable / max(1, self.evaluation_characters))))


def plan_steps(plan: Plan, workload: Workload, speed: Speed | None) -> int:
    """How many steps the plan comes to; the speed is needed if it is a plan by time."""
    if plan.steps is not None:
        return plan.steps
    if plan.epochs is not None:
        return max(1, round(plan.epochs * workload.windows))
    assert speed is not None
    steps = steps_in((DEFAULT if plan.empty else plan).seconds or 0.0, workload, speed)
    return min(steps, DEFAULT_EPOCHS * workload.windows) if plan.empty else steps


def steps_in(seconds: float, workload: Workload, speed: Speed) -> int:
    """How many steps fit into the time together with their evaluations; at least one."""
    left = seconds - speed.spent_seconds
    if every := workload.eval_every:
        return max(1, int(left / (speed.step_seconds + speed.evaluation_seconds / every)))
    evaluations = workload.evaluations(max(1, int(left / speed.step_seconds)))
    return max(1, int((left - evaluations * speed.evaluation_seconds) / speed.step_seconds))
