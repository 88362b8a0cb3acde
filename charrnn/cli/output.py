"""What commands print: tables, texts, and streams that may be closed, broken, full or a terminal.

What a command writes to standard output is its result. Where that cannot be written, the error
says that it was standard output, and the command ends.

Standard error only tells a person what happens. Where nobody can read that any more (the stream
is closed, its pipe broken, its disk full) the command continues silently. A training takes hours
and is saved in any case; it must not be lost because a window was closed.
"""

import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import get_terminal_size
from typing import IO, TYPE_CHECKING, Any, TextIO

import click

from charrnn.cli.process import stop_signals
from charrnn.files import name_place
from charrnn.runs.outputs import open_output
from charrnn.runs.summary import Summary

if TYPE_CHECKING:
    from charrnn.sampling.search import Novelty
    from charrnn.sampling.track import Text


ORDERS = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f"  # all ASCII control characters but tab and newline
    "\x80-\x9f"  # the control characters that follow it: \x9b is read as ESC [
    "\u202a-\u202e\u2066-\u2069"  # these turn about the direction of all that follows
    "]"
)
"""The characters that a terminal obeys. Right-to-left letters and marks are not among them."""
STANDARD_OUTPUT = "standard output"
GAP = "  "
MISSING = "-"
UNLIMITED = 1 << 16
UNWATCHED = 64
"""Characters between flushes where no terminal is watched."""


def escape_controls(text: str) -> str:
    r"""The text with each control character as it is written in JSON: \u001b for ESC."""
    return ORDERS.sub(lambda match: escape_character(match[0]), text)


def escape_unprintable(name: str) -> str:
    r"""A name for a table: every character that is not printed is escaped, a line break too."""
    return "".join(each if each.isprintable() else escape_character(each) for each in name)


def escape_character(character: str) -> str:
    r"""A character by its number, as JSON writes it: \u001b for ESC."""
    return f"\\u{ord(character):04x}"


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
            with name_place(STANDARD_OUTPUT):
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
        return super().write(escape_controls(text))


class Drawing:
    """A stream for what draws on the terminal by control characters, such as a progress bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
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
        sys.stdout = rebuild_stream(sys.stdout or nowhere, Result)
        sys.stderr = rebuild_stream(sys.stderr or nowhere, Report)
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


def rebuild_stream(stream: TextIO, kind: type[Result]) -> TextIO:
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


def table(rows: Sequence[Sequence[str]], shrinking: Sequence[int]) -> str:
    """Rows below one another in columns, no line wider than the terminal.

    Args:
        rows: The cells; the first row is the heading. A row may end before the others do: its
            last cell then takes the rest of the line.
        shrinking: The columns that are cut if the line is too long, the first one first.
    """
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    for column in shrinking:
        over = sum(widths) + len(GAP) * (len(widths) - 1) - width()
        widths[column] = max(min(widths[column], 8), widths[column] - max(0, over))
    return "\n".join(map(str.rstrip, (line(row, widths) for row in rows)))


def line(row: Sequence[str], widths: Sequence[int]) -> str:
    """One row; a short one ends in a cell of any width, cut at the terminal's edge."""
    cells = [cut(cell, size).ljust(size) for cell, size in zip(row, widths, strict=False)]
    if len(row) < len(widths):
        cells[-1] = row[-1]
    return cut(GAP.join(cells), width())


def width() -> int:
    """How many characters stand side by side on the terminal; where there is none, all of them."""
    return get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED


def cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: max(0, size - 3)] + "..."


def format_duration(seconds: float) -> str:
    """A time, as `--time` takes it: its two largest units."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def format_time(time: datetime | None) -> str:
    """A point in time where the user lives, to the minute; a file may tell any time."""
    try:
        return MISSING if time is None else f"{time.astimezone():%Y-%m-%d %H:%M}"
    except (OSError, OverflowError, ValueError):
        return MISSING


def shape(summary: Summary) -> str:
    """Layers and units: 2x384, or 512,256."""
    if isinstance(summary.units, tuple):
        return ",".join(map(str, summary.units))
    return f"{summary.layers}x{summary.units}"


def corpus_name(summary: Summary) -> str:
    name = summary.text_name
    return MISSING if name is None else escape_unprintable(name)


def format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ",".join(map(format_value, value)) or MISSING
    return MISSING if value is None else escape_unprintable(str(value))


class Page:
    """Where texts go: standard output, or a file that is opened when the first text is there."""

    def __init__(self, path: Path | None, raw: bool = False) -> None:
        self._path, self._raw = path, raw
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None or self._path is None:
            self.flush()
            return
        with name_place(self._path):
            self._file.close()

    def write(self, text: str) -> None:
        """Write, which need not show yet; with `raw`, a character is a byte."""
        if self._path is None and not self._raw:
            sys.stdout.write(text)
            return
        if self._file is None:
            self._file = sys.stdout.buffer if self._path is None else open_output(self._path)
        with name_place(self._path or STANDARD_OUTPUT):
            self._file.write(text.encode("latin-1" if self._raw else "utf-8", "surrogateescape"))

    def flush(self) -> None:
        with name_place(self._path or STANDARD_OUTPUT):
            (self._file or sys.stdout).flush()

    def in_its_characters(self, text: str) -> str:
        return text.encode("utf-8", "surrogateescape").decode("latin-1") if self._raw else text

    @property
    def line_end(self) -> str:
        """What comes after a text that stands alone: nothing is added to bytes."""
        return "" if self._raw else "\n"

    @property
    def watched(self) -> bool:
        return self._path is None and sys.stdout.isatty()


def print_stream(page: Page, before: str, writing: Iterable[list[str]]) -> str:
    """Print the text as it comes, on a terminal character by character; Ctrl-C ends it.

    Returns:
        The end of the text.
    """
    end = ""
    page.write(before)
    with stop_signals() as received:
        for number, (piece,) in enumerate(writing):
            page.write(piece)
            end = (end + piece)[-UNWATCHED * 4 :]
            if page.watched or number % UNWATCHED == 0:
                page.flush()
            if received:
                break
    page.write(page.line_end)
    if received:
        page.flush()
        sys.exit(128 + received[0])
    return end


@dataclass(frozen=True)
class Layout:
    """How whole texts look."""

    as_json: bool
    """A line of JSON for each, and nothing else."""
    between: str
    """What stands between two texts."""
    headings: bool
    """Whether each of several texts has a line that numbers it, and only a line's end between."""
    prompt_last: bool
    """Whether a text is read before the prompt, not after it."""


def print_texts(
    page: Page,
    prompt: str,
    texts: "Iterable[Text]",
    count: int,
    novelty: "Callable[[Text], Novelty] | None",
    layout: Layout,
) -> "Iterator[Text]":
    """Whole texts, one after the other, `count` in all; each is yielded when it is written."""
    headings = layout.headings and count > 1
    for number, text in enumerate(texts, 1):
        found = novelty(text) if novelty else None
        if layout.as_json:
            page.write(json.dumps(facts(prompt, text, found), ensure_ascii=False) + "\n")
        else:
            heading = f"--- {number} ---\n" if headings else ""
            whole = text.text + prompt if layout.prompt_last else prompt + text.text
            between = "\n" if headings else layout.between
            page.write(f"{heading}{whole}{page.line_end if number == count else between}")
        page.flush()
        if found is not None and not layout.as_json:
            click.echo(describe(found), err=True)
        yield text


def facts(prompt: str, text: "Text", found: "Novelty | None") -> dict[str, object]:
    """What --json tells of a text."""
    told = {
        "prompt": prompt,
        "text": text.text,
        "seed": text.seed,
        "number": text.number + 1,
        "characters": text.characters,
        "log_probability": text.log_probability,
        "bits_per_char": text.bits_per_char,
        "complete": text.complete,
    }
    if found is not None:
        told |= {"longest_copy": found.longest, "copied_share": found.copied_share}
    return told


def describe(found: "Novelty") -> str:
    """A novelty in words."""
    return (
        f"copied from the training text: {found.copied_share:.0%} of its stretches of 20"
        f" characters; the longest copy has {len(found.longest)}: {found.longest!r}"
    )
