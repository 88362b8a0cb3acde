"""`train`: a new run or a resumed one, as a stream of events.

What is wrong with the arguments is said here, before TensorFlow is imported.
"""

import os
import weakref
from collections.abc import Generator, Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Generic, TypeVar

from charrnn.config import GROUPS, Config, Plan
from charrnn.config.settings import documented, refuse_unknown
from charrnn.errors import ConfigError, CorpusError, RunError
from charrnn.runs.checkpoints import load
from charrnn.runs.events import Event
from charrnn.runs.run import DEFAULT_ROOT, Run, find_checkpoint, find_run, plain_name, runs_left_out
from charrnn.text.sources import Selection, run_name, select
from charrnn.training.loggers import refuse_unknown_loggers
from charrnn.training.optimizers import find_optimizer
from charrnn.training.ranks import Ranks, compare, facts, ranks_of_launcher
from charrnn.types import PathLike

Item = TypeVar("Item")
Own = TypeVar("Own", bound="Closing")


class Closing(Generic[Item]):
    """An iterator that ends what it does however it is left, as `Training` does.

    Args:
        events: Does it, and ends it when it is closed.
    """

    def __init__(self, events: Generator[Item, None, None]) -> None:
        self._events = events
        self._close = weakref.finalize(self, events.close)

    def __next__(self) -> Item:
        return next(self._events)

    def __iter__(self) -> Iterator[Item]:
        # The loop alone holds this generator, so that it ends with the loop, even where a
        # variable or a traceback still holds the training.
        try:
            yield from self._events
        finally:
            self.close()

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Save, and give the run's folder free; there are no events after that."""
        self._close()


class Training(Closing[Event]):
    """An iterator of events, which saves however it is left.

    A `for` loop over it closes it when the loop ends, be it by `break`, by an exception in its
    body, or by Ctrl-C in the body or within a step. So do a `with` block, the end of the program,
    and forgetting the object. To continue after that, resume the run. With `next`, training goes
    on step by step, and stays open.

    Args:
        events: Carries the training out, and saves when it is closed.
    """


def free_run(corpus: Sequence[PathLike], name: str | None, root: Path, overwrite: bool) -> Run:
    """The run that is to begin; RunError where there is one already that must not be replaced."""
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
    return find_run(name or (known_name(corpus, root) if corpus else None), root)


def known_name(corpus: Sequence[PathLike], root: Path) -> str:
    """The name of a corpus's run, or what was given where that is a run's name."""
    names = (run_name(corpus), *map(os.fsdecode, corpus[:1]))
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
    size: str | None = None,
    log: str | Sequence[str] = (),
    **settings: object,
) -> Training:
    """Train a model on files, folders or globs, and tell what happens as it happens.

    Leave the loop over it whenever you like: by `break`, an exception, or Ctrl-C. That saves.
    Started several times by MPI's launcher (`mpiexec -n 4 python train.py`), all processes train
    one model together (docs/machines.md): each iterates over the same steps and evaluations.

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

    def checked() -> Plan:
        names = [each.name for _, each in Config.fields()]
        refuse_unknown(settings, names, others=signature(train).parameters)
        refuse_unknown_loggers(loggers)
        if resume and (overwrite or init_from is not None):
            why = "does not go together with `overwrite` or `init_from`"
            raise ConfigError(why, {"resume": True}, way_out="leave them out")
        return Plan.of(
            epochs=epochs, steps=steps, seconds=time, warm_restart=warm_restart, size=size
        )

    plan = ranks.agree(checked)
    if ranks.size > 1:
        given = {"resume": resume, "init_from": init_from, "overwrite": overwrite}
        compare(ranks.gather(ranks.agree(lambda: facts(settings, plan, **given))))
    if resume:
        return resume_run(corpus, name, root, settings, plan, loggers, ranks)
    run = ranks.broadcast(lambda: free_run(corpus, name, root, overwrite))
    return new_run(corpus, run, init_from, settings, plan, loggers, ranks)


def new_run(
    corpus: Sequence[PathLike],
    run: Run,
    init_from: PathLike | None,
    settings: Mapping[str, object],
    plan: Plan,
    loggers: Sequence[str],
    ranks: Ranks,
) -> Training:
    """Training of a run that begins, perhaps from an old run's weights."""
    asked, root = perf_counter(), run.folder.parent
    if plan.warm_restart is not None:
        why = "is only for a run that is resumed"
        way_out = "give `resume`, or a lower `learning_rate`"
        raise ConfigError(why, {"warm_restart": plan.warm_restart}, way_out=way_out)
    if init_from is not None and not corpus:
        raise ConfigError("name the text of the new run", {"init_from": None})
    old = None
    if init_from is not None:
        old = ranks.broadcast(lambda: load(find_checkpoint(init_from, root)))
    if old is not None:
        settings = old.config.inherited(settings)
    selection = ranks.agree(lambda: selected(corpus, settings, root, ranks))
    from charrnn.training import begin, planning

    ranks.begin()
    spent = perf_counter() - asked
    beginning = begin.new(run, selection, settings, plan, old, spent, ranks)
    return Training(planning.in_folder(run, beginning, loggers, ranks))


def selected(
    corpus: Sequence[PathLike], settings: Mapping[str, object], root: Path, ranks: Ranks
) -> Selection:
    """The files of a new run; what is wrong with the settings is refused before they are read."""
    config = Config.of(**settings)
    find_optimizer(config.training)
    selection = select(corpus, config.text, runs_left_out(root))
    refuse_runs(corpus)
    if ranks.size > 1 and any(source.path is None for source in selection.sources):
        raise CorpusError(
            "it reaches one rank alone, and MPICH's mpiexec ends where it is read too slowly",
            where="standard input",
            way_out="write it into a file that all machines have, and name the file",
        )
    return selection


def resume_run(
    corpus: Sequence[PathLike],
    name: str | None,
    root: Path,
    settings: Mapping[str, object],
    plan: Plan,
    loggers: Sequence[str],
    ranks: Ranks,
) -> Training:
    asked = perf_counter()
    run = ranks.broadcast(lambda: run_to_resume(corpus, name, root))
    if plan.size is not None:
        why, way_out = "is only for a new run", "leave it out, or start a run under another `name`"
        raise ConfigError(why, {"size": plan.size}, way_out=way_out)
    if plan.empty and plan.warm_restart is not None:
        why, way_out = "is only for a new plan", "say how long: `time 5m`, `epochs` or `steps`"
        raise ConfigError(why, {"warm_restart": plan.warm_restart}, way_out=way_out)
    paths = () if names_run(corpus, run) else corpus
    from charrnn.training import begin, planning

    ranks.begin()
    spent = perf_counter() - asked
    beginning = begin.resumed(run, paths, settings, plan, spent, ranks)
    return Training(planning.in_folder(run, beginning, loggers, ranks))
