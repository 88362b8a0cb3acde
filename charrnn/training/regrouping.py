"""A run of workers that learnt by themselves, where other workers go on with it."""

from collections.abc import Generator
from dataclasses import replace

from charrnn.checkpoints import Checkpoint
from charrnn.network.weights import below, prefixed
from charrnn.training.counting import add_counts
from charrnn.training.events import Note
from charrnn.training.notes import describe_regrouped
from charrnn.training.outer import Outer
from charrnn.types import Tensors


def regrouped(
    checkpoint: Checkpoint, workers: int, exchange_every: int
) -> Generator[Note, None, Checkpoint]:
    """The checkpoint for so many workers: as it is, where they are those that wrote it.

    Others cannot take each worker's own optimizer over. Where the checkpoint is from between two
    exchanges, that exchange takes place here, so that nothing that was learnt is lost.

    Args:
        checkpoint: Of a run that is resumed.
        workers: How many processes go on with it.
        exchange_every: The steps that each takes by itself between two exchanges.
    """
    local = checkpoint.part("local")
    same = workers == checkpoint.progress.workers and exchange_every > 1
    if not local or same:
        return checkpoint
    weights = below(local, "weights")
    yield from describe_regrouped(bool(weights))
    progress = replace(checkpoint.progress)
    add_counts(progress, local["counts"])
    shared = brought_together(checkpoint, weights) if weights else of_all(checkpoint)
    optimizer = {n: rows[0] for n, rows in below(local, "optimizer").items()}
    own = prefixed("optimizer", optimizer) | prefixed("state", checkpoint.part("state"))
    return replace(checkpoint, progress=progress, tensors=shared | own)


def brought_together(checkpoint: Checkpoint, weights: Tensors) -> Tensors:
    """What all workers share, after an exchange of the weights [W, …] that they had."""
    outers = {
        name: Outer(shared, checkpoint.part("outer")[name]).after(shared - weights[name].mean(0))
        for name, shared in checkpoint.weights.items()
    }
    return prefixed("weights", {name: each.weights for name, each in outers.items()}) | prefixed(
        "outer", {name: each.momentum for name, each in outers.items()}
    )


def of_all(checkpoint: Checkpoint) -> Tensors:
    """What all workers share."""
    return prefixed("weights", checkpoint.weights) | prefixed("outer", checkpoint.part("outer"))
