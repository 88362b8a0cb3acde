"""From what the user asked for to a number of steps, with the evaluations that go with them."""

from dataclasses import dataclass

from charrnn.config import Plan

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
    """How long a plan by time is to take."""
    return (DEFAULT if plan.empty else plan).seconds or 0.0


def evaluations_in(seconds: float, evaluation_seconds: float) -> int:
    """How many evaluations a plan of so many seconds has: one at least, at its end."""
    affordable = EVALUATED_TIME * max(0.0, seconds) / max(evaluation_seconds, 1e-9)
    return max(1, min(EVALUATIONS, int(affordable)))


def evaluation_characters(characters: int, seconds_each: float, seconds: float) -> int:
    """How many of the validation characters an evaluation reads in a plan of so many seconds.

    All of them, unless that takes more than a small share of the time.
    """
    affordable = LAST_EVALUATION * max(0.0, seconds) / max(seconds_each, 1e-12)
    return min(characters, max(LEAST_EVALUATED, int(affordable)))
