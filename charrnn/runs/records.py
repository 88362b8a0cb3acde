"""Files of a run that grow by a line at a time: what becomes of them where a run continues.

A run that goes back to an earlier step writes the later lines again, so they are removed first.
No line is ever lost: where anything in a file is not understood, the file is kept under another
name, and the new one has the lines that are understood.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from charrnn.files import write_atomically

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
