"""Renaming, copying and deleting runs, all within the folder that holds them.

Each becomes true when a folder is renamed. A process that is killed on the way leaves whole runs,
and at most a folder `.aside-…` beside them, which no command takes for a run.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from charrnn.errors import RunError
from charrnn.files import sync_folder
from charrnn.runs.run import (
    DEFAULT_ROOT,
    SWEEP,
    Run,
    find_run,
    places,
    plain_name,
    runs_below,
)
from charrnn.types import PathLike

ASIDE = ".aside-"
HALF_MADE = (".lock", ".staging-*", ".settling", ".*.part")
"""What a run's folder has beside the run: nothing that a copy takes along."""


def rename_run(run: PathLike, name: str, root: Path = DEFAULT_ROOT) -> Run:
    """Give a run another name.

    Args:
        run: Its name, or its path in `root`.
        name: The new name.
        root: The folder that holds the runs.

    Returns:
        The run under its new name.

    Raises:
        RunError: There is no such run in the folder, a process trains it, or the new name is taken.
        ConfigError: The new name is not that of a folder.
    """
    old, new = run_inside(run, root), free_place(name, root)
    with old.locked():
        old.folder.rename(new.folder)
    sync_folder(root)
    return new


def copy_run(run: PathLike, name: str, root: Path = DEFAULT_ROOT) -> Run:
    """Copy a run under another name; the copy can be trained on by itself.

    Arguments, result and errors are those of `rename_run`.
    """
    old, new = run_inside(run, root), free_place(name, root)
    with aside(root) as folder, old.locked():
        copied = folder / new.name
        shutil.copytree(old.folder, copied, ignore=shutil.ignore_patterns(*HALF_MADE))
        copied.rename(new.folder)
    sync_folder(root)
    return new


def delete(name: PathLike, root: Path = DEFAULT_ROOT) -> None:
    """Delete a run with all of its files, or a sweep with all of its runs.

    Errors are those of `rename_run`.
    """
    folder = kept_folder(name, root)
    runs = [Run(folder)] if Run(folder).exists else runs_below(folder)
    with aside(root) as hidden, ExitStack() as locks:
        for run in runs:
            locks.enter_context(run.locked())
        folder.rename(hidden / folder.name)
        sync_folder(root)


def kept_folder(name: PathLike, root: Path) -> Path:
    """The folder in `root` of a run or a sweep; errors are those of `rename_run`."""
    sweeps = [each for each in places(name, root) if (each / SWEEP).exists()]
    folder = sweeps[0] if sweeps else find_run(name, root).folder
    if os.path.realpath(folder) != os.path.join(os.path.realpath(root), folder.name):  # noqa: PTH118
        raise RunError(
            f"does not lie in the folder {root}",
            where=folder,
            way_out="name the folder that holds it with `checkpoints`",
        )
    return folder


def run_inside(name: PathLike, root: Path) -> Run:
    """The run in `root` of a name or path; RunError where it is a sweep's."""
    run = Run(kept_folder(name, root))
    if not run.exists:
        raise RunError("is a sweep, not a run", where=run.folder, way_out="name one of its runs")
    return run


def free_place(name: str, root: Path) -> Run:
    """Where a run of that name would be; RunError where something is there."""
    place = Run(root / plain_name(name))
    if os.path.lexists(place.folder):
        raise RunError("there is one already", where=place.folder, way_out="choose another name")
    return place


@contextmanager
def aside(root: Path) -> Iterator[Path]:
    """A folder in `root` for what is not yet, or no longer, a run; it goes with what it holds."""
    folder = Path(tempfile.mkdtemp(prefix=ASIDE, dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
