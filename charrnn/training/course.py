"""The course of a session: step after step, and after each what is due."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext

from charrnn.runs.events import Event, Stopped
from charrnn.runs.run import Run
from charrnn.training.advice import over_fitting, still_falling, stopped_early
from charrnn.training.folder import locked_folder
from charrnn.training.interrupts import held_back
from charrnn.training.loggers import logged
from charrnn.training.planning import review
from charrnn.training.ranks import MpiRanks, Ranks
from charrnn.training.session import Session


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
    """Carry the plan out, and hand its events to the loggers."""
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
