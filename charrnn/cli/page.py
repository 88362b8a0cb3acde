"""Where sampled texts go, and how they look there."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from charrnn.cli.signals import stop_signals
from charrnn.cli.streams import STANDARD_OUTPUT
from charrnn.files import placed
from charrnn.runs.outputs import open_output

if TYPE_CHECKING:
    from charrnn.sampling.novelty import Novelty
    from charrnn.sampling.track import Text

UNWATCHED = 64
"""Characters between flushes where no terminal is watched."""


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
        with placed(self._path):
            self._file.close()

    def write(self, text: str) -> None:
        """Write, which need not show yet; with `raw`, a character is a byte."""
        if self._path is None and not self._raw:
            sys.stdout.write(text)
            return
        if self._file is None:
            self._file = sys.stdout.buffer if self._path is None else open_output(self._path)
        with placed(self._path or STANDARD_OUTPUT):
            self._file.write(text.encode("latin-1" if self._raw else "utf-8", "surrogateescape"))

    def flush(self) -> None:
        """Show what is written."""
        with placed(self._path or STANDARD_OUTPUT):
            (self._file or sys.stdout).flush()

    def in_its_characters(self, text: str) -> str:
        """A text as `write` takes it: with `raw`, its bytes in UTF-8."""
        return text.encode("utf-8", "surrogateescape").decode("latin-1") if self._raw else text

    @property
    def line_end(self) -> str:
        """What comes after a text that stands alone: nothing is added to bytes."""
        return "" if self._raw else "\n"

    @property
    def watched(self) -> bool:
        """Whether somebody sees each character come."""
        return self._path is None and sys.stdout.isatty()


def print_stream(page: Page, before: str, writing: Iterable[list[str]]) -> None:
    """The text as it comes, on a terminal character by character; Ctrl-C ends it."""
    page.write(before)
    with stop_signals() as received:
        for number, (piece,) in enumerate(writing):
            page.write(piece)
            if page.watched or number % UNWATCHED == 0:
                page.flush()
            if received:
                break
    page.write(page.line_end)
    if received:
        page.flush()
        sys.exit(128 + received[0])


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
