"""Training from start to end, as a stream of events.

A step is never cut short, and everything is saved, however the loop over the events is left.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from charrnn.checkpoints import load
from charrnn.config import GROUPS, Config, Plan
from charrnn.config.settings import refuse_unknown
from charrnn.config.signatures import documented
from charrnn.errors import ConfigError
from charrnn.runs import DEFAULT_ROOT, Run, find_checkpoint, runs_left_out
from charrnn.text.sources import select
from charrnn.training.events import Event
from charrnn.training.folder import locked_folder
from charrnn.training.optimizers import find_optimizer
from charrnn.training.training import Training
from charrnn.training.which_run import free_run, names_run, refuse_runs, run_to_resume
from charrnn.types import PathLike

if TYPE_CHECKING:
    from charrnn.training.session import Session


@documented(*GROUPS.values())
def train(
    *corpus: PathLike,
    name: str | None = None,
    checkpoints: PathLike = DEFAULT_ROOT,
    resume: bool = False,
    overwrite: bool = False,
    init_from: PathLike | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    time: float | str | None = None,
    warm_restart: float | None = None,
    **settings: object,
) -> Training:
    """Train a model on files, folders or globs, and tell what happens as it happens.

    Leave the loop over it whenever you like: by `break`, an exception, or Ctrl-C. That saves.

    Args:
        corpus: Files, folders or globs; without any, the source code of Python's standard
            library. To resume a run, its name is enough.
        name: Name of the run, which is its folder in `checkpoints`; by default that of the corpus.
        resume: Continue a run, exactly as if it had never stopped.
        overwrite: Replace an existing run of the same name (deletes it).
        init_from: A run whose weights a new run starts from.
        epochs, steps, time: How long; seconds or '5m'. At most one.
        warm_restart: With a new plan for a resumed run: the share of the peak at which the
            learning rate restarts; 1 where it is not given.
        settings: Fields of `TextConfig`, `ModelConfig` and `TrainingConfig` by name.

    Returns:
        An iterator of events (see `charrnn.training.events`), which is a context manager too.
        Training goes as far as it is iterated.

    Raises:
        CharrnnError: With a message for the user; nothing is lost or half-written.
    """
    names = [each.name for _, each in Config.fields()]
    refuse_unknown(settings, names, others=signature(train).parameters)
    plan = Plan.of(epochs=epochs, steps=steps, seconds=time, warm_restart=warm_restart)
    root = Path(checkpoints)
    if resume:
        if overwrite or init_from is not None:
            why = "does not go together with `overwrite` or `init_from`"
            raise ConfigError(why, {"resume": True}, way_out="leave them out")
        return resume_run(corpus, name, root, settings, plan)
    return new_run(corpus, free_run(corpus, name, root, overwrite), init_from, settings, plan)


def new_run(
    corpus: Sequence[PathLike],
    run: Run,
    init_from: PathLike | None,
    settings: Mapping[str, object],
    plan: Plan,
) -> Training:
    """Training of a run that begins, perhaps from an old run's weights."""
    asked, root = perf_counter(), run.folder.parent
    if plan.warm_restart is not None:
        why = "is only for a run that is resumed"
        way_out = "give `resume`, or a lower `learning_rate`"
        raise ConfigError(why, {"warm_restart": plan.warm_restart}, way_out=way_out)
    if init_from is not None and not corpus:
        raise ConfigError("name the text of the new run", {"init_from": None})
    old = None if init_from is None else load(find_checkpoint(init_from, root))
    config = Config.of(**settings) if old is None else old.config.inherited(settings)
    find_optimizer(config.training)  # refused here, before the text is read
    selection = select(corpus, config.text, runs_left_out(root))
    refuse_runs(corpus)
    from charrnn.training import begin  # imports TensorFlow, which no error is to wait for

    spent = perf_counter() - asked
    return Training(in_folder(run, begin.new(run, selection, config, plan, old, spent)))


def resume_run(
    corpus: Sequence[PathLike],
    name: str | None,
    root: Path,
    settings: Mapping[str, object],
    plan: Plan,
) -> Training:
    """Training of a run that is resumed."""
    asked, run = perf_counter(), run_to_resume(corpus, name, root)
    if plan.empty and plan.warm_restart is not None:
        why, way_out = "is only for a new plan", "say how long: `time 5m`, `epochs` or `steps`"
        raise ConfigError(why, {"warm_restart": plan.warm_restart}, way_out=way_out)
    paths = () if names_run(corpus, run) else corpus
    from charrnn.training import begin

    spent = perf_counter() - asked
    return Training(in_folder(run, begin.resumed(run, paths, settings, plan, spent)))


def in_folder(
    run: Run, beginning: "Generator[Event, None, Session | None]"
) -> Generator[Event, None, None]:
    """Begin and carry out a session, with the run's folder locked all the while."""
    with locked_folder(run):
        session = yield from beginning
        if session is not None:
            yield from events(session)


def events(session: "Session") -> Iterator[Event]:
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
    yield session.finished()


def what_is_due(session: "Session") -> Iterator[Event]:
    """Evaluate, save and sample, each if it is due; what is saved includes the evaluation."""
    if session.validator.due:
        yield session.validator.evaluate()
    if session.saver.due:
        yield session.saver.save()
    if session.sampler.due:
        yield session.sampler.sample()
