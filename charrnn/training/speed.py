"""How fast training is on this machine, measured before a plan is made for it."""

import time
from collections.abc import Callable

from charrnn.training.learner import Learner
from charrnn.training.plan import Speed
from charrnn.training.validation import Validator

MEASURE_SECONDS = 1.5
"""Steps are timed for at least this long together."""
MEASURE_CALLS = 3
"""Whatever is timed is called at least this many times."""


def measure(learner: Learner, validator: Validator, begin: float) -> Speed:
    """Time steps and evaluations, without any change to the learner.

    `begin` is the reading of `time.perf_counter` when the session began: a plan for some time
    has spent what has passed since.
    """
    step, evaluation = step_seconds(learner), evaluation_seconds(validator)
    return Speed(step, evaluation, time.perf_counter() - begin)


def step_seconds(learner: Learner) -> float:
    """Seconds that a step takes; the steps timed are undone."""
    before, window = learner.snapshot(), learner.streams.window(0)
    seconds = median_seconds(lambda: learner.trainer.step(window, learner.state, 0, 0.0))
    learner.restore(before)
    return seconds


def evaluation_seconds(validator: Validator) -> float:
    """Seconds that an evaluation takes: those of one window times the number of windows."""
    if len(validator.ids) < 2:
        return 0.0
    score_window, windows = validator.evaluator.probe(validator.ids)
    return median_seconds(score_window, least_seconds=0) * windows


def median_seconds(call: Callable[[], object], least_seconds: float = MEASURE_SECONDS) -> float:
    """The median time of a call, after a first one that compiles what it runs."""
    call()
    times: list[float] = []
    while len(times) < MEASURE_CALLS or sum(times) < least_seconds:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]
