"""`sweep`: many ways to train on one text, as a stream of events.

What is wrong with the arguments is said here, before TensorFlow is imported.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.config import Config, Plan
from charrnn.errors import ConfigError, CorpusError, DivergedError
from charrnn.plugins import need
from charrnn.runs.events import Evaluated, Event, Finished, Started, Stepped
from charrnn.runs.run import DEFAULT_ROOT, Run, leave_out_runs
from charrnn.runs.summary import summarize
from charrnn.sweeps import ranges
from charrnn.sweeps.folder import (
    EVAL_CHARS,
    SEEDS,
    TRIALS,
    SweepFolder,
    SweepPlan,
    find_sweep,
    place_of,
)
from charrnn.sweeps.journal import EXTRA, Claim, Journal, held
from charrnn.sweeps.ranges import SIZES
from charrnn.sweeps.results import Result, ranked, trial_run_name
from charrnn.text import corpus as corpora
from charrnn.text.sources import run_name, select
from charrnn.training.optimizers import find_optimizer
from charrnn.training.ranks import launched, ranks_if_joined
from charrnn.training.train import Closing, Training, refuse_runs, train
from charrnn.types import PathLike


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


@dataclass(frozen=True)
class Work:
    """What a process needs to train the runs of a sweep."""

    corpus: Sequence[PathLike]
    place: SweepFolder
    plan: SweepPlan
    journal: Journal

    def run(self, trial: int, seed: int) -> Run:
        return Run(self.place.folder / trial_run_name(trial, seed))


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
    given = {**plan.fixed, **plan.varied}
    return [] if "size" in given else [name for name in SIZES if name not in given]


def advised() -> list[str]:
    return [each.name for _, each in Config.fields() if each.metadata.get("advised")]


def chosen(run: Run, names: Iterable[str]) -> dict[str, object]:
    groups = summarize(run.checkpoint("last", "best")).config.values()
    return {name: group[name] for group in groups for name in names if name in group}


SUFFIX = "-sweep"


class Sweeping(Closing[SweepEvent]):
    """A sweep in progress, as far as it is iterated; a run in training is saved when it is left."""


def sweep(
    *corpus: PathLike,
    name: str | None = None,
    checkpoints: PathLike = DEFAULT_ROOT,
    trials: int = TRIALS,
    seeds: int = SEEDS,
    epochs: float | None = None,
    steps: int | None = None,
    time: float | str | None = None,
    **settings: object,
) -> Sweeping:
    """Try many ways to train on a text, and tell what happens as it happens.

    Call it with the same arguments in any number of processes, on any number of machines that
    share the folder: they work on one sweep. A trial that was stopped or killed is taken up from
    its checkpoint by the next process.

    Args:
        corpus: Files, folders or globs, as for `train`.
        name: Name of the sweep, which is its folder in `checkpoints`; by default that of the
            corpus, with "-sweep".
        checkpoints: The folder of the runs; those of the sweep lie in the sweep's own.
        trials: How many ways are tried, by all processes and all calls together.
        seeds: How many runs each way has; those that are behind in the first have no others.
        epochs, steps, time: How long each run is trained, as for `train`.
        settings: As for `train`. At least one has a range, as "128..512", or several values, as
            "lstm,gru" or a list. What is not given is chosen as `train` does.

    Returns:
        An iterator of events (see `charrnn.sweeps.sweep`), which is a context manager too.

    Raises:
        CharrnnError: With a message for the user.
    """
    if launched()[1] > 1 or ranks_if_joined() is not None:
        why = "a launcher has started several processes, and a sweep trains each run in one"
        raise ConfigError(why, way_out="start it without mpiexec, in as many terminals as you like")
    varied, fixed = divided(settings)
    refuse_small(trials=trials, seeds=seeds)
    length = Plan.of(epochs=epochs, steps=steps, seconds=time).lengths
    need("optuna", EXTRA)
    place = place_of(f"{run_name(corpus)}{SUFFIX}" if name is None else name, Path(checkpoints))
    plan = SweepPlan(varied, fixed, length, seeds, fingerprint(corpus, place, fixed))
    return Sweeping(course(corpus, place, plan, trials))


def sweep_results(name: PathLike, checkpoints: PathLike = DEFAULT_ROOT) -> tuple[Result, ...]:
    """What has come of a sweep's trials so far, the best first.

    Raises:
        RunError: There is no such sweep.
        MissingPackageError: Optuna is not installed.
    """
    place = find_sweep(name, Path(checkpoints))
    plan = place.read()
    return ranked(Journal(place, plan.varied, first_seed(plan)).results())


def divided(settings: Mapping[str, object]) -> tuple[dict[str, ranges.Varied], dict[str, object]]:
    """What is varied and what is fixed; ConfigError where that cannot be a sweep."""
    varied, fixed = ranges.divide(settings)
    if not varied:
        way_out = "give a setting a range, as `units 128..512`, or values, as `cell lstm,gru`"
        raise ConfigError("nothing is varied", way_out=way_out)
    ranges.check_each(varied, fixed)
    for optimizer in ranges.ends(varied["optimizer"]) if "optimizer" in varied else ():
        find_optimizer(Config.of(optimizer=optimizer).training)
    if fixed.get("val_fraction") == 0:
        raise ConfigError("a sweep compares validation losses", {"val_fraction": 0.0})
    return varied, {"eval_chars": EVAL_CHARS, **fixed}


def refuse_small(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError("must be at least 1", {name: number})


def fingerprint(corpus: Sequence[PathLike], place: SweepFolder, fixed: Mapping[str, object]) -> str:
    """The fingerprint of the text, by which processes know that they have the same."""
    text = Config.of(**{name: each for name, each in fixed.items() if name != "size"}).text
    sources = select(corpus, text, leave_out_runs(place.folder)).sources
    refuse_runs(corpus)
    if any(source.path is None for source in sources):
        raise CorpusError(
            "each run reads the text again",
            where="standard input",
            way_out="write it into a file, and name the file",
        )
    return corpora.fingerprint(sources, text)


def first_seed(plan: SweepPlan) -> int:
    return int(str(plan.fixed.get("seed", 0)))


def course(
    corpus: Sequence[PathLike], place: SweepFolder, plan: SweepPlan, trials: int
) -> Generator[SweepEvent, None, None]:
    """Take trial after trial, until there is none left."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with held(place.lock_file):
        place.settle(plan)
        journal = Journal(place, plan.varied, first_seed(plan))
    work = Work(corpus, place, plan, journal)
    while True:
        with journal.claimed(trials) as claim:
            if claim is None:
                break
            yield from carry_out(work, claim)
    yield SweepEnded(place.folder, ranked(journal.results()))


def carry_out(work: Work, claim: Claim) -> Generator[SweepEvent, None, None]:
    """Train a trial's runs that are not done yet, one after the other.

    A trial whose settings do not go together, or that diverges, has failed; any other error
    ends the sweep, and the trial is taken up when that is mended.
    """
    try:
        yield from train_all(work, claim)
    except (ConfigError, DivergedError) as error:
        claim.fail(str(error))
    yield TrialEnded(work.journal.result(claim.frozen))


def train_all(work: Work, claim: Claim) -> Generator[SweepEvent, None, None]:
    """Train the runs, unless the first one is behind those of other trials."""
    for seed in range(claim.first_seed, claim.first_seed + work.plan.seeds):
        if seed not in claim.losses_nats and (yield from train_run(work, claim, seed)):
            claim.prune()
            return
    claim.finish()
