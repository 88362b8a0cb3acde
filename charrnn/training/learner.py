"""The learner: network, optimizer, streams, carried state and progress, saved together."""

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from charrnn.config import Config
from charrnn.errors import ConfigError, RankError
from charrnn.files import hold_interrupts
from charrnn.network.weights import add_prefix
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.events import Stepped
from charrnn.runs.progress import Progress
from charrnn.text.batches import Streams, Stretches
from charrnn.text.corpus import Corpus
from charrnn.tf.network import zero_state
from charrnn.training.plan import learning_rate
from charrnn.training.ranks import ALONE, MpiRanks, Ranks
from charrnn.training.step import Outcome, RankTrainer, Trainer
from charrnn.types import State, Tensors


class Learner:
    """Learns the training text one window after another; can be saved and restored at any step.

    It consists of the trainer (network and optimizer), the streams that the training part is
    cut into, the recurrent state carried from window to window, and the progress of the run.
    Where several ranks train together, each learns its own streams, and its snapshots hold the
    states of all.
    """

    def __init__(
        self, corpus: Corpus, config: Config, trainer: Trainer, ranks: Ranks = ALONE
    ) -> None:
        self.config, self.vocabulary, self.trainer = config, corpus.vocabulary, trainer
        self.ranks = ranks
        self.streams = streams_of(corpus, config, trainer.rows)
        self.state = self._zero_state()
        self.progress = Progress()
        self._counted_until = time.perf_counter()
        self.restored_step: int | None = None
        """The step that the learner was last restored to."""
        self.whole = True
        """False while a change is under way; the learner must not be saved then."""

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A change that must not be cut short: Ctrl-C waits for its end."""
        with hold_interrupts():
            self.whole = False
            yield
            self.whole = True

    def change(self, config: Config) -> None:
        """Go on with other rates of dropout and weight decay."""
        with self.changing():
            self.config = config
            self.trainer.change(config)

    @property
    def learning_rate(self) -> float:
        return learning_rate(self.config.training, self.progress)

    def step(self) -> Stepped:
        """Learn from the next window of every stream.

        Each pass starts with a zero state, and so does each stretch (`stretch`): a text that is
        written begins there, and a network that has seen this state only once a pass may never
        find out of it.
        """
        progress, options = self.progress, self.config.training
        self.streams = self.streams.in_pass(progress.step // self.streams.windows)
        characters = self.streams.counted(progress.window)
        filled = characters / (options.batch_size * options.seq_length)
        with self.changing():
            batch, before = self.streams.window(progress.window), self._state_before()
            self.state, outcome = self.trainer.step(
                batch, before, progress.step, self.learning_rate, filled
            )
            progress.step += 1
            count(progress, outcome, filled, options.clip_norm)
        skipped = not outcome.finite
        return Stepped(progress.step, progress.end, outcome.loss_nats, characters, skipped)

    def count_time(self) -> None:
        """Add the seconds since the last call, or since this session began, to the progress."""
        now = time.perf_counter()
        self.progress.elapsed_seconds += now - self._counted_until
        self._counted_until = now

    def reset_sums(self) -> None:
        """Reset the sums of losses, gradient norms and clipped steps, as after each evaluation."""
        progress = self.progress
        progress.loss_sum = progress.norm_sum = 0.0
        progress.counted_steps = progress.clipped_steps = 0
        progress.filled_windows = 0.0

    def snapshot(self) -> Checkpoint:
        """Copy all that is needed to continue bit for bit from here, as `last` holds it.

        Raises:
            RankError: A rank no longer has the weights of rank 0.
        """
        tensors = self.trainer.tensors(self.state)
        states = {name: each for name, each in tensors.items() if name.startswith("state/")}
        own = checksum(tensors, "weights/") if self.ranks.size > 1 else 0
        told = self.ranks.gather((own, states))
        for rank, (weights, _) in enumerate(told):
            if weights != told[0][0]:
                raise RankError(
                    "its weights are no longer those of rank 0: one of them computes wrongly",
                    where=f"rank {rank}",
                    way_out="see that the machines are alike and sound; then `resume`",
                )
        of_all = {name: np.concatenate([each[name] for _, each in told]) for name in states}
        return self._checkpoint(tensors | of_all)

    def weights_snapshot(self) -> Checkpoint:
        """Copy the weights without optimizer and state, as `best` holds them."""
        return self._checkpoint(add_prefix("weights", self.trainer.weights()))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to the step at which the snapshot was taken.

        From weights alone, the optimizer stays as it is and the state starts at zero.
        """
        self.trainer.restore(checkpoint.tensors)
        rows = self.trainer.rows
        states = {name: each[rows] for name, each in checkpoint.part("state").items()}
        self.state = self.trainer.restore_state(states) if states else self._zero_state()
        self.progress = replace(checkpoint.progress)
        self.restored_step = self.progress.step

    def _state_before(self) -> State:
        """The state before the next window: carried on, or zero where a stream starts anew."""
        kept = ~self.streams.begins(self.progress.window)[:, None]
        if not kept.any():
            return self._zero_state()
        if kept.all():
            return self.state
        return tuple(part * kept.astype(np.float32) for part in self.state)

    def _zero_state(self) -> State:
        rows = self.trainer.rows
        return zero_state(self.config.model, rows.stop - rows.start)

    def _checkpoint(self, tensors: Tensors) -> Checkpoint:
        # The progress is copied: the learner's own goes on counting.
        return Checkpoint(self.config, self.vocabulary, replace(self.progress), tensors)


def streams_of(corpus: Corpus, config: Config, rows: slice = slice(None)) -> Streams:
    """Return the streams, or those of these rows, in which a run reads its training part."""
    options, (ids, edges) = config.training, corpus.part("train", config.model.direction)
    sizes = options.batch_size, options.seq_length
    if options.stretch:
        start = corpus.vocabulary.start
        return Stretches(ids, *sizes, options.stretch, start, edges, options.seed, rows)
    return Streams(ids, *sizes, rows=rows)


def learner_of(corpus: Corpus, config: Config, ranks: Ranks) -> Learner:
    """Return a learner that trains alone, or together with other ranks.

    Raises:
        ConfigError: There are more ranks than streams.
    """
    size, streams = corpus.vocabulary.size, config.training.batch_size
    if streams < ranks.size:
        raise ConfigError(
            f"there are {ranks.size} ranks, and each needs a stream at least",
            {"batch_size": streams},
            way_out=f"raise it, or start at most {streams} ranks; a short text has few streams",
        )
    if isinstance(ranks, MpiRanks):
        return Learner(corpus, config, RankTrainer(config, size, ranks), ranks)
    return Learner(corpus, config, Trainer(config, size))


def checksum(tensors: Tensors, prefix: str) -> int:
    """Return the CRC-32 of the tensors whose names begin so, in the order of their names."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].tobytes(), value) if name.startswith(prefix) else value
    return value


def count(progress: Progress, outcome: Outcome, filled: float, clip_norm: float) -> None:
    """Count a step.

    Args:
        progress: Where it is counted.
        outcome: How the step went.
        filled: The targets that counted, as a share of those of a full window.
        clip_norm: Above this norm the gradient was clipped.
    """
    if not outcome.finite:
        progress.skipped_steps += 1
        progress.skipped_in_a_row += 1
        return
    progress.skipped_in_a_row = 0
    progress.counted_steps += 1
    progress.loss_sum += outcome.loss_nats * filled
    progress.filled_windows += filled
    progress.norm_sum += outcome.gradient_norm
    progress.clipped_steps += outcome.gradient_norm > clip_norm
