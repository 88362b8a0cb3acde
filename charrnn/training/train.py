"""`train`, from top to bottom: check the arguments, find or begin the run, step, finish.

    arguments → run → text → network and plan (`begin`) → steps, each with what is due → finished

What is wrong with the arguments or the text is said before TensorFlow is imported.
"""

import os
import weakref
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from inspect import signature
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from charrnn.config import GROUPS, Config, Plan, TextConfig
from charrnn.config.settings import document_settings, refuse_unknown
from charrnn.errors import ConfigError, CorpusError, RunError
from charrnn.files import hold_interrupts
from charrnn.runs.checkpoints import Checkpoint, load
from charrnn.runs.events import Event, Finished, Note, Stopped
from charrnn.runs.run import (
    DEFAULT_ROOT,
    Run,
    find_checkpoint,
    find_run,
    leave_out_runs,
    plain_name,
)
from charrnn.text.corpus import Corpus, describe, encode_corpus
from charrnn.text.sources import Selection, run_name, select
from charrnn.training.loggers import pass_to_loggers, refuse_unknown_loggers
from charrnn.training.notes import (
    announce,
    describe_import,
    describe_link,
    over_fitting,
    still_falling,
)
from charrnn.training.optimizers import find_optimizer
from charrnn.training.ranks import MpiRanks, Ranks, facts, ranks_of_launcher, refuse_differences
from charrnn.training.run_folder import locked_folder, settle, staging
from charrnn.types import PathLike

if TYPE_CHECKING:
    from charrnn.training.session import Session

LEAST_CHARACTERS = 10
Item = TypeVar("Item")
Own = TypeVar("Own", bound="Closing")
Beginning = Generator[Event, None, "Session | None"]
"""Yields notes, and returns the session; None where there is nothing to train."""


class Closing(Generic[Item]):
    """An iterator that always closes its generator.

    A `for` loop over it closes it when the loop ends, be it by `break`, by an exception in its
    body, or by Ctrl-C. So do a `with` block, the end of the program, and forgetting the object.
    """

    def __init__(self, events: Generator[Item, None, None]) -> None:
        self._events = events
        self._close = weakref.finalize(self, events.close)
        self._entered = False
        self._error: BaseException | None = None
        """Why the work could not be ended when a loop was left in a `with` block."""

    def __next__(self) -> Item:
        return next(self._events)

    def __iter__(self) -> Iterator[Item]:
        # The loop alone holds this generator, so that it ends with the loop, even where a
        # variable or a traceback still holds the training.
        try:
            for event in self._events:  # noqa: UP028  (`yield from` would close it by itself)
                yield event
        except GeneratorExit:
            try:
                self.close()
            except BaseException as error:
                if not self._entered:
                    raise  # Python can only print it
                self._error = error
            raise
        finally:
            self.close()

    def __enter__(self: Own) -> Own:
        self._entered = True
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self._error is not None:
            raise self._error from error

    def close(self) -> None:
        """End the work and save it. No events follow."""
        self._close()


class Training(Closing[Event]):
    """Training in progress: an iterator of events, which saves when it is closed.

    With `next`, training goes on step by step, and stays open. To continue after it is closed,
    resume the run.
    """


@document_settings(*GROUPS.values())
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
    size: str | None = None,
    log: str | Sequence[str] = (),
    **settings: object,
) -> Training:
    """Train a model on files, folders or globs, and yield an event for all that happens.

    Leave the loop over it whenever you like: by `break`, an exception, or Ctrl-C. That saves.
    Started several times by MPI's launcher (`mpiexec -n 4 python train.py`), all processes train
    one model together (docs/machines.md): each iterates over the same steps and evaluations.

    Args:
        corpus: Files, folders or globs; without any, the reference of the Python language,
            which comes with Python. To resume a run, its name is enough.
        name: Name of the run, which is its folder in `checkpoints`; by default that of the corpus.
        resume: Continue a run, exactly as if it had never stopped.
        overwrite: Replace an existing run of the same name (deletes it).
        init_from: A run whose weights a new run starts from.
        epochs, steps, time: How long; seconds or '5m'. At most one.
        warm_restart: With a new plan for a resumed run: the share of the peak at which the
            learning rate restarts; 1 where it is not given.
        size: A network by name: "tiny", "small", "medium" or "large". Without it, what is not among
            the settings is chosen for text, time and machine (`charrnn.training.recipe`).
        log: Loggers by name, as "tensorboard": each writes the events into a folder of its name in
            the run's. A run that is resumed goes on with those that it has.
        settings: Fields of `TextConfig`, `ModelConfig` and `TrainingConfig` by name. A default
            that is "chosen" suits the text, the time and the machine.

    Returns:
        An iterator of events (see `charrnn.runs.events`), which is a context manager too.
        Training goes as far as it is iterated.

    Raises:
        CharrnnError: With a message for the user; nothing is lost or half-written.
    """
    ranks = ranks_of_launcher()  # first, since nobody waits for a rank that fails before
    root, loggers = Path(checkpoints), (log,) if isinstance(log, str) else tuple(log)

    def checked_plan() -> Plan:
        names = [each.name for _, each in Config.fields()]
        refuse_unknown(settings, names, others=signature(train).parameters)
        refuse_unknown_loggers(loggers)
        if resume and (overwrite or init_from is not None):
            why = "does not go together with `overwrite` or `init_from`"
            raise ConfigError(why, {"resume": True}, way_out="leave them out")
        return Plan.of(
            epochs=epochs, steps=steps, seconds=time, warm_restart=warm_restart, size=size
        )

    plan = ranks.agree(checked_plan)
    if ranks.size > 1:
        given = {"resume": resume, "init_from": init_from, "overwrite": overwrite}
        refuse_differences(ranks, ranks.agree(lambda: facts(settings, plan, **given)))
    if resume:
        begin = resume_run(corpus, name, root, settings, plan, ranks)
    else:
        run = ranks.broadcast(lambda: free_run(corpus, name, root, overwrite))
        begin = new_run(corpus, run, init_from, settings, plan, ranks)
    return Training(carry_out(*begin, loggers, ranks))


def new_run(
    corpus: Sequence[PathLike],
    run: Run,
    init_from: PathLike | None,
    settings: Mapping[str, object],
    plan: Plan,
    ranks: Ranks,
) -> tuple[Run, Beginning]:
    """Check what a new run is to learn and how, perhaps from an old run's weights."""
    asked, root = perf_counter(), run.folder.parent
    if plan.warm_restart is not None:
        why = "is only for a run that is resumed"
        way_out = "give `resume`, or a lower `learning_rate`"
        raise ConfigError(why, {"warm_restart": plan.warm_restart}, way_out=way_out)
    old = None
    if init_from is not None:
        if not corpus:
            raise ConfigError("name the text of the new run", {"init_from": None})
        old = ranks.broadcast(lambda: load(find_checkpoint(init_from, root)))
        settings = old.config.inherited(settings)

    def selected() -> Selection:
        config = Config.of(**settings)
        find_optimizer(config.training)
        selection = select(corpus, config.text, leave_out_runs(root))
        refuse_runs(corpus)
        if ranks.size > 1 and any(source.path is None for source in selection.sources):
            raise CorpusError(
                "it reaches one rank alone, and MPICH's mpiexec ends where it is read too slowly",
                where="standard input",
                way_out="write it into a file that all machines have, and name the file",
            )
        return selection

    selection = ranks.agree(selected)
    ranks.begin()
    spent = perf_counter() - asked
    return run, encode_and_begin(run, selection, settings, plan, init_from, old, spent, ranks)


def encode_and_begin(
    run: Run,
    selection: Selection,
    settings: Mapping[str, object],
    plan: Plan,
    init_from: PathLike | None,
    old: Checkpoint | None,
    spent: float,
    ranks: Ranks,
) -> Beginning:
    """Encode the text, start TensorFlow, and begin the run; no error of the text waits for it."""
    begun, config = perf_counter() - spent, ranks.broadcast(lambda: Config.of(**settings))
    yield from announce(selection)
    yield from describe_link(run)
    with staging(run) if ranks.first else nullcontext(run.folder) as staged:
        encoded = ranks.agree(
            lambda: encode(selection, config.text, staged) if ranks.first else None
        )
        yield from describe_import()
        from charrnn.training import begin

        corpus = begin.shared_corpus(ranks, encoded, staged, selection.sources, config.text)
        named = None if init_from is None or old is None else (os.fsdecode(init_from), old)
        session = yield from begin.new(run, corpus, settings, plan, named, begun, ranks)
        session.saver.save(Run(staged))
        if ranks.first:
            settle(run, staged)
    return session


def encode(selection: Selection, config: TextConfig, folder: Path) -> Corpus:
    """Encode a text that is long enough to learn anything from."""
    corpus = encode_corpus(selection.sources, config, folder)
    if corpus.info.length < LEAST_CHARACTERS:
        raise CorpusError(
            f"{corpus.info.length} characters teach nothing",
            where=describe(selection.sources),
            way_out="give a longer text: useful training needs many thousands",
        )
    return corpus


def resume_run(
    corpus: Sequence[PathLike],
    name: str | None,
    root: Path,
    settings: Mapping[str, object],
    plan: Plan,
    ranks: Ranks,
) -> tuple[Run, Beginning]:
    """Find the run that is to go on: the one named, or the corpus's, or the newest."""
    asked = perf_counter()
    run = ranks.broadcast(lambda: run_to_resume(corpus, name, root))
    if plan.size is not None:
        why, way_out = "is only for a new run", "leave it out, or start a run under another `name`"
        raise ConfigError(why, {"size": plan.size}, way_out=way_out)
    if plan.empty and plan.warm_restart is not None:
        why, way_out = "is only for a new plan", "say how long: `time 5m`, `epochs` or `steps`"
        raise ConfigError(why, {"warm_restart": plan.warm_restart}, way_out=way_out)
    paths = () if names_run(corpus, run) else corpus
    ranks.begin()
    spent = perf_counter() - asked

    def start_and_resume() -> Beginning:
        begun = perf_counter() - spent
        yield from describe_import()
        from charrnn.training import begin

        return (yield from begin.resumed(run, paths, settings, plan, begun, ranks))

    return run, start_and_resume()


def free_run(corpus: Sequence[PathLike], name: str | None, root: Path, overwrite: bool) -> Run:
    """The run that is to begin; RunError where there is one that must not be replaced."""
    run = Run(root / plain_name(run_name(corpus) if name is None else name))
    if run.exists and not overwrite:
        raise RunError(
            "there is already a run in this folder",
            where=run.folder,
            way_out="continue it with `resume`, choose another `name`, or delete it with"
            " `overwrite`",
        )
    return run


def run_to_resume(corpus: Sequence[PathLike], name: str | None, root: Path) -> Run:
    if name is not None and not name.strip():
        plain_name(name)
    if not name and corpus:  # a text, or in its place the name of a run
        names = (run_name(corpus), *map(os.fsdecode, corpus[:1]))
        name = next((each for each in names if Run(root / each).exists), names[0])
    return find_run(name or None, root)


def refuse_runs(corpus: Sequence[PathLike]) -> None:
    """Raise CorpusError where the folder of a run is named as a text."""
    for argument in corpus:
        if Run(Path(os.fsdecode(argument))).exists:
            raise CorpusError(
                "is a run, not a text",
                where=os.fsdecode(argument),
                way_out="continue it with `resume`, or name its files one by one",
            )


def names_run(corpus: Sequence[PathLike], run: Run) -> bool:
    """Whether the run is named in place of a corpus, as the other commands take it."""
    named = [os.fsdecode(each) for each in corpus]
    if len(named) != 1:
        return False
    by_name = named[0] == run.name and not Path(run.name).exists()
    return by_name or os.path.realpath(named[0]) == os.path.realpath(run.folder)


def carry_out(
    run: Run, beginning: Beginning, loggers: Sequence[str], ranks: Ranks
) -> Generator[Event, None, None]:
    """Begin a session and carry out its plan; rank 0 holds the run's folder all the while."""
    try:
        with locked_folder(run) if ranks.first else nullcontext():
            session = yield from beginning
            if session is not None and ranks.first:
                step, weights = session.progress.step, session.learner.trainer.weights
                yield from pass_to_loggers(events(session), run, loggers, step, weights)
            elif session is not None:
                yield from events(session)
            ranks.end()
    except BaseException:
        ranks.fail()
        raise


def events(session: "Session") -> Generator[Event, None, None]:
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
            with hold_interrupts():
                event = next(running, None)
            if event is None:
                return
            yield event
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        with hold_interrupts():
            ranks.stop()
            deque(running, maxlen=0)
            ranks.end()
        raise


def steps(session: "Session") -> Generator[Event, None, None]:
    """Step until the plan is carried out or all ranks stop, and after each step do what is due."""
    yield Note("compiling the network")
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
    yield Finished(session.run.folder, session.progress.step, session.progress.best_loss_nats)


def what_is_due(session: "Session") -> Iterator[Event]:
    """Evaluate, save and sample, each if it is due; what is saved includes the evaluation.

    Before that, a plan by time is reviewed, and after an evaluation it may end early.
    """
    yield from session.review()
    if session.validator.due:
        yield session.evaluate()
        yield from over_fitting(session.evaluations, session.config.training.patience)
        yield from session.stop_early()
    if session.saver.due:
        yield session.saver.save()
    if session.sampler.due and session.ranks.first:
        yield session.sampler.sample()
