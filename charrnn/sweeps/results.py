"""What has come of the trials: the mean over the seeds, and the spread between them."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FINISHED, PRUNED, FAILED = "finished", "pruned", "failed"
TRAINING, STOPPED = "training", "stopped"
ORDER = (FINISHED, TRAINING, STOPPED, PRUNED, FAILED)
"""States of trials as they stand in a table: stopped ones are taken up by the next process."""


@dataclass(frozen=True)
class Result:
    """A trial: one way to train, and what came of it.

    Args:
        trial: Its number.
        settings: What it has of the settings that are varied, by name.
        state: One of `ORDER`.
        losses_nats: The lowest validation loss of each run, by seed, in nats per character. Of a
            run that was not carried out, the lowest by then.
        parameters: The network's weights; None where none was built.
        why: Why it has failed.
    """

    trial: int
    settings: Mapping[str, object]
    state: str
    losses_nats: Mapping[int, float]
    parameters: int | None = None
    why: str = ""

    @property
    def mean_nats(self) -> float | None:
        """Mean over the seeds; None before the first evaluation."""
        return statistics.fmean(self.losses_nats.values()) if self.losses_nats else None

    @property
    def spread_nats(self) -> float | None:
        """Standard deviation between the seeds (of a sample: n - 1); None for fewer than two."""
        return statistics.stdev(self.losses_nats.values()) if len(self.losses_nats) > 1 else None

    @property
    def bits_per_char(self) -> float | None:
        """The mean in bits per character."""
        return None if self.mean_nats is None else self.mean_nats / math.log(2)


def run_name(trial: int, seed: int) -> str:
    """The name of a run in the sweep's folder: 007-seed0."""
    return f"{trial:03d}-seed{seed}"


def ranked(results: Iterable[Result]) -> tuple[Result, ...]:
    """Finished trials first, the best of them at the top; then the others in the same way."""
    return tuple(sorted(results, key=rank))


def rank(result: Result) -> tuple[int, float, int]:
    """What trials are sorted by."""
    mean = math.inf if result.mean_nats is None else result.mean_nats
    return ORDER.index(result.state), mean, result.trial


def best_runs(results: Sequence[Result], most: int) -> list[str]:
    """The names of the best run of each of the best trials, to be compared."""
    finished = [each for each in results if each.state == FINISHED][:most]
    return [run_name(each.trial, lowest(each.losses_nats)) for each in finished]


def lowest(losses_nats: Mapping[int, float]) -> int:
    """The seed with the lowest loss."""
    return min(losses_nats, key=lambda seed: losses_nats[seed])
