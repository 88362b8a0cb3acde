"""What the page tells of how its models were trained."""

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
"""So many of a run are in the page, at equal distances; a screen shows no more."""
DIGITS = 5
"""Digits of a number in a curve."""
Item = TypeVar("Item")
Facts = dict[str, object]


def describe_runs(checkpoints: Sequence[Path]) -> list[Facts]:
    """The facts, curves and samples of each run; of its text, the name and the size alone.

    Args:
        checkpoints: A checkpoint of each run. What does not lie beside it, is left out: the
            curves are None then, and there are no samples.

    Raises:
        CheckpointError: A checkpoint cannot be read.
    """
    # Where two have one name, the page shows folders: as they were typed, and no more of the path.
    folders = [path.parent if path.parent.name else path.absolute().parent for path in checkpoints]
    names = labels([Run(folder) for folder in folders])
    return [describe_run(path, name) for path, name in zip(checkpoints, names, strict=True)]


def describe_run(checkpoint: Path, name: str) -> Facts:
    """All that the page tells of a run."""
    run = Run(checkpoint.parent)
    summary, curves, samples = summarize(newest(run, checkpoint)), curves_of(run), samples_of(run)
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


def newest(run: Run, checkpoint: Path) -> Path:
    """The run's last checkpoint, which tells how far it has come, or else the one that is shown."""
    return run.last if checkpoint == run.best and run.last.exists() else checkpoint


def curves_of(run: Run) -> Curves | None:
    """The run's curves; None where it has no history."""
    try:
        return read_curves(run)
    except RunError:
        return None


def samples_of(run: Run) -> list[Sample]:
    """What the run wrote as training went on."""
    if not run.samples.is_file():
        return []
    samples, _ = read_samples(run.samples.read_bytes())
    return samples


def network_in_words(summary: Summary) -> str:
    """The network's shape and size, and how much of it was dropped in training."""
    units, dropout = summary.units, float(summary.config["model"]["dropout"])
    layers = f"{summary.layers} layer{'s' if summary.layers > 1 else ''}"
    if isinstance(units, tuple):
        cells = f"{' and '.join(map(str, units))} {summary.cell} cells in turn"
    else:
        cells = f"{units} {summary.cell} cells"
    return f"{layers} of {cells}, {summary.parameters:,} weights, dropout {dropout:g}"


def columns(curves: Curves) -> dict[str, Column]:
    places = kept_places(curves)
    return {name: [rounded(getattr(curves, name)[place]) for place in places] for name in COLUMNS}


def kept_places(curves: Curves) -> list[int]:
    """The evaluations that are shown: the lowest is always one of them."""
    places = thinned(range(len(curves.step)), MOST_EVALUATIONS)
    lowest = [] if curves.lowest is None else [curves.lowest]
    return sorted({*places, *lowest})


def thinned(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items at equal distances, the first and the last included."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def rounded(value: float | None) -> float | None:
    """A number with as many digits as the page shows; a whole one stays as it is."""
    if value is None or value == int(value):
        return value if value is None else int(value)
    return float(f"{value:.{DIGITS}g}")


def advice(curves: Curves) -> str | None:
    """The warning that a network over-fits, where its curves show that."""
    each = zip(curves.step, curves.epoch, curves.train_loss_nats, curves.val_loss_nats, strict=True)
    evaluations = [
        Evaluated(int(step or 0), epoch or 0.0, train, val, 0.0, False)
        for step, epoch, train, val in each
    ]
    return f"{by_heart(evaluations)}." if rising(evaluations) else None
