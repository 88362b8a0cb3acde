"""The checkpoints of a run in training: `last`, to resume from, and `best`, to use."""

from charrnn.runs import checkpoints
from charrnn.runs.events import Saved
from charrnn.runs.run import Run
from charrnn.training.interrupts import held_back
from charrnn.training.learner import Learner


class Saver:
    """Writes the learner's checkpoints into the run's folder."""

    def __init__(self, run: Run, learner: Learner) -> None:
        self._run, self._learner = run, learner
        self._saved: tuple[int, int] | None = None

    @property
    def saved(self) -> bool:
        """Whether `last` holds this step, with its evaluation if there was one."""
        progress = self._learner.progress
        return self._saved == (progress.step, progress.evaluated_step)

    @property
    def due(self) -> bool:
        """Whether to write `last` now: every `checkpoint_every` steps and at the end of the plan.

        A skipped step is not saved: if the run is diverging, `last` must stay at a step before
        that. A step that is saved already is not saved again.
        """
        progress = self._learner.progress
        on_time = progress.finished or progress.falls_on(progress.checkpoint_every)
        return on_time and not progress.skipped_in_a_row and not self.saved

    def save(self, run: Run | None = None) -> Saved:
        """Write `last` into the run's folder, or into that of another run; rank 0 writes."""
        progress, path = self._learner.progress, (run or self._run).last
        self._learner.count_time()
        checkpoint = self._learner.snapshot()
        if self._learner.ranks.first:
            checkpoints.save(path, checkpoint)
        self._saved = progress.step, progress.evaluated_step
        return Saved(progress.step, path)

    def save_best(self) -> None:
        """Write `best`: the weights as they are."""
        checkpoints.save(self._run.best, self._learner.weights_snapshot())

    def close(self) -> None:
        """Write `last` when training is stopped, unless it is saved or its step was skipped.

        A learner that is not whole is not saved either: an error or a second Ctrl-C cut its
        step short.
        """
        skipped = self._learner.progress.skipped_in_a_row
        if self._learner.whole and not skipped and not self.saved:
            with held_back():
                self.save()
