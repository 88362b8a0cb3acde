"""Facts for reading: values in words, and tables that fit the terminal."""

from collections.abc import Sequence
from datetime import datetime
from shutil import get_terminal_size

from charrnn.cli.terminal import in_a_line
from charrnn.runs.summary import Summary

GAP = "  "
MISSING = "-"


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
    """How many characters stand side by side on the terminal."""
    return get_terminal_size().columns


def cut(text: str, size: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= size else text[: max(0, size - 3)] + "..."


def duration(seconds: float) -> str:
    """A time, as `--time` takes it: its two largest units."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def moment(time: datetime | None) -> str:
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
    """The name of the text, in a line."""
    name = summary.text_name
    return MISSING if name is None else in_a_line(name)


def readable(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ",".join(map(readable, value)) or MISSING
    return MISSING if value is None else in_a_line(str(value))
