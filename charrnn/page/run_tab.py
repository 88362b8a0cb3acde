"""`describe_runs`: what a page tells of how its models were trained."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from charrnn.errors import RunError
from charrnn.runs.events import Evaluated
from charrnn.runs.history import Sample, read_samples
from charrnn.runs.plot import COLUMNS, Column, Curves, labels, read_curves
from charrnn.runs.run import Run
from charrnn.runs.summary import Summary, summarize
from charrnn.training.notes import by_heart, rising

MOST_EVALUATIONS = 1000
MOST_SAMPLES = 100
"""A page has at most so many of a run, at equal distances; a screen shows no more."""
DIGITS = 5
"""Significant digits of a number in a curve."""
Item = TypeVar("Item")
Facts = dict[str, object]


def describe_runs(checkpoints: Sequence[Path]) -> list[Facts]:
    """Return the facts, curves and samples of each run; of its text, the name and size alone.

    Args:
        checkpoints: A checkpoint of each run. Files that are missing beside it are left out: the
            curves are None then, and there are no samples.

    Raises:
        CheckpointError: A checkpoint cannot be read.
    """
    # Where two have one name, the page shows folders: as they were typed, and no more of the path.
    folders = [path.parent if path.parent.name else path.absolute().parent for path in checkpoints]
    names = labels([Run(folder) for folder in folders])
    return [describe_run(path, name) for path, name in zip(checkpoints, names, strict=True)]


def describe_run(checkpoint: Path, name: str) -> Facts:
    run = Run(checkpoint.parent)
    # The last checkpoint tells how far the run has come.
    newest = run.last if checkpoint == run.best and run.last.exists() else checkpoint
    summary = summarize(newest)
    samples: list[Sample] = []
    if run.samples.is_file():
        samples, _ = read_samples(run.samples.read_bytes())
    try:
        curves = read_curves(run)
    except RunError:  # it has no history
        curves = None
    return {
        "name": name,
        "network": network_in_words(summary),
        "text": {
            "name": summary.text_name,
            "characters": summary.characters,
            "fingerprint": summary.fingerprint,
        },
        "step": summary.progress.step,
        "epoch": rounded(summary.progress.epoch),
        "elapsed_seconds": rounded(summary.progress.elapsed_seconds),
        "best_loss_nats": rounded(summary.progress.best_loss_nats),
        "version": summary.version,
        "curves": curves and columns(curves),
        "samples": [asdict(each) for each in thinned(samples, MOST_SAMPLES)],
        "samples_kept": len(samples),
        "advice": advice(curves) if curves else None,
    }


def network_in_words(summary: Summary) -> str:
    units, dropout = summary.units, float(summary.config["model"]["dropout"])
    layers = f"{summary.layers} layer{'s' if summary.layers > 1 else ''}"
    if isinstance(units, tuple):
        cells = f"{' and '.join(map(str, units))} {summary.cell} cells in turn"
    else:
        cells = f"{units} {summary.cell} cells"
    return f"{layers} of {cells}, {summary.parameters:,} weights, dropout {dropout:g}"


def columns(curves: Curves) -> dict[str, Column]:
    """Return the curves at the evaluations that are shown, the lowest among them."""
    lowest = [] if curves.lowest is None else [curves.lowest]
    rows = sorted({*thinned(range(len(curves.step)), MOST_EVALUATIONS), *lowest})
    return {name: [rounded(getattr(curves, name)[row]) for row in rows] for name in COLUMNS}


def thinned(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many of the items, at equal distances, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def rounded(value: float | None) -> float | None:
    """Return a number with the digits that the page shows; whole ones keep all."""
    if value is None or value == int(value):
        return value if value is None else int(value)
    return float(f"{value:.{DIGITS}g}")


def advice(curves: Curves) -> str | None:
    """Return a warning where the curves show over-fitting."""
    each = zip(curves.step, curves.epoch, curves.train_loss_nats, curves.val_loss_nats, strict=True)
    evaluations = [
        Evaluated(int(step or 0), epoch or 0.0, train, val, 0.0, False)
        for step, epoch, train, val in each
    ]
    return f"{by_heart(evaluations)}." if rising(evaluations) else None
