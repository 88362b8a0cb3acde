"""The best weights so far: when others take their place, and what `best` tells of itself."""

import math
from collections.abc import Iterator

from charrnn.errors import CheckpointError
from charrnn.runs.checkpoints import open_weights
from charrnn.runs.events import Note
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run


def improves(loss_nats: float | None, progress: Progress) -> bool:
    """Whether the weights at this step are better than the best ones so far.

    They are if their validation loss is lower; one that is not finite is never best. Without a
    validation text the newest weights count as the best.
    """
    if loss_nats is None:
        return progress.best_step is None or progress.step > progress.best_step
    best = progress.best_loss_nats
    return loss_nats < (math.inf if best is None or math.isnan(best) else best)


def recall(run: Run, progress: Progress) -> Iterator[Note]:
    """Put into the progress of a resumed run what `best` holds, which may be newer than `last`.

    A run that was killed repeats its steps since `last`; an evaluation among them is not to
    replace weights that were better. Where `best` is gone or damaged, it is written anew.
    """
    progress.best_loss_nats = progress.best_step = None
    if not run.best.exists():
        return
    try:
        best = open_weights(run.best).progress
    except CheckpointError as error:
        yield Note(f"{error.where}: {error.why}; the next evaluation replaces it")
        return
    progress.best_loss_nats, progress.best_step = best.best_loss_nats, best.best_step
