"""One file of a corpus, and its bytes."""

import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from charrnn.errors import CorpusError
from charrnn.text.unpacking import open_bz2, open_gzip, open_xz

OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": open_gzip,
    ".bz2": open_bz2,
    ".xz": open_xz,
}
CHUNK_BYTES = 1 << 16
STREAM_BYTES = 1 << 32
"""What a pipe or a device may send. They need not have an end, and the disk has one."""


@dataclass(frozen=True)
class Source:
    """A file of the corpus, read through .gz, .bz2 and .xz; no path: standard input."""

    path: Path | None

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def location(self) -> str:
        """Where to find it again from another working folder; standard input is `-`."""
        return "-" if self.path is None else str(self.path.absolute())

    @property
    def identity(self) -> object:
        """Equal for two sources if both lead to the same file, by whatever links.

        Files with several hard links are told apart by their numbers, all others by their
        real paths, since some file systems give one number to several files.
        """
        if self.path is None:
            return None
        place = os.path.realpath(self.path)
        try:
            state = Path(place).stat()
        except OSError:
            return place
        return (state.st_dev, state.st_ino) if state.st_nlink > 1 else place

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """The uncompressed bytes; standard input is not ours to close."""
        if self.path is None:
            if sys.stdin is None:  # closed by the caller: `<&-`
                raise CorpusError(
                    "closed",
                    where="standard input",
                    way_out="name a file, or send the text through a pipe",
                )
            return nullcontext(sys.stdin.buffer)
        opener = OPENERS.get(self.path.suffix.lower(), as_it_is)
        return opener(self.path)


def as_it_is(path: Path) -> IO[bytes]:
    """The bytes of a file."""
    return path.open("rb")


def stamp(state: os.stat_result) -> tuple[int, int]:
    """Size and modification time (ns), which tell whether a file has changed."""
    return state.st_size, state.st_mtime_ns


def file_stamp(path: Path) -> tuple[int, int]:
    with refusing(str(path)):
        return stamp(path.stat())


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Turn the system's refusals into CorpusErrors that name the source."""
    try:
        yield
    except OSError as error:
        raise CorpusError(f"cannot be read: {error.strerror or error}", where=name) from error


def chunks(source: Source) -> Iterator[bytes]:
    """The source's bytes; CorpusError where it cannot be opened or is damaged."""
    try:
        with refusing(source.name), source.open() as stream:
            yield from checked(stream, source)
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise CorpusError(f"damaged compressed file ({error})", where=source.name) from error


def checked(stream: IO[bytes], source: Source) -> Iterator[bytes]:
    """The stream's bytes; CorpusError if its file changes meanwhile, or if it has no end."""
    before, total = regular_stamp(stream), 0
    while chunk := stream.read(CHUNK_BYTES):
        total += len(chunk)
        if before is None and total > STREAM_BYTES:
            raise CorpusError(
                f"has not ended after {STREAM_BYTES:,} bytes",
                where=source.name,
                way_out="send only a part of it, or write it to a file and name the file",
            )
        yield chunk
    if regular_stamp(stream) != before:
        raise CorpusError(
            "has changed while charrnn read it",
            where=source.name,
            way_out="try again when nothing writes to it, or copy it first",
        )


def regular_stamp(stream: IO[bytes]) -> tuple[int, int] | None:
    """The stamp of the file behind a stream; None where that is a pipe, a device or nothing."""
    try:
        state = os.fstat(stream.fileno())
    except OSError:
        return None
    return stamp(state) if stat.S_ISREG(state.st_mode) else None
