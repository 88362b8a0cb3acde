"""Giving a session its plan: how many steps it takes, and what is done in between."""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from statistics import median

from charrnn.config import Plan, TrainingConfig
from charrnn.runs.events import Event, Note, Stopped
from charrnn.runs.run import Run
from charrnn.training.budget import Budget
from charrnn.training.learner import held_back
from charrnn.training.loggers import logged
from charrnn.training.machine import operations_per_second
from charrnn.training.notes import (
    describe_part,
    describe_plan,
    over_fitting,
    still_falling,
    stopped_early,
)
from charrnn.training.plan import (
    DEFAULT_EPOCHS,
    evaluation_characters,
    evaluations_in,
    move_end,
    plan_steps,
    seconds_of,
)
from charrnn.training.ranks import MpiRanks, Ranks
from charrnn.training.recipe import characters_per_second
from charrnn.training.run_folder import locked_folder
from charrnn.training.session import Session, Validator

SAMPLES = 4
"""Samples shown in a plan, where the user asks for no other number."""
LAST_INTERVAL = 0.5
"""A plan by time ends so far from its last evaluation but one, in intervals of the others: where
the machine becomes a little faster or slower, the two do not meet."""
TIMED_WINDOWS = 3
"""So many windows of an evaluation are timed; the first, which is compiled, does not count."""


def set_plan(session: Session, plan: Plan, begin: float) -> Iterator[Note]:
    """Set how many steps the session is to take, counted from the present one.

    A plan by time begins with a guess, which `review` replaces as soon as steps have been timed.
    """
    progress, workload = session.progress, session.workload
    progress.start, progress.windows = progress.step, workload.windows
    progress.rate_scale, progress.rollbacks = plan.warm_restart or 1.0, 0
    progress.decay_from, progress.decayed, progress.stale_evaluations = None, 0.0, 0
    if plan.needs_speed:
        session.budget = Budget(seconds_of(plan), begin)
        session.most_steps = round(DEFAULT_EPOCHS * workload.windows) if plan.empty else None
        size, rate = session.corpus.vocabulary.size, operations_per_second() * progress.ranks
        characters = characters_per_second(session.config, size, rate) * session.budget.left
        steps = max(1, round(characters / workload.step_characters))
    else:
        steps = plan_steps(plan, workload.windows)
        yield from describe_plan(steps, workload.windows)
    progress.end = progress.step + steps
    set_cadence(session, -(-steps // workload.evaluations(steps)))


def review(session: Session, budget: Budget) -> Iterator[Note]:
    """Move the end of a plan by time to where its time is over, if it is not there.

    The first review also decides how often to evaluate: that stays.
    """
    progress, first = session.progress, not budget.step_seconds
    budget.review()
    if first:
        yield from prepare_evaluations(session, budget)
    end = progress.step + steps_that_fit(session)
    if first or budget.is_off(end - progress.end):
        with session.learner.changing():
            move_end(session.config.training, progress, end)
            set_cadence(session)
    if first:
        yield from describe_plan(progress.end - progress.start, progress.windows, "about ")


def steps_that_fit(session: Session) -> int:
    """The steps for which there is time: one at least in a plan."""
    progress, budget = session.progress, session.budget
    assert budget is not None
    taken = progress.step - progress.start
    steps = max(0 if taken else 1, budget.steps_to_the_end(taken, progress.eval_every))
    return steps if session.most_steps is None else min(steps, session.most_steps - taken)


def prepare_evaluations(session: Session, budget: Budget) -> Iterator[Note]:
    """Set how often a plan by time evaluates, and how many characters.

    A run that has been evaluated keeps its characters, so that its losses can be compared; a
    number that the user asked for stays too.
    """
    progress = session.progress
    with budget.aside():
        each = evaluation_seconds_each(session.validator)
    asked_for = session.config.training.eval_chars != TrainingConfig.eval_chars
    if not asked_for and not progress.evaluated_step:
        characters = len(session.validator.ids)
        part = evaluation_characters(characters, each, budget.left)
        if part < characters:
            session.validate_on(part)
            yield from describe_part(part, characters)
    budget.evaluation_seconds = each * len(session.validator.ids)
    evaluations = evaluations_in(budget.left, budget.evaluation_seconds)
    steps = progress.step - progress.start + budget.steps_left(evaluations)
    with session.learner.changing():
        set_cadence(session, math.ceil(steps / (evaluations - LAST_INTERVAL)))


def evaluation_seconds_each(validator: Validator) -> float:
    """Seconds that the evaluation of a character takes; 0 where there is none to evaluate."""
    characters = len(validator.ids)
    if characters < 2:
        return 0.0
    score_window, windows = validator.evaluator.probe(validator.ids)
    times = []
    for _ in range(1 + TIMED_WINDOWS):
        begin = time.perf_counter()
        score_window()
        times.append(time.perf_counter() - begin)
    return median(times[1:]) * windows / characters


def set_cadence(session: Session, eval_every: int | None = None) -> None:
    """Set how often to evaluate, sample and save: as the settings say, or evenly over the plan.

    Without a number of steps, evaluations stay as far apart as they are.
    """
    options, progress = session.config.training, session.progress
    steps = progress.end - progress.start
    progress.eval_every = options.eval_every or eval_every or progress.eval_every
    every = options.sample_every
    progress.sample_every = max(1, -(-steps // SAMPLES)) if every is None else every
    progress.checkpoint_every = options.checkpoint_every or progress.eval_every


def in_folder(
    run: Run,
    beginning: Generator[Event, None, Session | None],
    loggers: Sequence[str],
    ranks: Ranks,
) -> Generator[Event, None, None]:
    """Begin and carry out a session; rank 0 holds the run's folder all the while."""
    try:
        with locked_folder(run) if ranks.first else nullcontext():
            session = yield from beginning
            if session is not None:
                yield from logged_events(session, loggers) if ranks.first else events(session)
            ranks.end()
    except BaseException:
        ranks.fail()
        raise


def logged_events(session: Session, loggers: Sequence[str]) -> Generator[Event, None, None]:
    step, weights = session.progress.step, session.learner.trainer.weights
    return logged(events(session), session.run, loggers, step, weights)


def events(session: Session) -> Generator[Event, None, None]:
    """Carry the plan out; where the loop is left or interrupted, save the learner as it is then."""
    ranks, running = session.ranks, steps(session)
    if isinstance(ranks, MpiRanks):
        yield from in_agreement(running, ranks)
        return
    try:
        yield from running
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        session.saver.close()
        raise


def in_agreement(
    running: Generator[Event, None, None], ranks: MpiRanks
) -> Generator[Event, None, None]:
    """Pass the events on; where the loop is left on this rank, stop together with the others.

    They are on their way into the next step and depend on this rank for it. So it takes one more
    step with them, which tells them, and after that all save and stop.
    """
    ranks.stepping = True
    try:
        while True:
            with held_back():
                event = next(running, None)
            if event is None:
                return
            yield event
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        with held_back():
            ranks.stop()
            deque(running, maxlen=0)
            ranks.end()
        raise


def steps(session: Session) -> Generator[Event, None, None]:
    """Step until the plan is carried out or all ranks stop, and after each step do what is due."""
    yield session.started()
    yield from what_is_due(session)
    while not (session.progress.finished or session.ranks.stopped):
        yield session.step()
        yield from what_is_due(session)
    if not session.progress.finished:
        session.saver.close()
        yield Stopped(session.progress.step)
        return
    yield from still_falling(session.evaluations)
    yield session.finished()


def what_is_due(session: Session) -> Iterator[Event]:
    """Evaluate, save and sample, each if it is due; what is saved includes the evaluation.

    Before that, a plan by time is reviewed, and after an evaluation it may end early.
    """
    budget, ranks = session.budget, session.ranks
    if ranks.agreed(budget is not None and budget.due):
        notes = list(review(session, budget)) if budget is not None and ranks.first else []
        session.share_progress()
        yield from notes
    if session.validator.due:
        yield session.evaluate()
        yield from over_fitting(session.evaluations, session.config.training.patience)
        yield from stopped_early(session)
    if session.saver.due:
        yield session.saver.save()
    if session.sampler.due and ranks.first:
        yield session.sampler.sample()
