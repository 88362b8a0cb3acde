"""Events: what training and its plan report. The command line draws them; nothing is printed."""

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Note:
    """Something the user should know."""

    message: str


@dataclass(frozen=True)
class Started:
    """The network is built and the plan is made; steps follow.

    In a plan by time, `end` is a guess, which changes as the steps take more or less time.
    """

    run: Path
    parameters: int
    vocabulary_size: int
    train_characters: int
    step: int
    end: int
    seconds: float | None = None
    """How long the plan is to take, if it is one by time."""
    spent_seconds: float = 0.0
    """How much of that has passed."""


@dataclass(frozen=True)
class Stepped:
    """A step is done. Its loss is in nats per character; a skipped step changed no weight."""

    step: int
    end: int
    loss_nats: float
    characters: int
    skipped: bool = False


@dataclass(frozen=True)
class Evaluated:
    """An evaluation: losses in nats per character, and the learning rate of the next step."""

    step: int
    epoch: float
    train_loss_nats: float | None
    val_loss_nats: float | None
    learning_rate: float
    is_best: bool
    gradient_norm: float | None = None
    """Mean norm of the gradients since the last evaluation, before clipping."""

    @property
    def val_bits_per_char(self) -> float | None:
        return None if self.val_loss_nats is None else self.val_loss_nats / math.log(2)


@dataclass(frozen=True)
class Sampled:
    """A text written with the weights of this step."""

    step: int
    text: str


@dataclass(frozen=True)
class Saved:
    """A `last` checkpoint is on disk."""

    step: int
    path: Path


@dataclass(frozen=True)
class RolledBack:
    """The run diverged and went back to its last checkpoint, at half the learning rate."""

    step: int
    learning_rate: float


@dataclass(frozen=True)
class Stopped:
    """All ranks have stopped after this step and saved, since one of them was stopped or left."""

    step: int


@dataclass(frozen=True)
class Finished:
    """The plan is carried out."""

    run: Path
    step: int
    best_loss_nats: float | None


Event = Note | Started | Stepped | Evaluated | Sampled | Saved | RolledBack | Stopped | Finished
