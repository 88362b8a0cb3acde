"""history.csv, which has a row for each evaluation."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from charrnn.files import write_atomically
from charrnn.progress import Progress
from charrnn.training.events import Evaluated

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
    """Add a row, and the header where the file is new."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def truncate(path: Path, step: int) -> None:
    """Remove the rows after a step; a run that continues from there writes them again."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if happened(row, step)]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def happened(row: Mapping[str, str | None], step: int) -> bool:
    """Whether the row is whole and not later than the step; a kill can leave half a row."""
    return all(row.get(name) is not None for name in COLUMNS) and int(row["step"] or 0) <= step
