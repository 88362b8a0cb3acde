"""Standard output and standard error: closed, broken, full, or a terminal.

What a command writes to standard output is its result. Where that cannot be written, the error
says that it was standard output, and the command ends.

Standard error only tells a person what happens. Where nobody can read that any more (the stream
is closed, its pipe broken, its disk full) the command continues silently. A training takes hours
and is saved in any case; it must not be lost because a window was closed.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from charrnn.cli.terminal import visible
from charrnn.files import placed

STANDARD_OUTPUT = "standard output"


class Result(io.RawIOBase):
    """The bytes of standard output. After an error, which names it, nothing more is written."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw, self._failed = raw, False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: Any) -> int | None:
        if self._failed:
            return len(data)
        try:
            with placed(STANDARD_OUTPUT):
                return self._raw.write(data)
        except OSError:
            self._failed = True
            raise


class Report(Result):
    """The bytes of standard error. What cannot be written is dropped."""

    def write(self, data: Any) -> int | None:
        try:
            return self._raw.write(data)
        except OSError:
            return len(data)


class Screen(io.TextIOWrapper):
    """A stream to a terminal, on which control characters are shown and not obeyed."""

    def write(self, text: str) -> int:
        return super().write(visible(text))


class Drawing:
    """A stream for what draws on the terminal by control characters, such as a progress bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text as it is."""
        if isinstance(self._stream, Screen):
            return io.TextIOWrapper.write(self._stream, text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let standard output and standard error behave as this module says, until the block ends."""
    open_closed()
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout = rebuilt(sys.stdout or nowhere, Result)
        sys.stderr = rebuilt(sys.stderr or nowhere, Report)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            sys.stdout, sys.stderr = before


def open_closed() -> None:
    """Open the null device in place of each standard stream that the caller has closed.

    Otherwise the next file that is opened gets the stream's number, and what native code tells
    on standard error is written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def rebuilt(stream: TextIO, kind: type[Result]) -> TextIO:
    """The stream with its bytes going through `kind`; one that is not the system's as it is."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.RawIOBase):
        return stream
    stream.flush()
    text = Screen if raw.isatty() else io.TextIOWrapper
    return text(
        io.BufferedWriter(kind(raw)),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )
