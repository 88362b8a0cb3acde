"""What is done beside the steps: samples, checkpoints, validation, and going back."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from charrnn.config import SamplingConfig
from charrnn.errors import CheckpointError, DivergedError
from charrnn.files import hold_interrupts
from charrnn.network.instant import InstantNetwork
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import open_weights
from charrnn.runs.events import Evaluated, Note, RolledBack, Sampled, Saved
from charrnn.runs.history import append_row, append_sample, is_sampled
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.sampling.writing import Writing
from charrnn.text.corpus import Corpus
from charrnn.tf.evaluation import Evaluator
from charrnn.training.learner import Learner

TIMED_WINDOWS = 3
"""So many windows of an evaluation are timed; the first, which is compiled, does not count."""
SAMPLE = SamplingConfig(length=200, temperature=0.8)
PATIENCE = 5
"""After this many skipped steps in a row a run has diverged."""
MOST_ROLLBACKS = 3
"""A run that diverges once more after this many rollbacks is given up."""


class Sampler:
    """Writes texts with the learner's weights at regular steps, and keeps them in the run."""

    def __init__(self, run: Run, learner: Learner) -> None:
        self._run, self._learner = run, learner
        self._sampled: tuple[int, int] | None = None  # rollbacks, step

    @property
    def due(self) -> bool:
        """Whether to sample now: every `sample_every` steps of a plan, and each step once.

        A run is saved before it samples: where it goes on from there, the sample may be written.
        """
        progress, restored = self._learner.progress, self._learner.restored_step
        on_time = progress.sample_every > 0 and progress.falls_on(progress.sample_every)
        if not on_time or self._sampled == (progress.rollbacks, progress.step):
            return False
        return progress.step != restored or not is_sampled(self._run.samples, restored)

    def sample(self) -> Sampled:
        """Write a text with the step as its seed, and a line of the run's samples."""
        learner, step = self._learner, self._learner.progress.step
        config = learner.config.model
        engine = InstantNetwork(config, learner.trainer.weights())
        backward = config.direction == "backward"
        writing = Writing(engine, learner.vocabulary, SAMPLE, step, backward=backward)
        try:
            sampled = Sampled(step, writing.begin().texts()[0].text)
        except CheckpointError:  # it diverges: the next steps find out, and the run goes back
            sampled = Sampled(step, "")
        self._sampled = learner.progress.rollbacks, step
        with hold_interrupts():
            append_sample(self._run.samples, sampled, learner.progress)
        return sampled


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
        checkpoints.save(self._run.best, self._learner.weights_snapshot())

    def close(self) -> None:
        """Write `last` when training is stopped, unless it is saved or its step was skipped.

        A learner that is not whole is not saved either: an error or a second Ctrl-C cut its
        step short.
        """
        skipped = self._learner.progress.skipped_in_a_row
        if self._learner.whole and not skipped and not self.saved:
            with hold_interrupts():
                self.save()


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


class Validator:
    """Evaluates the learner regularly, and saves the weights with the lowest validation loss."""

    def __init__(self, run: Run, corpus: Corpus, learner: Learner, saver: Saver) -> None:
        config = learner.config
        self._corpus, self._direction = corpus, config.model.direction
        self.limit(config.training.eval_chars)
        self.evaluator = Evaluator(learner.trainer.model, config.model, corpus.vocabulary.size)
        self._run, self._learner, self._saver = run, learner, saver

    def limit(self, characters: int) -> None:
        part = self._corpus.part("validation", self._direction, characters or None)
        self.ids, self._edges = part
        """Ids [N], the same characters in both directions; fewer than two validate nothing."""

    @property
    def due(self) -> bool:
        """Whether to evaluate now: every `eval_every` steps and at the plan's end, once."""
        progress = self._learner.progress
        on_time = progress.finished or progress.falls_on(progress.eval_every)
        return on_time and progress.step != progress.evaluated_step

    def evaluate(self) -> Evaluated:
        """Score the validation text, write a row of the history, and save the weights if best."""
        progress, loss = self._learner.progress, self.loss_nats()
        evaluated = Evaluated(
            step=progress.step,
            epoch=progress.epoch,
            train_loss_nats=progress.train_loss_nats,
            val_loss_nats=loss,
            learning_rate=self._learner.learning_rate,
            is_best=improves(loss, progress),
            gradient_norm=progress.gradient_norm,
        )
        with self._learner.changing():
            self._record(evaluated)
        return evaluated

    def loss_nats(self) -> float | None:
        if len(self.ids) < 2:
            return None
        return self.evaluator.score(self.ids, self._edges).nats_per_char

    def seconds_each(self) -> float:
        """Seconds that the evaluation of a character takes; 0 where there is none to evaluate."""
        characters = len(self.ids)
        if characters < 2:
            return 0.0
        score_window, windows = self.evaluator.probe(self.ids, self._edges)
        times = []
        for _ in range(1 + TIMED_WINDOWS):
            begin = time.perf_counter()
            score_window()
            times.append(time.perf_counter() - begin)
        return median(times[1:]) * windows / characters

    def _record(self, evaluated: Evaluated) -> None:
        progress = self._learner.progress
        self._learner.count_time()
        append_row(self._run.history, evaluated, progress)
        self._learner.reset_sums()
        progress.evaluated_step = evaluated.step
        # A run that was killed repeats evaluations up to its best one: they were not stale.
        best_step = progress.step if evaluated.is_best else progress.best_step or 0
        stale = progress.step > best_step
        progress.stale_evaluations = progress.stale_evaluations + 1 if stale else 0
        if evaluated.is_best:
            progress.best_loss_nats, progress.best_step = evaluated.val_loss_nats, evaluated.step
            self._saver.save_best()


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
        learner.progress = restored = replace(
            learner.progress,
            best_loss_nats=abandoned.best_loss_nats,  # `best` is still on disk
            best_step=abandoned.best_step,
            elapsed_seconds=abandoned.elapsed_seconds,
            skipped_steps=abandoned.skipped_steps,
            skipped_in_a_row=0,
            rollbacks=abandoned.rollbacks + 1,
            rate_scale=learner.progress.rate_scale / 2,
        )
        saver.save()
    return RolledBack(restored.step, learner.learning_rate)
