"""The checkpoints of a run in training: `last`, to resume from, and `best`, to use."""

from charrnn import checkpoints
from charrnn.runs import Run
from charrnn.training.clock import Clock
from charrnn.training.events import Saved
from charrnn.training.learner import Learner


class Saver:
    """Writes the learner's checkpoints into the run's folder."""

    def __init__(self, run: Run, learner: Learner, clock: Clock) -> None:
        self._run, self._learner, self._clock = run, learner, clock
        self._saved_step: int | None = None

    @property
    def due(self) -> bool:
        """Whether to write `last` now: every `checkpoint_every` steps and at the end of the plan.

        A skipped step in mid-plan is not saved: if the run is diverging, `last` must stay at a
        step before that. A step that is saved already is not saved again.
        """
        progress = self._learner.progress
        on_time = progress.step % progress.checkpoint_every == 0 and not progress.skipped_in_a_row
        return (progress.finished or on_time) and progress.step != self._saved_step

    def save(self, run: Run | None = None) -> Saved:
        """Write `last` into the run's folder, or into that of another run."""
        progress, path = self._learner.progress, (run or self._run).last
        self._clock.update(progress)
        checkpoints.save(path, self._learner.snapshot())
        self._saved_step = progress.step
        return Saved(progress.step, path)

    def save_best(self) -> None:
        """Write `best`: the weights as they are."""
        checkpoints.save(self._run.best, self._learner.weights_snapshot())

    def close(self) -> None:
        """Write `last` when training is stopped, unless this step is saved or was skipped."""
        progress = self._learner.progress
        if progress.step != self._saved_step and not progress.skipped_in_a_row:
            self.save()
