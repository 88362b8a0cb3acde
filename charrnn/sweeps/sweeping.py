"""`sweep`: many ways to train on one text, as a stream of events.

What is wrong with the arguments is said here, before TensorFlow is imported.
"""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from charrnn.config import Config, Plan
from charrnn.errors import ConfigError, CorpusError, DivergedError
from charrnn.extras import need
from charrnn.runs.run import DEFAULT_ROOT, runs_left_out
from charrnn.sweeps import ranges
from charrnn.sweeps.claim import Claim
from charrnn.sweeps.events import SweepEnded, SweepEvent, TrialEnded
from charrnn.sweeps.folder import SweepFolder, find_sweep, place_of
from charrnn.sweeps.journal import EXTRA, Journal, held
from charrnn.sweeps.plan import EVAL_CHARS, SEEDS, TRIALS, SweepPlan
from charrnn.sweeps.results import Result, ranked
from charrnn.sweeps.runs import Work, train_run
from charrnn.text import corpus as corpora
from charrnn.text.sources import run_name, select
from charrnn.training.optimizers import find_optimizer
from charrnn.training.ranks import launched, ranks_if_joined
from charrnn.training.training import Closing
from charrnn.training.which_run import refuse_runs
from charrnn.types import PathLike

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
        An iterator of events (see `charrnn.sweeps.events`), which is a context manager too.

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
    """Raise ConfigError where a number is below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError("must be at least 1", {name: number})


def fingerprint(corpus: Sequence[PathLike], place: SweepFolder, fixed: Mapping[str, object]) -> str:
    """The fingerprint of the text, by which processes know that they have the same."""
    text = Config.of(**{name: each for name, each in fixed.items() if name != "size"}).text
    sources = select(corpus, text, runs_left_out(place.folder)).sources
    refuse_runs(corpus)
    if any(source.path is None for source in sources):
        raise CorpusError(
            "each run reads the text again",
            where="standard input",
            way_out="write it into a file, and name the file",
        )
    return corpora.fingerprint(sources, text)


def first_seed(plan: SweepPlan) -> int:
    """The seed of each trial's first run."""
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
