"""What must not be cut short: files written whole or not at all, and Ctrl-C that waits."""

import errno
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the path, flush to disk, rename over it."""
    try:
        replace_file(path, data)
        sync_folder(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise


def append_durably(path: Path, data: bytes) -> None:
    """Add the data to the end of a file, which is made where it is missing, and flush to disk."""
    with name_place(path), path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file beside the path and rename it; if that fails, it is gone."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode_for(path))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)  # Ctrl-C may come after the renaming
        raise


@contextmanager
def name_place(place: object) -> Iterator[None]:
    """Name the place in errors of the system that name none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(place)
        raise


def explain(error: OSError, place: object = "", way_out: str = "") -> str:
    """What the system refused and where, in a line; `place` serves where the error names none."""
    where, why, way_out = explain_parts(error, place, way_out)
    return (f"{where}: " if where else "") + why + (f"; {way_out}" if way_out else "")


def explain_parts(error: OSError, place: object, way_out: str) -> tuple[object, str, str]:
    """Where the system refused something, why, and the way out."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        way_out = "free some disk space and try again"
    return error.filename or place, error.strerror or str(error), way_out


def mode_for(path: Path) -> int:
    """The permissions of the file that is there, or else those of a new one."""
    return path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~current_umask()


def current_umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_file(path: Path) -> None:
    """Flush to disk what has been written to a file, wherever that happened."""
    with name_place(path), path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the folder's entries, where the system allows it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with name_place(folder):
                os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt after the block, not within it; a second Ctrl-C raises at once.

    Another thread, or a program that handles SIGINT in its own way, keeps what it has.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if received:
        raise KeyboardInterrupt
