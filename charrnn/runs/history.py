"""The files of a run that grow by a line at a time: history.csv and samples.jsonl.

history.csv has a row for each evaluation. samples.jsonl has a line for each text that the model
wrote as training went on: a JSON object, `{"step": 120, "epoch": 0.53, "text": "..."}`, in UTF-8.

Lines are only ever added. A run that goes back to an earlier step, after a crash or when it has
diverged, writes those that follow again: of several lines of a step the last one counts, and no
line counts that stands before one of an earlier step.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from charrnn.checked_json import at_least, from_object, parse
from charrnn.files import append_durably
from charrnn.runs.events import Evaluated, Sampled
from charrnn.runs.progress import Progress

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
LAST_BYTES = 1 << 16
"""A late sample is looked for in so many bytes, so that a long file need not be read."""

Line = TypeVar("Line", dict[str, float | None], "Sample")


@dataclass(frozen=True)
class Sample:
    """A text that was written after so many steps, or passes over the text."""

    step: int
    epoch: float
    text: str


def append_row(path: Path, evaluated: Evaluated, progress: Progress) -> None:
    """Add the row of an evaluation; the means in `progress` are over the steps before it."""
    row = {
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
    write_row(path, row)


def write_row(path: Path, row: Mapping[str, float | None]) -> None:
    """Add a row by column, and the header where there is none yet."""
    is_new = not path.exists() or path.stat().st_size == 0
    append_line(path, encode_rows([*[COLUMNS] * is_new, [row[name] for name in COLUMNS]]))


def append_sample(path: Path, sampled: Sampled, progress: Progress) -> None:
    write_sample(path, Sample(sampled.step, round(progress.epoch, 4), sampled.text))


def write_sample(path: Path, sample: Sample) -> None:
    """Add a sample; a character that UTF-8 does not have is escaped, as JSON does."""
    text = json.dumps(asdict(sample), ensure_ascii=False)
    append_line(path, text.encode("utf-8", "backslashreplace") + b"\n")


def append_line(path: Path, data: bytes) -> None:
    """Add to a file; a line that a kill has cut short stays on a line of its own."""
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, io.SEEK_END)
            data = data if file.read() == b"\n" else b"\n" + data
    append_durably(path, data)


def read_history(data: bytes) -> tuple[list[dict[str, float | None]], bool]:
    """Read the rows that count, numbers by column, and whether every row could be read.

    A spreadsheet may have saved the file: a byte-order mark and other line ends are no harm.
    """
    header, *lines = data.decode("utf-8-sig", "replace").splitlines() or [""]
    if cells(header) != [*COLUMNS]:
        return [], not data
    rows = [row for row in map(cells, lines) if row]
    known = [row for row in rows if len(row) == len(COLUMNS) and STEP.fullmatch(row[0])]
    numbers = [dict(zip(COLUMNS, map(number, row), strict=True)) for row in known]
    return latest(numbers, [int(row[0]) for row in known]), known == rows


def read_samples(data: bytes) -> tuple[list[Sample], bool]:
    """Read the samples that count, and whether every line could be read."""
    lines = [line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    samples = []
    for line in lines:
        try:
            sample = from_object(Sample, parse(line.decode("utf-8")), "sample")
            at_least(0, {"step": sample.step, "epoch": sample.epoch})
            samples.append(sample)
        except ValueError:
            continue
    return latest(samples, [sample.step for sample in samples]), len(samples) == len(lines)


def is_sampled(path: Path, step: int) -> bool:
    """Whether there is a sample of a step, which is one of the last."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        samples, _ = read_samples(file.read())
    return any(sample.step == step for sample in samples)


def latest(lines: Sequence[Line], steps: Sequence[int]) -> list[Line]:
    """The lines that count, from the lines of these steps."""
    counting: list[tuple[int, Line]] = []
    for step, line in zip(steps, lines, strict=True):
        while counting and counting[-1][0] >= step:
            counting.pop()
        counting.append((step, line))
    return [line for _, line in counting]


def cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return [line]


def number(cell: str) -> float | None:
    """The number in a cell; None where there is none, or none that a column can have."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if 0 <= value < LARGEST else None


def encode_rows(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
