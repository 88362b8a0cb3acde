"""Keeping a plan to its time, whatever the machine does meanwhile.

A plan by time begins with a guess at its steps. The first second of training shows how long a step
takes, and from then on the end of the plan is moved whenever the machine has become faster or
slower, so that the learning rate has come down when the time is over. Every decision is a number
in the run's progress, which its checkpoints keep. A resumed run decides nothing by the clock: it
takes the steps that were decided when it was saved.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

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


class Budget:
    """The seconds that a plan may take, and the steps that still fit into them.

    Args:
        seconds: How long the plan may take.
        begin: The reading of `time.perf_counter` when it began.
    """

    def __init__(self, seconds: float, begin: float) -> None:
        self.seconds, self._end = seconds, begin + seconds - OUTSIDE_SECONDS
        self.step_seconds = 0.0
        """Seconds of a step, the mean between the last two reviews; 0 before the first."""
        self.evaluation_seconds = 0.0
        """Seconds of the latest evaluation, or before the first what one is expected to take."""
        self.other_seconds = 0.0
        """Seconds a step that go into anything else: samples, checkpoints, the screen."""
        self._steps, self._seconds_in_steps = -1, 0.0  # since the last review
        self._all_steps, self._seconds_timed, self._timed_from = 0, 0.0, 0.0
        self._next_review = 0.0

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
            self._timed_from = now
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
        enough = self._seconds_in_steps >= FIRST_SECONDS or self.left <= 0
        return enough and self._steps >= FIRST_STEPS

    def review(self) -> None:
        """Take what has been timed since the last review."""
        self.step_seconds = self._seconds_in_steps / self._steps
        others = time.perf_counter() - self._timed_from - self._seconds_timed
        self.other_seconds = others / self._all_steps
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
