"""A trial in the hands of one process, which writes into the journal what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from filelock import FileLock

LOSSES, PARAMETERS, WHY = "losses_nats", "parameters", "why"
"""What the journal notes of a trial, beside Optuna's own."""
WHOLE = 100
"""A run's plan has so many parts; Optuna counts in them how far it has come."""


@dataclass
class Claim:
    """A trial of which nobody else writes.

    Args:
        study: Optuna's study.
        trial: Optuna's trial.
        lock: What is held meanwhile.
        settings: What the trial has of the settings that are varied.
        taken_up: Whether another process began it.
        first_seed: The seed of the run whose validation curve may prune the trial.
    """

    study: Any
    trial: Any
    lock: FileLock
    settings: Mapping[str, object]
    taken_up: bool
    first_seed: int
    _reported: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._reported = set(self.frozen.intermediate_values)

    @property
    def number(self) -> int:
        """The trial's number, from 0."""
        return int(self.trial.number)

    @property
    def frozen(self) -> Any:
        """The trial as it stands in the journal."""
        return self.study.get_trials(deepcopy=False)[self.number]

    @property
    def losses_nats(self) -> dict[int, float]:
        """The lowest validation loss of each run that is carried out, by seed."""
        noted = self.frozen.user_attrs.get(LOSSES, {})
        return {int(seed): loss for seed, loss in noted.items()}

    def built(self, parameters: int) -> None:
        """Note the size of the network."""
        self.trial.set_user_attr(PARAMETERS, parameters)

    def behind(self, share: float, loss_nats: float) -> bool:
        """Note a validation loss, and tell whether the trial is to be pruned.

        Args:
            share: How much of the plan is done. At its end nothing is pruned.
            loss_nats: In nats per character.
        """
        step = int(WHOLE * share)
        if step >= WHOLE or step in self._reported:
            return False
        self._reported.add(step)
        self.trial.report(loss_nats, step)
        return bool(self.trial.should_prune())

    def keep(self, seed: int, loss_nats: float) -> None:
        """Note what came of a run."""
        losses = {**self.losses_nats, seed: loss_nats}
        self.trial.set_user_attr(LOSSES, {str(each): loss for each, loss in losses.items()})

    def finish(self) -> None:
        """The trial is carried out: its value is the mean over the seeds."""
        losses = self.losses_nats.values()
        self.study.tell(self.trial, sum(losses) / len(losses))

    def prune(self) -> None:
        """The trial is behind others and not carried out."""
        self._end("PRUNED")

    def fail(self, why: str) -> None:
        """The trial cannot be carried out."""
        self.trial.set_user_attr(WHY, why)
        self._end("FAIL")

    def _end(self, state: str) -> None:
        from optuna.trial import TrialState

        self.study.tell(self.trial, state=TrialState[state])
