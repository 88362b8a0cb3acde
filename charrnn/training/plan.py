"""A plan: how many steps, the learning rate over them, and how a plan by time keeps to its time.

A plan by time begins with a guess at its steps. The first second of training shows how long a step
takes, and from then on the end of the plan is moved whenever the machine has become faster or
slower, so that the learning rate has come down when the time is over. Every decision is a number
in the run's progress, which its checkpoints keep. A resumed run decides nothing by the clock: it
takes the steps that were decided when it was saved.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

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
FLOOR = 0.01
"""The rate at the end of a cosine, as a share of the peak."""
FIRST_SECONDS = 1.0
"""Steps are timed for so long before the first decision."""
FIRST_STEPS = 3
"""And at least so many of them; the very first, which is compiled, is not timed."""
REVIEWS = 40
"""A plan is reviewed about so many times, at equal distances,"""
LAST_REVIEWS = 5
"""but at its end after each fifth of what is left,"""
LEAST_PAUSE = 0.25
"""in seconds, and not more often than this."""
TOLERANCE = 0.005
"""The end is moved where it would be off by more than this share of the time that is left."""
OUTSIDE_SECONDS = 1.2
"""Time kept for what is not seen here: the start of Python, the last checkpoint, the exit."""


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


class Budget:
    """The seconds that a plan may take, and the steps that still fit into them.

    Args:
        seconds: How long the plan may take.
        begin: The reading of `time.perf_counter` when it began.
    """

    def __init__(self, seconds: float, begin: float) -> None:
        self.seconds, self._begin, self._end = seconds, begin, begin + seconds - OUTSIDE_SECONDS
        self.step_seconds = 0.0
        """Seconds of a step, the mean between the last two reviews; 0 before the first."""
        self.evaluation_seconds = 0.0
        """Seconds of the latest evaluation, or before the first what one is expected to take."""
        self.other_seconds = 0.0
        """Seconds a step that go into anything else: samples, checkpoints, the screen."""
        self.compiled_seconds = 0.0
        """Seconds of the first step, which is compiled."""
        self._next_review = 0.0
        self.restart()

    @property
    def spent_seconds(self) -> float:
        return time.perf_counter() - self._begin

    @property
    def start_seconds(self) -> float:
        """Seconds of the plan until the first step was compiled and done."""
        return self._timed_from - self._begin

    def restart(self) -> None:
        """Time steps anew: the next one is compiled again."""
        self._steps, self._seconds_in_steps = -1, 0.0
        self._all_steps, self._seconds_timed, self._timed_from = 0, 0.0, 0.0

    @property
    def left(self) -> float:
        """Seconds left until the plan's time is over."""
        return self._end - time.perf_counter()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time a step, but for the first."""
        begin = time.perf_counter()
        yield
        now = time.perf_counter()
        self._steps += 1
        if not self._timed_from:
            self._timed_from, self.compiled_seconds = now, now - begin
            return
        self._all_steps += 1
        self._seconds_in_steps += now - begin
        self._seconds_timed += now - begin

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        before = self._seconds_timed
        with self.aside():
            yield
        self.evaluation_seconds = self._seconds_timed - before

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Something that is done once, and tells nothing of what is to come."""
        begin = time.perf_counter()
        yield
        self._seconds_timed += time.perf_counter() - begin

    @property
    def due(self) -> bool:
        """Whether it is time for a review."""
        if self.step_seconds:
            return self._steps > 0 and time.perf_counter() >= self._next_review
        if self._steps >= 0 and self.left <= 0:
            return True
        return self._steps >= FIRST_STEPS and self._seconds_in_steps >= FIRST_SECONDS

    def review(self) -> None:
        """Take what has been timed since the last review."""
        self.step_seconds = self._seconds_in_steps / max(1, self._steps) or self.compiled_seconds
        others = time.perf_counter() - self._timed_from - self._seconds_timed
        self.other_seconds = others / max(1, self._all_steps)
        self._steps, self._seconds_in_steps = 0, 0.0
        pause = min(self.seconds / REVIEWS, self.left / LAST_REVIEWS)
        self._next_review = time.perf_counter() + max(LEAST_PAUSE, pause)

    def steps_left(self, evaluations: int) -> int:
        """How many steps fit into the time that is left, beside so many evaluations."""
        seconds = self.left - evaluations * self.evaluation_seconds
        return max(0, round(seconds / (self.step_seconds + self.other_seconds)))

    def steps_to_the_end(self, taken: int, eval_every: int) -> int:
        """How many steps fit into the time that is left, with the evaluations that go with them.

        Args:
            taken: The steps of the plan that are done.
            eval_every: Steps from one evaluation to the next; there is one at the end too.
        """
        for evaluations in count(1):
            steps = self.steps_left(evaluations)
            if math.ceil((taken + steps) / eval_every) - taken // eval_every <= evaluations:
                break
        return steps

    def is_off(self, steps: int) -> bool:
        return abs(steps) * self.step_seconds > TOLERANCE * self.left
