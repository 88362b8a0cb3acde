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
        init_from: An old run, from whose weights the new run starts.
        epochs, steps, time: How long to train, at most one of them; `time` in seconds, or as '5m'.
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
    if warm_restart is not None:
        why, way_out = (
            "is only for a run that is resumed",
            "give `resume`, or a lower `learning_rate`",
        )
        raise ConfigError(why, {"warm_restart": warm_restart}, way_out=way_out)
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


def known_name(corpus: Sequence[PathLike], root: Path) -> str:
    """The name of a corpus's run: today's or the former one, or what was given is a run's name."""
    names = (run_name(corpus), former_name(corpus), *map(os.fsdecode, corpus[:1]))
    return next((name for name in names if Run(root / name).exists), names[0])


def names_run(corpus: Sequence[PathLike], run: Run) -> bool:
    """Whether, in place of a corpus, the run is named, as the other commands take it."""
    named = [os.fsdecode(each) for each in corpus]
    if len(named) != 1:
        return False
    by_name = named[0] == run.name and not Path(run.name).exists()
    return by_name or os.path.realpath(named[0]) == os.path.realpath(run.folder)


def refuse_runs(corpus: Sequence[PathLike]) -> None:
    """Raise CorpusError where the user named the folder of a run as a text."""
    for argument in corpus:
        if Run(Path(os.fsdecode(argument))).exists:
            raise CorpusError(
                "is a run, not a text",
                where=os.fsdecode(argument),
                way_out="continue it with `resume`, or name its files one by one",
            )


def free_run(folder: Path, overwrite: bool) -> Run:
    """The run in a folder; RunError where there is one already that must not be replaced."""
    run = Run(folder)
    if run.exists and not overwrite:
        raise RunError(
            "there is already a run in this folder",
            where=run.folder,
            way_out="continue it with `resume`, choose another `name`, or delete it with"
            " `overwrite`",
        )
    return run


def checked(name: str) -> str:
    """The run's name; ConfigError if it is not the name of a folder below `checkpoints`."""
    if name != Path(name).name or not name.strip() or name == "..":
        raise ConfigError("must be a plain folder name; see also `checkpoints`", {"name": name})
    return name


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
