"""The curves of a run: what its history tells, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.errors import RunError
from charrnn.runs import history
from charrnn.runs.run import Run

Column = list[float | None]
"""A value for each evaluation; None where there is none."""


@dataclass(frozen=True)
class Curves:
    """Losses, learning rates and gradient norms of a run, a value for each evaluation.

    Losses are in nats per character. A training loss is the mean over the steps since the
    evaluation before, and so is a gradient's norm.
    """

    run: Run
    step: Column
    epoch: Column
    elapsed_seconds: Column
    train_loss_nats: Column
    val_loss_nats: Column
    learning_rate: Column
    gradient_norm: Column
    complete: bool
    """Whether the whole history could be read."""

    @property
    def lowest(self) -> int | None:
        """The place of the lowest validation loss; None where nothing was validated on."""
        losses = [(loss, n) for n, loss in enumerate(self.val_loss_nats) if loss is not None]
        return min(losses)[1] if losses else None


COLUMNS = tuple(name for name in Curves.__annotations__ if name in history.COLUMNS)


def read_curves(run: Run) -> Curves:
    """The curves of a run; RunError where it has not been evaluated yet."""
    if not run.history.is_file():
        raise RunError(
            "missing: the run has not been evaluated yet",
            where=run.history,
            way_out="train it until its first evaluation",
        )
    rows, complete = history.read(run.history.read_bytes())
    if not rows:
        raise RunError(
            "has no row that can be read",
            where=run.history,
            way_out="train the run until its next evaluation",
        )
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return Curves(run=run, complete=complete, **columns)


def labels(runs: Sequence[Run]) -> list[str]:
    """A name for each run by which it can be told from the others."""
    names = [run.name for run in runs]
    told = [
        name if names.count(name) == 1 else str(run.folder)
        for name, run in zip(names, runs, strict=True)
    ]
    return [name.encode("utf-8", "replace").decode() for name in told]  # it may be other bytes
