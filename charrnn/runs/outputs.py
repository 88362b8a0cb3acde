"""Files that a user names to write to: none of ours is lost, and a link or device stays one."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from charrnn.errors import RunError
from charrnn.files import name_place, sync_folder, write_atomically
from charrnn.runs.checkpoints import KEY, LONGEST_HEADER
from charrnn.runs.run import CARD, CONFIG, MODEL, is_kept

STREAM = re.compile(r"/dev/(stdout|stderr|fd/(\d+))")
"""How an open stream is named."""
STANDARD = {"stdout": 1, "stderr": 2}
MARK = f'"{KEY}":"'.encode()
"""How our entry begins in the header of a safetensors file."""
HALF_WRITTEN = ".charrnn-export-"
IN_A_RUN = "is in the folder of a run or sweep, into which only training may write"


def open_output(path: Path) -> IO[bytes]:
    """Open a file, device or pipe for writing; RunError where that would destroy one of ours."""
    check_output(path)
    stream = stream_of(path)
    with name_place(path):
        return path.open("wb") if stream is None else os.fdopen(os.dup(stream), "wb")


def write_output(path: Path, data: bytes) -> None:
    """Write a whole file at once, behind a link if there is one, or send it to a device or pipe.

    Raises:
        RunError: The file is one of ours.
        OSError: The system refuses it; the error names the path.
    """
    check_output(path)
    if not is_device(path):
        write_atomically(resolve_links(path), data)
        return
    with name_place(path), open_output(path) as file:
        file.write(data)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, which is made where it is missing; all of them or none.

    They are moved to their names when the last one is complete.

    Raises:
        RunError: One of them is there already, or the folder belongs to a run.
        OSError: The system refuses it; the error names the path.
    """
    check_folder(path, files)
    folder = resolve_links(path)
    try:
        for left in folder.glob(f"{HALF_WRITTEN}*"):  # by an export that was killed
            shutil.rmtree(left)
        with made(folder), tempfile.TemporaryDirectory(prefix=HALF_WRITTEN, dir=folder) as hidden:
            for name, data in files.items():
                write_atomically(Path(hidden) / name, data)
            for name in files:
                (Path(hidden) / name).rename(folder / name)
            sync_folder(folder)
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder where it is missing; it is gone again if nothing was written to it."""
    new = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


def check_folder(path: Path, names: Iterable[str]) -> None:
    """RunError where the path is no folder to write files of these names into."""
    folder = resolve_links(path)
    if folder.exists() and not folder.is_dir():
        raise output_error(path, "is a file", "name a folder")
    if is_kept(folder) or is_kept(folder.parent):
        raise output_error(path, IN_A_RUN, "name another folder")
    for name in names:
        if os.path.lexists(folder / name):
            raise output_error(path / name, "is there already", "name another folder")


def check_output(path: Path) -> None:
    """RunError where the path leads into a run's own folder, or to a part of a model anywhere."""
    if is_device(path):
        return
    file = resolve_links(path)
    if is_kept(file.parent):
        raise output_error(path, IN_A_RUN)
    if file.is_file() and is_checkpoint(file):
        raise output_error(path, "is a checkpoint")
    if file.is_file() and file.name in (CARD, CONFIG) and is_model(file.parent):
        raise output_error(path, "belongs to a model that was handed on")


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model that was handed on."""
    return (folder / MODEL).is_file() and is_checkpoint(folder / MODEL)


def is_device(path: Path) -> bool:
    """Whether what is written there replaces nothing, as with a device, a pipe or a stream."""
    return stream_of(path) is not None or (path.exists() and not path.is_file())


def stream_of(path: Path) -> int | None:
    """The number of the open stream that the path names, as /dev/stdout does.

    To open it by its name would write over the file behind it, also where that is added to.
    """
    name = STREAM.fullmatch(str(path))
    return None if name is None else STANDARD.get(name[1]) or int(name[2] or 0)


def resolve_links(path: Path) -> Path:
    """The file that a path leads to through all links; it need not be there."""
    file = Path(os.path.realpath(path))
    if file.is_symlink():
        raise output_error(path, "is a link that leads back to itself")
    return file


def output_error(path: Path, why: str, way_out: str = "name another file") -> RunError:
    """The error for a path that is not written to."""
    return RunError(why, where=path, way_out=way_out)


def is_checkpoint(path: Path) -> bool:
    """Whether a file has the form of our checkpoints, of any version, be it damaged or whole."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, LONGEST_HEADER))
    return header.startswith(b"{") and MARK in header


def size_in_words(size: int) -> str:
    """Bytes as people write them."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
