"""`sweep`: many ways to train on one text, as a stream of events."""

import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.config import Config, Plan
from charrnn.config.settings import format_setting
from charrnn.errors import ConfigError, CorpusError, DivergedError, RunError
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
    folder_of,
)
from charrnn.sweeps.journal import EXTRA, Claim, Journal, hold
from charrnn.sweeps.ranges import SIZES
from charrnn.sweeps.results import Result, ranked, trial_run_name
from charrnn.text import corpus as corpora
from charrnn.text.sources import run_name, select
from charrnn.training.optimizers import find_optimizer
from charrnn.training.ranks import launched, ranks_if_joined
from charrnn.training.train import Closing, Training, refuse_runs, train
from charrnn.types import PathLike

SUFFIX = "-sweep"


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
    varied, fixed = divide(settings)
    for setting, number in {"trials": trials, "seeds": seeds}.items():
        if number < 1:
            raise ConfigError("must be at least 1", {setting: number})
    length = Plan.of(epochs=epochs, steps=steps, seconds=time).lengths
    need("optuna", EXTRA)
    folder = folder_of(f"{run_name(corpus)}{SUFFIX}" if name is None else name, Path(checkpoints))
    plan = SweepPlan(varied, fixed, length, seeds, fingerprint(corpus, folder, fixed))
    return Sweeping(run_trials(corpus, folder, plan, trials))


def sweep_results(name: PathLike, checkpoints: PathLike = DEFAULT_ROOT) -> tuple[Result, ...]:
    """Return the results of a sweep's trials so far, the best first.

    Raises:
        RunError: There is no such sweep.
        MissingPackageError: Optuna is not installed.
    """
    folder = find_sweep(name, Path(checkpoints))
    plan = folder.read()
    with tempfile.TemporaryDirectory(prefix="charrnn-") as scratch:  # reading writes nothing there
        copy = Path(scratch) / folder.journal.name
        if folder.journal.exists():
            shutil.copyfile(folder.journal, copy)
        return ranked(Journal(folder, plan.varied, plan.first_seed, copy).results())


def divide(settings: Mapping[str, object]) -> tuple[dict[str, ranges.Varied], dict[str, object]]:
    """Return what is varied and what is fixed; ConfigError where that cannot be a sweep."""
    varied, fixed = ranges.divide(settings)
    if not varied:
        way_out = "give a setting a range, as `units 128..512`, or values, as `cell lstm,gru`"
        raise ConfigError("nothing is varied", way_out=way_out)
    ranges.check_each(varied, fixed)
    for optimizer in varied["optimizer"].ends if "optimizer" in varied else ():
        find_optimizer(Config.of(optimizer=optimizer).training)
    if fixed.get("val_fraction") == 0:
        raise ConfigError("a sweep compares validation losses", {"val_fraction": 0.0})
    return varied, {"eval_chars": EVAL_CHARS, **fixed}


def fingerprint(
    corpus: Sequence[PathLike], folder: SweepFolder, fixed: Mapping[str, object]
) -> str:
    """Return the fingerprint of the text, by which processes know that they have the same."""
    text = Config.of(**{name: each for name, each in fixed.items() if name != "size"}).text
    sources = select(corpus, text, leave_out_runs(folder.folder)).sources
    refuse_runs(corpus)
    if any(source.path is None for source in sources):
        raise CorpusError(
            "each run reads the text again",
            where="standard input",
            way_out="write it into a file, and name the file",
        )
    return corpora.fingerprint(sources, text)


def run_trials(
    corpus: Sequence[PathLike], folder: SweepFolder, plan: SweepPlan, trials: int
) -> Generator[SweepEvent, None, None]:
    """Take trial after trial, until there is none left."""
    folder.folder.mkdir(parents=True, exist_ok=True)
    with hold(folder.lock_file):
        folder.write(plan)
        journal = Journal(folder, plan.varied, plan.first_seed)
    while True:
        with journal.claim(trials) as claim:
            if claim is None:
                break
            yield from Trial(corpus, folder, plan, journal, claim).run()
    yield SweepEnded(folder.folder, ranked(journal.results()))


@dataclass(frozen=True)
class Trial:
    """A trial that this process trains: one way to train, with several seeds."""

    corpus: Sequence[PathLike]
    folder: SweepFolder
    plan: SweepPlan
    journal: Journal
    claim: Claim

    def run(self) -> Generator[SweepEvent, None, None]:
        """Train the runs that are not done yet, unless the first one is behind other trials'.

        A trial whose settings do not go together, or that diverges, has failed; any other error
        ends the sweep, and the trial is taken up when that is mended.
        """
        first = self.plan.first_seed
        try:
            for seed in range(first, first + self.plan.seeds):
                if seed not in self.claim.losses_nats and (yield from self._train_run(seed)):
                    self.claim.prune()
                    break
            else:
                self.claim.finish()
        except (ConfigError, DivergedError) as error:
            self.claim.fail(str(error))
        yield TrialEnded(self.journal.result(self.claim.frozen))

    def _run_of(self, seed: int) -> Run:
        return Run(self.folder.folder / trial_run_name(self.claim.number, seed))

    def _train_run(self, seed: int) -> Generator[SweepEvent, None, bool]:
        """Train a run to its end, or until the trial is pruned; return whether it is."""
        run, claim, share = self._run_of(seed), self.claim, 0.0
        yield TrialStarted(claim.number, run.folder, seed, claim.settings, run.exists)
        with self._training(run, seed) as events:
            for event in events:
                yield event
                if isinstance(event, (Started, Stepped)):
                    share = event.step / event.end
                if isinstance(event, Started):
                    claim.note_parameters(event.parameters)
                    self.journal.choose(settings_of(run, self._open_sizes()))
                    self.folder.share_text(run)
                elif isinstance(event, Finished):
                    if event.best_loss_nats is None:
                        raise CorpusError(
                            "nothing was validated on, and a sweep compares validation losses",
                            where=event.run,
                            way_out="give a longer text, or a larger `val_fraction`",
                        )
                    claim.note_loss(seed, event.best_loss_nats)
                elif isinstance(event, Evaluated) and seed == self.plan.first_seed:
                    loss = event.val_loss_nats
                    if loss is not None and claim.should_prune(share, loss):
                        return True
        return False

    def _training(self, run: Run, seed: int) -> Training:
        """Train a run from where it stands.

        All runs of a trial have the same settings but for the seed, and all trials the same size
        of network, even if the machine is busier at one time than at another.
        """
        where: dict[str, Any] = {"name": run.name, "checkpoints": self.folder.folder}
        if run.exists:
            self._refuse_other(run)
            return train(resume=True, **where)
        if fingerprint(self.corpus, self.folder, self.plan.fixed) != self.plan.fingerprint:
            raise CorpusError(
                "the text has changed since the sweep began",
                where=self.folder.folder,
                way_out="restore the text, or start a sweep of another `name`",
            )
        first = self._run_of(self.plan.first_seed)
        chosen = settings_of(first, advised()) if first.exists else self.journal.chosen
        settings = {**chosen, **self.plan.fixed, **self.claim.settings, "seed": seed}
        return train(*self.corpus, **{**settings, **self.plan.length, **where})

    def _refuse_other(self, run: Run) -> None:
        """Raise RunError where a folder has another run than the journal, which may be lost."""
        found = settings_of(run, self.claim.settings)
        for name, value in found.items():
            if value != self.claim.settings[name]:
                raise RunError(
                    f"it has `{name}` {format_setting(value)}, and in the journal this trial has"
                    f" {format_setting(self.claim.settings[name])}",
                    where=run.folder,
                    way_out="restore the sweep's journal, or start a sweep of another `name`",
                )

    def _open_sizes(self) -> list[str]:
        """Return the settings of the network's size that are left to the first run."""
        settled = {**self.plan.fixed, **self.plan.varied}
        return [] if "size" in settled else [name for name in SIZES if name not in settled]


def advised() -> list[str]:
    return [each.name for _, each in Config.fields() if each.metadata.get("advised")]


def settings_of(run: Run, names: Iterable[str]) -> dict[str, object]:
    groups = summarize(run.checkpoint("last", "best")).config.values()
    return {name: group[name] for group in groups for name in names if name in group}
