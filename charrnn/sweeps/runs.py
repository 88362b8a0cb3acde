"""One run of a trial: trained from its start, or from where a process left it."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charrnn.config import Config
from charrnn.errors import CorpusError
from charrnn.runs.events import Evaluated, Event, Finished, Started, Stepped
from charrnn.runs.run import Run
from charrnn.runs.summary import summarize
from charrnn.sweeps.claim import Claim
from charrnn.sweeps.events import SweepEvent, TrialStarted
from charrnn.sweeps.folder import SweepFolder
from charrnn.sweeps.journal import Journal
from charrnn.sweeps.plan import SweepPlan
from charrnn.sweeps.ranges import SIZES
from charrnn.sweeps.results import run_name
from charrnn.training.loop import train
from charrnn.training.training import Training
from charrnn.types import PathLike


@dataclass(frozen=True)
class Work:
    """What a process needs to train the runs of a sweep."""

    corpus: Sequence[PathLike]
    place: SweepFolder
    plan: SweepPlan
    journal: Journal

    def run(self, trial: int, seed: int) -> Run:
        return Run(self.place.folder / run_name(trial, seed))


def train_run(work: Work, claim: Claim, seed: int) -> Generator[SweepEvent, None, bool]:
    """Carry a run out, or take it to where it is pruned; whether it was, is returned."""
    run, share = work.run(claim.number, seed), Share()
    yield TrialStarted(claim.number, run.folder, seed, claim.settings, run.exists)
    with training(work, claim, seed) as events:
        for event in events:
            yield event
            share.follow(event)
            note(work, claim, seed, event)
            if isinstance(event, Evaluated) and is_behind(claim, seed, share.done, event):
                return True
    return False


class Share:
    """How much of a run's plan is done."""

    def __init__(self) -> None:
        self.done = 0.0

    def follow(self, event: Event) -> None:
        """Take from an event how far the run is."""
        if isinstance(event, (Started, Stepped)):
            self.done = event.step / event.end


def note(work: Work, claim: Claim, seed: int, event: Event) -> None:
    """Write into the journal what an event tells of the trial."""
    if isinstance(event, Started):
        claim.built(event.parameters)
        work.journal.choose(chosen(Run(event.run), open_sizes(work.plan)))
        work.place.share_text(Run(event.run))
    if isinstance(event, Finished):
        if event.best_loss_nats is None:
            raise CorpusError(
                "nothing was validated on, and a sweep compares validation losses",
                where=event.run,
                way_out="give a longer text, or a larger `val_fraction`",
            )
        claim.keep(seed, event.best_loss_nats)


def is_behind(claim: Claim, seed: int, share: float, evaluated: Evaluated) -> bool:
    """Whether the trial is pruned: the validation curve of its first run decides."""
    loss = evaluated.val_loss_nats
    return seed == claim.first_seed and loss is not None and claim.behind(share, loss)


def training(work: Work, claim: Claim, seed: int) -> Training:
    """The run's training, as far as it is not done yet."""
    run = work.run(claim.number, seed)
    where: dict[str, Any] = {"name": run.name, "checkpoints": work.place.folder}
    if run.exists:
        return train(resume=True, **where)
    given = {**taken_over(work, claim, seed), **work.plan.fixed, **claim.settings, "seed": seed}
    settings: dict[str, Any] = {**given, **work.plan.length}
    return train(*work.corpus, **where, **settings)


def taken_over(work: Work, claim: Claim, seed: int) -> Mapping[str, object]:
    """What other runs have of what the recipe chooses.

    All runs of a trial have the same settings but for the seed, and all trials the same size of
    network, even if the machine is busier at one time than at another.
    """
    first = work.run(claim.number, claim.first_seed)
    if seed != claim.first_seed and first.exists:
        return chosen(first, advised())
    return work.journal.chosen


def open_sizes(plan: SweepPlan) -> list[str]:
    """The settings of the network's size that the recipe chooses."""
    given = {**plan.fixed, **plan.varied}
    return [] if "size" in given else [name for name in SIZES if name not in given]


def advised() -> list[str]:
    """The settings that the recipe chooses, where they are not given."""
    return [each.name for _, each in Config.fields() if each.metadata.get("advised")]


def chosen(run: Run, names: Iterable[str]) -> dict[str, object]:
    """Settings of a run by name."""
    groups = summarize(run.checkpoint("last", "best")).config.values()
    return {name: group[name] for group in groups for name in names if name in group}
