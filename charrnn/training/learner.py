"""The learner: everything that a training step changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from charrnn.checkpoints import Checkpoint
from charrnn.config import Config, TrainingConfig
from charrnn.model.network import zero_state
from charrnn.network.weights import prefixed
from charrnn.progress import Progress
from charrnn.text.corpus import Corpus
from charrnn.text.streams import Streams, directed
from charrnn.text.stretches import Stretches
from charrnn.training.counting import count
from charrnn.training.events import Stepped
from charrnn.training.interrupts import held_back
from charrnn.training.schedule import learning_rate
from charrnn.training.step import Outcome, Trainer
from charrnn.types import State, Tensors

RESETS = 1
"""Keeps the random numbers of the resets apart from others of the same seed and step."""


class Learner:
    """Learns the training text one window after another; can be saved and restored at any step.

    It consists of the trainer (network and optimizer), the streams that the training part is
    cut into, the recurrent state carried from window to window, and the progress of the run.
    """

    def __init__(self, corpus: Corpus, config: Config, trainer: Trainer) -> None:
        ids = directed(corpus.train, config.model.direction)
        self.config, self.vocabulary, self.trainer = config, corpus.vocabulary, trainer
        self.streams = streams_of(ids, config.training, trainer.rows)
        self.state = self._zero_state()
        self.progress = Progress()
        self.whole = True
        """Whether it stands between two changes; where one was cut short, it must not be saved."""

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A change that is not to be cut short: Ctrl-C waits for its end."""
        with held_back():
            self.whole = False
            yield
            self.whole = True

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self.config.training, self.progress)

    def step(self) -> Stepped:
        """Learn from the next window of every stream."""
        progress = self.progress
        characters = self.reading(progress.step).counted(progress.window)
        with self.changing():
            outcome = self.learn(progress.step, progress.window, self.learning_rate)
            self._count(outcome, self._share(characters))
        skipped = not outcome.finite
        return Stepped(progress.step, progress.end, outcome.loss_nats, characters, skipped)

    def learn(self, step: int, window: int, rate: float) -> Outcome:
        """Learn from a window of every stream that is read here.

        Each pass starts with a zero state, and so does each stretch (`stretch`) and, before any
        window, a share of the streams (`state_resets`): a text that is evaluated or written begins
        there, and a network that has seen this state only once a pass may never find out of it.

        Args:
            step: How many steps the run has taken.
            window: The window's number.
            rate: The learning rate.
        """
        streams, before = self.reading(step), self._state_before(step, window)
        batch, filled = streams.window(window), self._share(streams.counted(window))
        self.state, outcome = self.trainer.step(batch, before, step, rate, filled)
        return outcome

    def reading(self, step: int) -> Streams:
        """The streams as they are read in the pass of that step."""
        self.streams = self.streams.in_pass(step // self.streams.windows)
        return self.streams

    def reset_sums(self) -> None:
        """Reset the sums of losses, gradient norms and clipped steps, as after each evaluation."""
        progress = self.progress
        progress.loss_sum = progress.norm_sum = 0.0
        progress.counted_steps = progress.clipped_steps = 0
        progress.filled_windows = 0.0

    def snapshot(self) -> Checkpoint:
        """Copy all that is needed to continue bit for bit from here, as `last` holds it."""
        return self._checkpoint(self.trainer.tensors(self.state))

    def weights_snapshot(self) -> Checkpoint:
        """Copy the weights without optimizer and state, as `best` holds them."""
        return self._checkpoint(prefixed("weights", self.trainer.weights()))

    def begin_with(self, weights: Tensors) -> None:
        """Take these weights, and so does whoever trains together with this one: here nobody."""
        self.trainer.restore(prefixed("weights", weights))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to the step at which the snapshot was taken.

        From weights alone, the optimizer stays as it is and the state starts at zero.
        """
        self.trainer.restore(checkpoint.tensors)
        states = checkpoint.part("state")
        self.state = self.trainer.restore_state(states) if states else self._zero_state()
        self.progress = replace(checkpoint.progress)

    def _state_before(self, step: int, window: int) -> State:
        """The state before a window: carried on, or zero where a stream starts anew."""
        options = self.config.training
        kept = ~self.streams.begins(window)[:, None]
        if not kept.any():
            return self._zero_state()
        if options.state_resets:
            rng = np.random.default_rng([options.seed, step, RESETS])
            drawn = rng.random((options.batch_size, 1))[self.trainer.rows]
            kept &= drawn >= options.state_resets
        return (
            self.state
            if kept.all()
            else tuple(part * kept.astype(np.float32) for part in self.state)
        )

    def _zero_state(self) -> State:
        rows = self.trainer.rows
        return zero_state(self.config.model, rows.stop - rows.start)

    def _share(self, counted: int) -> float:
        """So many targets of a window as a share of those of a full one, over all streams."""
        options = self.config.training
        return counted / (options.batch_size * options.seq_length)

    def _count(self, outcome: Outcome, filled: float) -> None:
        self.progress.step += 1
        count(self.progress, outcome, filled, self.config.training.clip_norm)

    def _checkpoint(self, tensors: Tensors) -> Checkpoint:
        # The progress is copied: the learner's own goes on counting.
        return Checkpoint(self.config, self.vocabulary, replace(self.progress), tensors)


def streams_of(ids: np.ndarray, options: TrainingConfig, rows: slice) -> Streams:
    """The streams in which a run with these settings reads the ids [N] of its training part."""
    sizes = options.batch_size, options.seq_length
    if options.stretch:
        return Stretches(ids, *sizes, options.stretch, options.seed, rows)
    return Streams(ids, *sizes, rows=rows)
