"""The course of a session: step after step, and after each what is due."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from charrnn.runs import Run
from charrnn.training.advice import over_fitting, still_falling, stopped_early
from charrnn.training.events import Event
from charrnn.training.folder import locked_folder
from charrnn.training.loggers import logged
from charrnn.training.planning import review
from charrnn.training.session import Session
from charrnn.workers.cluster import Cluster
from charrnn.workers.facts import Facts
from charrnn.workers.team import Follower, Leader


def in_folder(
    run: Run, beginning: Generator[Event, None, Session | None], loggers: Sequence[str]
) -> Generator[Event, None, None]:
    """Begin and carry out a session, with the run's folder locked all the while."""
    with locked_folder(run):
        session = yield from beginning
        if session is not None:
            step, weights = session.progress.step, session.learner.trainer.weights
            yield from logged(events(session), run, loggers, step, weights)


def in_team(
    cluster: Cluster, facts: Facts, carry_out: Callable[[Any], Generator[Event, None, None]]
) -> Generator[Event, None, None]:
    """Carry a session out with the connections to the other workers, and tell them of its end.

    Where worker 0 is stopped, it has saved by then, and the others end as after the last step.
    """
    team = (Leader if cluster.leads else Follower)(cluster, facts)
    try:
        yield from carry_out(team)
    except BaseException as error:
        stopped = not isinstance(error, Exception)
        team.close(None if stopped and cluster.leads else error)
        raise
    team.close()


def events(session: Session) -> Generator[Event, None, None]:
    """Step until the plan is carried out, and after each step do what is due.

    Where the loop is left or interrupted, the learner is saved as it is by then.
    """
    try:
        yield session.started()
        yield from what_is_due(session)
        while not session.progress.finished:
            yield session.step()
            yield from what_is_due(session)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        session.saver.close()
        raise
    yield from still_falling(session.evaluations)
    yield session.finished()


def what_is_due(session: Session) -> Iterator[Event]:
    """Evaluate, save and sample, each if it is due; what is saved includes the evaluation.

    Before that, a plan by time is reviewed, and after an evaluation it may end early.
    """
    if session.budget is not None and session.budget.due:
        yield from review(session, session.budget)
    if session.validator.due:
        yield session.evaluate()
        yield from over_fitting(session.evaluations, session.config.training.patience)
        yield from stopped_early(session)
    if session.saver.due:
        yield session.saver.save()
    if session.sampler.due:
        yield session.sampler.sample()
