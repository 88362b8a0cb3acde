"""The folder of a run: locked during training, and as it was before if training cannot begin."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn.errors import RunError
from charrnn.files import explain_parts, sync_file, sync_folder
from charrnn.runs.run import Run
from charrnn.text.corpus import IDS_FILE, INFO_FILE
from charrnn.training.loggers import folder_of, loggers_of

STAGING = ".staging-"
SETTLING = ".settling"


@contextmanager
def locked_folder(run: Run) -> Iterator[None]:
    """Make the run's folder if it is missing, and lock it until the block ends.

    If there is no run in the folder by then, the folders made are removed.
    """
    made = [path for path in (run.folder, *run.folder.parents) if not path.exists()]
    try:
        with folder_errors(run):
            run.folder.mkdir(parents=True, exist_ok=True)
            for folder in made:
                sync_folder(folder.parent)
            with run.locked(way_out="wait for it, or give another `name`"):
                clean_up(run)
                try:
                    yield
                finally:
                    if made and not run.exists:
                        run.lock_file.unlink(missing_ok=True)
    finally:
        remove(made)


@contextmanager
def folder_errors(run: Run) -> Iterator[None]:
    """Turn errors of the operating system in the folder, or above it, into RunErrors."""
    try:
        yield
    except OSError as error:
        place = Path(os.path.abspath(os.fsdecode(error.filename or "")))  # noqa: PTH100
        folder = run.folder.absolute()
        if not error.filename or not (place in folder.parents or folder in (place, *place.parents)):
            raise  # it concerns something else: a connection, another disk
        elsewhere = "choose another folder with `checkpoints`"
        where, why, way_out = explain_parts(error, run.folder, elsewhere)
        raise RunError(why, where=where, way_out=way_out) from error


def clean_up(run: Run) -> None:
    """Complete or remove what a process that was killed here left half-made."""
    if (run.folder / SETTLING).exists():
        complete(run, run.folder / SETTLING)
    for folder in run.folder.glob(f"{STAGING}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in run.folder.glob(".*.part"):
        file.unlink(missing_ok=True)


def remove(made: list[Path]) -> None:
    """Remove the folders that were made, unless something is in them."""
    for folder in made:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextmanager
def staging(run: Run) -> Iterator[Path]:
    """A temporary folder inside the run's, for files that do not replace the run's own yet."""
    folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=run.folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle(run: Run, staged: Path) -> None:
    """Put the staged run in the place of the old one, if there is one.

    The renaming decides that the folder belongs to the new run. If this process is killed after
    it, or the machine loses power, the next one that trains here completes the move; there is a
    checkpoint at every moment. Each step is on disk before the next one begins.
    """
    sync_file(staged / IDS_FILE)  # the other files were written atomically
    sync_folder(staged)
    settling = staged.rename(run.folder / SETTLING)
    sync_folder(run.folder)
    complete(run, settling)


def complete(run: Run, staged: Path) -> None:
    """Move what is still staged, and delete what is left of the old run."""
    for name in (run.last.name, IDS_FILE, INFO_FILE):
        if (staged / name).exists():
            (staged / name).replace(run.folder / name)
    sync_folder(run.folder)
    for old in (run.best, run.history, run.samples):
        old.unlink(missing_ok=True)
    for name in loggers_of(run):
        shutil.rmtree(folder_of(run, name))
    staged.rmdir()
    sync_folder(run.folder)
