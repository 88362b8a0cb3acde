"""What becomes of a run that diverges: it goes back to its last checkpoint, at half the rate."""

from charrnn.errors import DivergedError
from charrnn.runs import checkpoints, history, sample_file
from charrnn.runs.events import RolledBack
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.training.learner import Learner
from charrnn.training.saving import Saver

PATIENCE = 5
"""After this many skipped steps in a row a run has diverged."""
MOST_ROLLBACKS = 3
"""A run that diverges once more after this many rollbacks is given up."""


def diverged(progress: Progress) -> bool:
    """Whether the loss or gradient of the last `PATIENCE` steps was not finite."""
    return progress.skipped_in_a_row >= PATIENCE


def roll_back(run: Run, learner: Learner, saver: Saver) -> RolledBack:
    """Take the learner back to the run's `last` checkpoint, and halve its learning rate.

    The result is saved at once, so that a run interrupted here resumes at the lower rate.
    """
    abandoned = learner.progress
    if abandoned.rollbacks == MOST_ROLLBACKS:
        raise DivergedError(
            f"training diverged {abandoned.rollbacks + 1} times, at ever lower learning rates",
            where=run.folder,
            way_out="start again with a lower `learning_rate` or `clip_norm`",
        )
    with learner.changing():
        learner.restore(learner.ranks.broadcast(lambda: checkpoints.load(run.last)))
        carry_over(abandoned, learner.progress)
        if learner.ranks.first:
            history.truncate(run.history, learner.progress.step)
            sample_file.truncate(run.samples, learner.progress.step)
        saver.save()
    return RolledBack(learner.progress.step, learner.learning_rate)


def carry_over(abandoned: Progress, restored: Progress) -> None:
    """Put into the restored progress what a rollback does not undo, and count the rollback."""
    restored.best_loss_nats = abandoned.best_loss_nats  # `best` is still on disk
    restored.best_step = abandoned.best_step
    restored.elapsed_seconds = abandoned.elapsed_seconds
    restored.skipped_steps = abandoned.skipped_steps
    restored.skipped_in_a_row = 0
    restored.rollbacks = abandoned.rollbacks + 1
    restored.rate_scale /= 2
