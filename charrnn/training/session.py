"""A run in training: one step, evaluation, sample or checkpoint at a time."""

import time
from dataclasses import replace

import numpy as np

from charrnn import checkpoints
from charrnn.checkpoints import Checkpoint, Progress
from charrnn.config import Config, SamplingConfig
from charrnn.errors import DivergedError
from charrnn.evaluation import Evaluator
from charrnn.model.network import zero_state
from charrnn.runs import Run
from charrnn.sampling.instant import InstantNetwork
from charrnn.sampling.writing import Writing
from charrnn.text.corpus import Corpus
from charrnn.text.streams import Streams, directed
from charrnn.training import history
from charrnn.training.events import (
    Evaluated,
    Finished,
    RolledBack,
    Sampled,
    Saved,
    Started,
    Stepped,
)
from charrnn.training.plan import Speed, Workload, median_seconds
from charrnn.training.schedule import learning_rate
from charrnn.training.step import Outcome, State, Trainer

PATIENCE = 5
"""So many steps in a row that are not finite bring the run back to its last checkpoint."""
MOST_ROLLBACKS = 3
SAMPLE = SamplingConfig(length=200, temperature=0.8)


class Session:
    """Everything that training moves: network, optimizer, streams, carried state, progress."""

    def __init__(self, run: Run, corpus: Corpus, config: Config, trainer: Trainer) -> None:
        self.run, self.corpus, self.config, self.trainer = run, corpus, config, trainer
        self.progress = Progress()
        self.state = self._zero_state()
        options = config.training
        train = directed(corpus.train, config.model.direction)
        self.streams = Streams(train, options.batch_size, options.seq_length)
        self._evaluator = Evaluator(trainer.model, config.model, corpus.vocabulary.size)
        self._begin = time.perf_counter()
        self._saved_step: int | None = None

    def _zero_state(self) -> State:
        return zero_state(self.config.model, self.config.training.batch_size)

    # -- Steps ---------------------------------------------------------------------------

    def step(self) -> Stepped | RolledBack:
        """Learn from the next window of every stream."""
        progress = self.progress
        if progress.window == 0:
            self.state = self._zero_state()
        batch = self.streams.window(progress.window)
        rate = learning_rate(self.config.training, progress)
        self.state, outcome = self.trainer.step(batch, self.state, progress.step, rate)
        self._count(outcome)
        if progress.skipped_in_a_row >= PATIENCE:
            return self._roll_back()
        progress.step += 1
        return Stepped(
            progress.step,
            progress.end,
            outcome.loss_nats,
            int(batch.mask.sum()),
            not outcome.finite,
        )

    def _count(self, outcome: Outcome) -> None:
        progress = self.progress
        if not outcome.finite:
            progress.skipped_steps += 1
            progress.skipped_in_a_row += 1
            return
        progress.skipped_in_a_row = 0
        progress.counted_steps += 1
        progress.loss_sum += outcome.loss_nats
        progress.norm_sum += outcome.gradient_norm
        progress.clipped_steps += outcome.gradient_norm > self.config.training.clip_norm

    def _roll_back(self) -> RolledBack:
        skipped, rollbacks = self.progress.skipped_steps, self.progress.rollbacks
        if rollbacks == MOST_ROLLBACKS:
            raise DivergedError(
                f"{self.run.folder}: training diverged {rollbacks + 1} times, at ever lower rates;"
                " start again with a lower --learning-rate or --clip-norm"
            )
        best = self.progress.best_loss_nats, self.progress.best_step
        self.restore(checkpoints.load(self.run.last))
        self.progress.best_loss_nats, self.progress.best_step = best
        self.progress.skipped_steps, self.progress.rollbacks = skipped, rollbacks + 1
        self.progress.skipped_in_a_row = 0
        self.progress.rate_scale /= 2
        history.truncate(self.run.history, self.progress.step)
        self.save()
        return RolledBack(self.progress.step, learning_rate(self.config.training, self.progress))

    # -- Evaluation and samples ----------------------------------------------------------

    @property
    def evaluation_due(self) -> bool:
        """Whether this step ends with an evaluation that has not been made."""
        progress = self.progress
        due = progress.finished or progress.step % progress.eval_every == 0
        return due and progress.evaluated_step != progress.step

    @property
    def validation(self) -> np.ndarray:
        """The ids that evaluations score: the same characters in both directions."""
        ids = self.corpus.validation[: self.config.training.eval_chars or None]
        return directed(ids, self.config.model.direction)

    def validate(self) -> float | None:
        """Validation loss in nats per character; None where no part validates."""
        ids = self.validation
        return self._evaluator.score(ids).nats_per_char if len(ids) > 1 else None

    def evaluate(self) -> Evaluated:
        """Validate, write the history's row, keep the best weights."""
        progress = self.progress
        loss = self.validate()
        best = loss is None or progress.best_loss_nats is None or loss < progress.best_loss_nats
        if best:
            progress.best_loss_nats, progress.best_step = loss, progress.step
        event = self._evaluated(loss, best)
        self._write_history(event)
        progress.evaluated_step = progress.step
        progress.loss_sum = progress.norm_sum = 0.0
        progress.counted_steps = progress.clipped_steps = 0
        if best:
            self._save_best()
        return event

    def _evaluated(self, loss: float | None, best: bool) -> Evaluated:
        progress, counted = self.progress, self.progress.counted_steps
        train_loss = progress.loss_sum / counted if counted else None
        rate = learning_rate(self.config.training, progress)
        return Evaluated(progress.step, progress.epoch, train_loss, loss, rate, best)

    def _write_history(self, event: Evaluated) -> None:
        progress, counted = self.progress, max(1, self.progress.counted_steps)
        self._take_time()
        history.append(
            self.run.history,
            {
                "step": event.step,
                "epoch": round(event.epoch, 4),
                "train_loss_nats": event.train_loss_nats,
                "val_loss_nats": event.val_loss_nats,
                "val_bits_per_char": event.val_bits_per_char,
                "learning_rate": event.learning_rate,
                "gradient_norm": progress.norm_sum / counted,
                "clipped_share": progress.clipped_steps / counted,
                "skipped_steps": progress.skipped_steps,
                "elapsed_seconds": round(progress.elapsed_seconds, 2),
            },
        )

    @property
    def sample_due(self) -> bool:
        """Whether a sample is to be shown at this step."""
        every, step = self.progress.sample_every, self.progress.step
        return every > 0 and step > self.progress.start and step % every == 0

    def sample(self) -> Sampled:
        """A short text from the weights as they are."""
        engine = InstantNetwork(self.config.model, self.trainer.weights())
        backward = self.config.model.direction == "backward"
        writing = Writing(
            engine, self.corpus.vocabulary, SAMPLE, self.progress.step, backward=backward
        )
        return Sampled(self.progress.step, writing.begin().texts()[0].text)

    # -- Checkpoints ---------------------------------------------------------------------

    @property
    def checkpoint_due(self) -> bool:
        """Whether `last` is to be written at this step: never amid steps that are skipped."""
        progress = self.progress
        on_time = progress.step % progress.checkpoint_every == 0 and not progress.skipped_in_a_row
        return (progress.finished or on_time) and progress.step != self._saved_step

    def save(self, run: Run | None = None) -> Saved:
        """Write `last`, with all that going on takes."""
        self._take_time()
        path = (run or self.run).last
        checkpoints.save(path, self.snapshot())
        self._saved_step = self.progress.step
        return Saved(self.progress.step, path)

    def snapshot(self) -> Checkpoint:
        """The present moment."""
        return self._checkpoint(self.trainer.tensors(self.state))

    def _save_best(self) -> None:
        weights = checkpoints.prefixed("weights", self.trainer.weights())
        checkpoints.save(self.run.best, self._checkpoint(weights))

    def _checkpoint(self, tensors: checkpoints.Tensors) -> Checkpoint:
        progress = replace(self.progress)
        return Checkpoint(self.config, self.corpus.vocabulary, progress, tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take everything from a `last` checkpoint."""
        self.trainer.restore(checkpoint.weights, checkpoint.part("optimizer"))
        self.state = self.trainer.restore_state(checkpoint.part("state"))
        self.progress = replace(checkpoint.progress)
        self._saved_step = self.progress.step

    def close(self) -> None:
        """Save what is not saved yet; amid steps that are skipped, the last checkpoint is right."""
        if self._saved_step != self.progress.step and not self.progress.skipped_in_a_row:
            self.save()

    # -- Time ----------------------------------------------------------------------------

    @property
    def workload(self) -> Workload:
        """What a plan for this run reckons with."""
        options = self.config.training
        characters = options.batch_size * options.seq_length
        return Workload(self.streams.windows, characters, len(self.validation), options.eval_every)

    def measure(self, begin: float) -> Speed:
        """How fast steps and evaluations are here; changes nothing. `begin` is when all began."""
        before, window = self.snapshot(), self.streams.window(0)
        step_seconds = median_seconds(lambda: self.trainer.step(window, self.state, 0, 0.0))
        self.restore(before)
        evaluation_seconds = 0.0
        if len(self.validation) > 1:
            probe, windows = self._evaluator.probe(self.validation)
            evaluation_seconds = median_seconds(probe, least_seconds=0) * windows
        return Speed(step_seconds, evaluation_seconds, time.perf_counter() - begin)

    # -- The ends ------------------------------------------------------------------------

    def _take_time(self) -> None:
        now = time.perf_counter()
        self.progress.elapsed_seconds += now - self._begin
        self._begin = now

    def started(self) -> Started:
        """What is about to be trained."""
        return Started(
            self.run.folder,
            self.trainer.model.count_params(),
            self.corpus.vocabulary.size,
            len(self.corpus.train),
            self.progress.step,
            self.progress.end,
        )

    def finished(self) -> Finished:
        """How it ended."""
        return Finished(self.run.folder, self.progress.step, self.progress.best_loss_nats)
