"""What a sweep tells whoever runs it, beside the events of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from charrnn.runs.events import Event
from charrnn.sweeps.results import Result


@dataclass(frozen=True)
class TrialStarted:
    """A run of a trial begins or goes on; the events of its training follow."""

    trial: int
    run: Path
    seed: int
    settings: Mapping[str, object]
    """What this trial has of the settings that are varied."""
    resumed: bool
    """Whether a process began the run that was stopped or killed."""


@dataclass(frozen=True)
class TrialEnded:
    """A trial is carried out, pruned, or has failed."""

    result: Result


@dataclass(frozen=True)
class SweepEnded:
    """No trial is left for this process: here is what has come of all, the best first.

    Some of them may still be in training by other processes.
    """

    folder: Path
    results: tuple[Result, ...]


SweepEvent = Event | TrialStarted | TrialEnded | SweepEnded
