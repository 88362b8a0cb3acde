"""history.csv, which has a row for each evaluation."""

import csv
import io
import itertools
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from charrnn.files import append_durably, write_atomically
from charrnn.runs.events import Evaluated
from charrnn.runs.progress import Progress

Line = TypeVar("Line")


def rewrite(
    path: Path,
    parse: Callable[[bytes], tuple[list[Line], bool]],
    choose: Callable[[list[Line]], bytes],
) -> Path | None:
    """Write a file anew with those of its lines that are chosen.

    Args:
        path: The file; where there is none, none is made.
        parse: From the file's bytes to the lines that are understood, and whether they are all.
        choose: From these lines to the bytes of the new file.

    Returns:
        Where the old file is kept; None where all of it was understood.
    """
    if not os.path.lexists(path):
        return None
    lines, understood = parse(path.read_bytes()) if path.is_file() else ([], False)
    kept = None if understood else put_aside(path)
    write_atomically(path, choose(lines))
    return kept


def before(step: int, lines: Sequence[Line], step_of: Callable[[Line], int]) -> Sequence[Line]:
    """The lines without the last ones that are later than the step."""
    end = len(lines)
    while end and step_of(lines[end - 1]) > step:
        end -= 1
    return lines[:end]


def put_aside(path: Path, stem: str = "") -> Path:
    """Give the file another name, which is free, and return that; `stem` is what it begins with."""
    stem = stem or path.stem
    names = (path.with_name(f"{stem}.kept-{n}{path.suffix}") for n in itertools.count(1))
    return path.rename(next(name for name in names if not os.path.lexists(name)))


COLUMNS = (
    "step",
    "epoch",
    "train_loss_nats",
    "val_loss_nats",
    "val_bits_per_char",
    "learning_rate",
    "gradient_norm",
    "clipped_share",
    "skipped_steps",
    "elapsed_seconds",
)

STEP = re.compile("[0-9]{1,18}")
"""A number of steps; Python makes no integers of thousands of digits."""
LARGEST = 1e100
"""Numbers are smaller, and none is negative: beyond that no curve can be drawn."""
UNDECODED = "surrogateescape"
"""Bytes that are not UTF-8 are written again as they were."""


def row(evaluated: Evaluated, progress: Progress) -> dict[str, float | None]:
    """The row of an evaluation; the means in `progress` are over the steps before it."""
    return {
        "step": evaluated.step,
        "epoch": round(evaluated.epoch, 4),
        "train_loss_nats": evaluated.train_loss_nats,
        "val_loss_nats": evaluated.val_loss_nats,
        "val_bits_per_char": evaluated.val_bits_per_char,
        "learning_rate": evaluated.learning_rate,
        "gradient_norm": progress.gradient_norm,
        "clipped_share": progress.clipped_share,
        "skipped_steps": progress.skipped_steps,
        "elapsed_seconds": round(progress.elapsed_seconds, 2),
    }


def append(path: Path, row: Mapping[str, float | None]) -> None:
    is_new = not path.exists() or path.stat().st_size == 0
    lines = [COLUMNS] if is_new else []
    append_durably(path, encoded([*lines, [row[name] for name in COLUMNS]]))


def truncate(path: Path, step: int) -> Path | None:
    """Remove the last rows, those after a step; a run that continues from there writes them again.

    A spreadsheet may have saved the file: a byte-order mark and other line ends are no harm. No
    row is ever lost (see `charrnn.runs.history`).

    Returns:
        Where the old file is kept; None where all of it was understood.
    """
    return rewrite(
        path, parsed, lambda rows: encoded([COLUMNS, *before(step, rows, lambda row: int(row[0]))])
    )


def parsed(data: bytes) -> tuple[list[list[str]], bool]:
    """The rows that can be understood, and whether that is all that the file holds."""
    text = data.decode("utf-8-sig", UNDECODED)
    reader, lines = csv.reader(io.StringIO(text, newline="")), []
    try:
        lines = [line for line in reader if line]
    except csv.Error:  # a field without end
        return [], False
    if not lines:
        return [], True
    header, *rows = lines
    if rows and not text.endswith(("\n", "\r")) and len(rows[-1]) < len(COLUMNS):
        rows.pop()  # a kill can leave half a row, which is later than any checkpoint
    known = [row for row in rows if is_row(row)] if header == [*COLUMNS] else []
    return known, header == [*COLUMNS] and known == rows


def read(data: bytes) -> tuple[list[dict[str, float | None]], bool]:
    """The numbers in a file's bytes by column, a dictionary for each row; and whether that is all
    that the file holds."""
    rows, understood = parsed(data)
    return [dict(zip(COLUMNS, map(number, row), strict=True)) for row in rows], understood


def number(cell: str) -> float | None:
    """The number in a cell; None where there is none, or none that a column can have."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if 0 <= value < LARGEST else None


def is_row(row: Sequence[str]) -> bool:
    """Whether a line has all columns, and the first is a number of steps."""
    return len(row) == len(COLUMNS) and STEP.fullmatch(row[0]) is not None


def encoded(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", UNDECODED)
