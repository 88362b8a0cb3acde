"""Giving a session its plan: how many steps it takes, and what is done in between."""

from collections.abc import Generator, Iterator

from charrnn.config import Plan, TrainingConfig
from charrnn.training.events import Note
from charrnn.training.notes import describe_part, describe_plan
from charrnn.training.plan import Speed, evaluating, part_to_evaluate, plan_steps, seconds_of
from charrnn.training.session import Session
from charrnn.training.speed import measure

SAMPLES = 4
"""Samples shown in a plan, where the user asks for no other number."""


def set_plan(session: Session, plan: Plan, begin: float) -> Iterator[Note]:
    """Set how many steps the session is to take, counted from the present one."""
    speed = None
    if plan.needs_speed:
        speed = measure(session.learner, session.validator, begin)
        speed = yield from fit_validation(session, plan, speed)
    workload, progress = session.workload, session.progress
    steps = plan_steps(plan, workload, speed)
    progress.start, progress.end = progress.step, progress.step + steps
    progress.rate_scale, progress.rollbacks = plan.warm_restart or 1.0, 0
    progress.windows = workload.windows
    progress.eval_every = -(-steps // workload.evaluations(steps, speed))
    yield from describe_plan(steps, workload.windows)


def fit_validation(session: Session, plan: Plan, speed: Speed) -> Generator[Note, None, Speed]:
    """Validate on a part where all of the text would take too much of the plan's time.

    A run that has been evaluated keeps its part, so that its losses can be compared; a number of
    characters that the user asked for stays too.
    """
    characters = len(session.validator.ids)
    part = part_to_evaluate(seconds_of(plan), characters, speed)
    asked_for = session.config.training.eval_chars != TrainingConfig.eval_chars
    if part == characters or asked_for or session.progress.evaluated_step:
        return speed
    session.validate_on(part)
    yield from describe_part(part, characters)
    return evaluating(part, characters, speed)


def set_cadence(session: Session) -> None:
    """Set how often to evaluate, sample and save: as the settings say, or evenly over the plan."""
    options, progress = session.config.training, session.progress
    steps = progress.end - progress.start
    progress.eval_every = options.eval_every or progress.eval_every
    every = options.sample_every
    progress.sample_every = -(-steps // SAMPLES) if every is None else every
    progress.checkpoint_every = options.checkpoint_every or progress.eval_every
