"""How far a run has come: what its checkpoints tell of it, and its training counts."""

from dataclasses import asdict, dataclass

from charrnn.checked_json import at_least, from_object

POSITIVE = ("windows", "eval_every", "checkpoint_every", "ranks")
"""Fields of `Progress` that are 1 at the least; no other is below 0."""


@dataclass
class Progress:
    """How far a run has come. `step` counts the steps done, so the next one has that number."""

    step: int = 0
    start: int = 0
    """The step at which the present plan begins."""
    end: int = 0
    """The step at which the present plan ends."""
    decay_from: int | None = None
    """The step at which a plan by time last changed its end; None where it never did."""
    decayed: float = 0.0
    """The share of the learning rate's decay that was done by then."""
    windows: int = 1
    """Steps in an epoch: each learns from one window of every stream."""
    eval_every: int = 1
    """Steps from one evaluation to the next."""
    sample_every: int = 0
    """Steps from one sample to the next; 0 means no samples."""
    checkpoint_every: int = 1
    """Steps from one `last` checkpoint to the next."""
    evaluated_step: int = 0
    """The step of the last evaluation."""
    best_loss_nats: float | None = None
    """The lowest validation loss, in nats per character; None before the first."""
    best_step: int | None = None
    """The step at which the `best` checkpoint was written."""
    stale_evaluations: int = 0
    """How many of the latest evaluations of this plan were not lower than the lowest."""
    rate_scale: float = 1.0
    """The learning rate is multiplied by this; each rollback halves it until the plan ends."""
    rollbacks: int = 0
    """How many times the run diverged and went back to its `last` checkpoint in this plan."""
    skipped_steps: int = 0
    """Steps whose loss or gradient was not finite, so that they changed no weight."""
    skipped_in_a_row: int = 0
    """How many of the latest steps were skipped, without a finite one between them."""
    elapsed_seconds: float = 0.0
    """Time that training has taken so far, in all sessions of the run together."""
    machine: str = ""
    """The processor and the libraries that the latest session ran on; "" is not known."""
    ranks: int = 1
    """How many processes trained together in the latest session."""
    loss_sum: float = 0.0
    """Sum of the losses of all finite steps since the last evaluation, in nats per character, each
    times the share of its window that was filled."""
    filled_windows: float = 0.0
    """Sum of these shares: 1 for a full window, less where the streams end in it."""
    norm_sum: float = 0.0
    """Sum of the gradient norms, before clipping, of the same steps."""
    clipped_steps: int = 0
    """How many of the same steps had their gradient clipped."""
    counted_steps: int = 0
    """How many finite steps there were since the last evaluation."""

    @classmethod
    def from_json(cls, data: object) -> "Progress":
        """Read the progress in a checkpoint; ValueError where it cannot be one."""
        progress = from_object(cls, data, "progress")
        at_least(0, {name: each for name, each in asdict(progress).items() if name != "machine"})
        at_least(1, {name: getattr(progress, name) for name in POSITIVE})
        return progress

    def falls_on(self, every: int) -> bool:
        taken = self.step - self.start
        return taken > 0 and taken % every == 0

    @property
    def window(self) -> int:
        """Where the streams stand: the next window of this epoch."""
        return self.step % self.windows

    @property
    def epoch(self) -> float:
        """Passes over the training part."""
        return self.step / self.windows

    @property
    def train_loss_nats(self) -> float | None:
        """Mean loss of the characters learnt since the last evaluation; None where none were."""
        return self.loss_sum / self.filled_windows if self.filled_windows else None

    @property
    def gradient_norm(self) -> float:
        """Mean norm of the gradients of these steps, before clipping; 0 where there are none."""
        return self.norm_sum / max(1, self.counted_steps)

    @property
    def clipped_share(self) -> float:
        """The share of these steps whose gradient was clipped; 0 where there are none."""
        return self.clipped_steps / max(1, self.counted_steps)

    @property
    def finished(self) -> bool:
        """Whether the plan's last step is done; one that was skipped is not the last."""
        return self.step >= self.end and not self.skipped_in_a_row

    @property
    def complete(self) -> bool:
        """Whether the plan is carried out, with the evaluation at its end."""
        return self.finished and self.evaluated_step == self.step
