"""Which run is meant: by its name, or by what it learns."""

import os
from collections.abc import Sequence
from pathlib import Path

from charrnn.errors import CorpusError, RunError
from charrnn.runs.run import Run, find_run, plain_name
from charrnn.text.sources import run_name
from charrnn.types import PathLike


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
    """The run that is to go on: the one named, or the corpus's, or the newest."""
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
