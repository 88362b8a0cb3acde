"""From what the user asked for to a number of steps, with the evaluations that go with them."""

from dataclasses import dataclass, replace

from charrnn.config import Plan

DEFAULT = Plan(seconds=300)
DEFAULT_EPOCHS = 50
"""Without a plan: five minutes, but not more passes than this over a small text."""
EVALUATIONS = 20
EVALUATED_TIME = 0.1
"""In a plan by time, evaluations take at most this share of it."""
EVALUATED_SHARE = 0.3
"""Where no speed is measured: at most this many characters are evaluated for each one trained on.
Evaluating goes forward only, a third of the work, so that it takes about a tenth of the time."""
LEAST_EVALUATED = 10_000
"""The loss of fewer characters than this tells little: no shorter part is chosen to save time."""


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

    def evaluations(self, steps: int, speed: Speed | None = None) -> int:
        """How many evaluations go with so many steps: 20, or fewer if they would take too long.

        There is one at least, at the end.
        """
        if self.eval_every:
            return -(-steps // self.eval_every)
        return max(1, min(EVALUATIONS, int(self._affordable(steps, speed))))

    def _affordable(self, steps: int, speed: Speed | None) -> float:
        if speed is None or not speed.evaluation_seconds:
            characters = EVALUATED_SHARE * steps * self.step_characters
            return characters / max(1, self.evaluation_characters)
        training = steps * speed.step_seconds * EVALUATED_TIME / (1 - EVALUATED_TIME)
        return training / speed.evaluation_seconds


def plan_steps(plan: Plan, workload: Workload, speed: Speed | None) -> int:
    """How many steps the plan comes to; the speed is needed if it is a plan by time."""
    if plan.steps is not None:
        return plan.steps
    if plan.epochs is not None:
        return max(1, round(plan.epochs * workload.windows))
    assert speed is not None
    steps = steps_in(seconds_of(plan), workload, speed)
    return min(steps, DEFAULT_EPOCHS * workload.windows) if plan.empty else steps


def seconds_of(plan: Plan) -> float:
    """How long a plan by time is to take."""
    return (DEFAULT if plan.empty else plan).seconds or 0.0


def steps_in(seconds: float, workload: Workload, speed: Speed) -> int:
    """How many steps fit into the time together with their evaluations; at least one.

    The evaluation at the end is among them.
    """
    left = seconds - speed.spent_seconds
    if every := workload.eval_every:
        rounds, rest = divmod(left, every * speed.step_seconds + speed.evaluation_seconds)
        more = max(0, int((rest - speed.evaluation_seconds) / speed.step_seconds))
        return max(1, int(rounds) * every + more)
    evaluations = workload.evaluations(
        max(1, int((1 - EVALUATED_TIME) * left / speed.step_seconds)), speed
    )
    return max(1, int((left - evaluations * speed.evaluation_seconds) / speed.step_seconds))


def part_to_evaluate(seconds: float, characters: int, speed: Speed) -> int:
    """How many of the validation characters the evaluation at the plan's end can afford.

    All of them, unless they would take more than a tenth of the time that is left.
    """
    affordable = EVALUATED_TIME * max(0.0, seconds - speed.spent_seconds)
    if speed.evaluation_seconds <= affordable:
        return characters
    part = int(characters * affordable / speed.evaluation_seconds)
    return min(characters, max(LEAST_EVALUATED, part))


def evaluating(part: int, characters: int, speed: Speed) -> Speed:
    """The speed where only a part of the characters is evaluated."""
    return replace(speed, evaluation_seconds=speed.evaluation_seconds * part / max(1, characters))
