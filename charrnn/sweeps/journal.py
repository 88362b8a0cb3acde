"""The trials of a sweep in Optuna's journal: a file to which any number of processes append.

There is no server. A process takes a trial while it holds the lock of the sweep, and holds the
trial's own lock for as long as it works on it. The kernel frees both if the process dies. So a
trial that the journal calls running, and whose lock is free, was stopped or killed: the next
process takes it up before any new one.
"""

import math
import os
import statistics
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from charrnn.checked_json import check_object, check_type, parse
from charrnn.errors import CharrnnError, RunError
from charrnn.plugins import need
from charrnn.sweeps.folder import SweepFolder
from charrnn.sweeps.ranges import Range, Varied
from charrnn.sweeps.results import FAILED, FINISHED, PRUNED, STOPPED, TRAINING, Result

STUDY = "sweep"
EXTRA = "sweep"
LOSSES, PARAMETERS, WHY = "losses_nats", "parameters", "why"
"""Attributes of a trial in the journal."""
REPEATS = "repeats"
"""Marks a trial that nobody trains: the sampler drew settings that had been tried."""
CHOSEN = "chosen"
"""Attribute of the study: the settings that the first run chose for all."""
ATTEMPTS = 5
"""How often the sampler may draw settings that have been tried before another one takes over."""
PLAN_STEPS = 100
"""Optuna counts a run's progress in hundredths of its plan."""
FIRST_RUNG, REDUCTION = 11, 3
"""The pruner keeps one trial in three at 11 % of the plan, and again at 33 %."""
PATIENCE_SECONDS = 60.0
"""Taking a trial takes a moment: a process that holds the lock for longer hangs."""


@dataclass
class Claim:
    """A trial that this process alone works on.

    Args:
        study: Optuna's study.
        trial: Optuna's trial.
        lock: The trial's lock, which this process holds.
        settings: The trial's values of the settings that are varied.
        resumed: Whether another process began it.
    """

    study: Any
    trial: Any
    lock: FileLock
    settings: Mapping[str, object]
    resumed: bool

    @property
    def number(self) -> int:
        return int(self.trial.number)

    @property
    def frozen(self) -> Any:
        """Optuna's record of the trial."""
        return self.study.get_trials(deepcopy=False)[self.number]

    @property
    def losses_nats(self) -> dict[int, float]:
        """The lowest validation loss of each run that is done, by seed."""
        return losses_of(self.frozen)

    def note_parameters(self, parameters: int) -> None:
        self.trial.set_user_attr(PARAMETERS, parameters)

    def should_prune(self, share: float, loss_nats: float) -> bool:
        """Report a validation loss; return whether the trial is behind the others.

        Args:
            share: How much of the plan is done. At its end nothing is pruned.
            loss_nats: In nats per character.
        """
        step = int(PLAN_STEPS * share)
        if step >= PLAN_STEPS or step in self.frozen.intermediate_values:
            return False
        self.trial.report(loss_nats, step)
        return bool(self.trial.should_prune())

    def note_loss(self, seed: int, loss_nats: float) -> None:
        losses = {**self.losses_nats, seed: loss_nats}
        self.trial.set_user_attr(LOSSES, {str(each): loss for each, loss in losses.items()})

    def finish(self) -> None:
        self.study.tell(self.trial, statistics.fmean(self.losses_nats.values()))

    def prune(self) -> None:
        self.study.tell(self.trial, state=need("optuna", EXTRA).trial.TrialState.PRUNED)

    def fail(self, why: str) -> None:
        self.trial.set_user_attr(WHY, why)
        self.study.tell(self.trial, state=need("optuna", EXTRA).trial.TrialState.FAIL)


class Journal:
    """The journal in a sweep's folder.

    Args:
        place: The folder.
        varied: What the sweep varies.
        first_seed: The seed of each trial's first run.
        copy: A copy of the file to read in its place.

    Raises:
        MissingPackageError: Optuna is not installed.
        RunError: The file is damaged.
    """

    def __init__(
        self,
        place: SweepFolder,
        varied: Mapping[str, Varied],
        first_seed: int,
        copy: Path | None = None,
    ) -> None:
        self.place, self._varied, self._first_seed = place, varied, first_seed
        self._optuna = need("optuna", EXTRA)
        self._states = self._optuna.trial.TrialState
        verbosity = self._optuna.logging.get_verbosity()
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        try:
            # Asynchronous successive halving (Li et al. 2020).
            pruner = self._optuna.pruners.SuccessiveHalvingPruner(
                min_resource=FIRST_RUNG, reduction_factor=REDUCTION, min_early_stopping_rate=0
            )
            with journal_errors(place.journal):
                self._storage = open_storage(copy or place.journal)
                self._study = self._optuna.create_study(
                    storage=self._storage, pruner=pruner, study_name=STUDY, load_if_exists=True
                )
                for each in self._begun():
                    self.result(each)
        finally:
            self._optuna.logging.set_verbosity(verbosity)

    @contextmanager
    def claim(self, trials: int) -> Iterator[Claim | None]:
        """Take a trial that nobody works on until the block ends; None where none is left.

        Args:
            trials: How many the sweep is to have.
        """
        with hold(self.place.lock_file), journal_errors(self.place.journal):
            claim = self._resume_trial() or self._begin_trial(trials)
        try:
            yield claim
        finally:
            if claim is not None:
                claim.lock.release()

    def _resume_trial(self) -> Claim | None:
        """Take up a trial that was stopped or killed."""
        study = self._storage.get_study_id_from_name(STUDY)
        for number in [each.number for each in self._trials() if self._is_running(each)]:
            lock = FileLock(self.place.trial_lock(number))
            if not acquire_now(lock):
                continue
            if self._is_running(self._trials()[number]):
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(study, number)
                trial = self._optuna.trial.Trial(self._study, trial_id)
                return Claim(self._study, trial, lock, self._draw(trial), resumed=True)
            lock.release()
        return None

    def _begin_trial(self, trials: int) -> Claim | None:
        """Begin a new trial; None where there are enough, or all combinations were tried."""
        tried = [self._settings_of(each) for each in self._begun()]
        combinations = math.prod(each.count for each in self._varied.values())
        if len(tried) >= min(trials, combinations):
            return None
        trial = self._ask(tried, combinations, trials)
        lock = FileLock(self.place.trial_lock(trial.number))
        lock.acquire()
        return Claim(self._study, trial, lock, self._draw(trial), resumed=False)

    def _ask(self, tried: list[dict[str, object]], combinations: float, trials: int) -> Any:
        """Return a trial whose settings have not been tried, if one is found.

        Where the sweep has room for all combinations, they come in a random order. Samplers depend
        on the number of trials before them alone. TPE takes trials in training for bad ones, so
        that processes side by side try different settings.
        """
        samplers, seed = self._optuna.samplers, len(self._trials())
        order: list[Any] = []
        if combinations > trials:
            order = [
                samplers.TPESampler(seed=seed + n, constant_liar=True) for n in range(ATTEMPTS)
            ]
        if combinations < math.inf:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is "experimental"
                order.append(samplers.BruteForceSampler(seed=seed))
        usual = self._study.sampler
        for sampler in order:
            # Only here: at the last combination BruteForceSampler stops the study, which is for
            # `optimize` alone.
            self._study.sampler = sampler
            trial = self._study.ask()
            settings = self._draw(trial)
            self._study.sampler = usual
            if settings not in tried or sampler is order[-1]:
                return trial
            trial.set_user_attr(REPEATS, True)
            self._study.tell(trial, state=self._states.FAIL)
        raise AssertionError

    def _draw(self, trial: Any) -> dict[str, object]:
        """Return a trial's settings; the sampler chooses those that the journal does not have."""
        drawn: dict[str, object] = {}
        for name, varied in self._varied.items():
            if not isinstance(varied, Range):
                value = trial.suggest_categorical(name, varied.values)
            elif varied.step:
                low, high = int(varied.low), int(varied.high)
                value = trial.suggest_int(name, low, high, step=varied.step)
            else:
                value = trial.suggest_float(name, varied.low, varied.high, log=varied.logarithmic)
            drawn[name] = varied.shorten(value)
        return drawn

    def _settings_of(self, trial: Any) -> dict[str, object]:
        drawn = trial.params
        return {n: each.shorten(drawn[n]) for n, each in self._varied.items() if n in drawn}

    def _trials(self) -> list[Any]:
        found: list[Any] = self._study.get_trials(deepcopy=False)
        return found

    def _begun(self) -> list[Any]:
        """Return the trials that are or were trained, or are to be taken up."""
        return [each for each in self._trials() if REPEATS not in each.user_attrs]

    def _is_running(self, trial: Any) -> bool:
        return bool(trial.state == self._states.RUNNING)

    @property
    def chosen(self) -> Mapping[str, object]:
        """The settings that the recipe chose for the sweep's first run, for all other runs."""
        found: Mapping[str, object] = self._study.user_attrs.get(CHOSEN, {})
        return found

    def choose(self, settings: Mapping[str, object]) -> None:
        """Let all other runs have these settings, unless some run has chosen before."""
        if CHOSEN not in self._study.user_attrs:
            self._study.set_user_attr(CHOSEN, dict(settings))

    def results(self) -> list[Result]:
        """Return the results of all trials, in the order in which they began."""
        with journal_errors(self.place.journal):
            return [self.result(each) for each in self._begun()]

    def result(self, trial: Any) -> Result:
        """Return the result of Optuna's record of a trial."""
        parameters, why = (trial.user_attrs.get(name) for name in (PARAMETERS, WHY))
        curve = trial.intermediate_values.values()
        return Result(
            trial=trial.number,
            settings=self._settings_of(trial),
            state=self._state_of(trial),
            losses_nats=losses_of(trial) or ({self._first_seed: min(curve)} if curve else {}),
            parameters=None if parameters is None else check_type(int, parameters, PARAMETERS),
            why="" if why is None else check_type(str, why, WHY),
        )

    def _state_of(self, trial: Any) -> str:
        """Return the word for a trial's state."""
        states = self._states
        ended = {states.COMPLETE: FINISHED, states.PRUNED: PRUNED, states.FAIL: FAILED}
        if trial.state in ended:
            return ended[trial.state]
        path = self.place.trial_lock(trial.number)
        if not path.exists():
            return STOPPED
        lock = FileLock(path)
        try:
            if not acquire_now(lock):
                return TRAINING
        except PermissionError:  # a folder that may only be read
            return STOPPED
        lock.release()
        return STOPPED


@contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Turn what Optuna, or what follows from it, makes of a damaged journal into RunErrors."""
    try:
        yield
    except (CharrnnError, OSError):
        raise
    except Exception as error:
        line = first_damaged_line(path)
        what = f"line {line}" if line else f"its lines do not go together ({type(error).__name__})"
        raise RunError(
            f"damaged: {what}",
            where=path,
            way_out="restore it, or start a sweep of another `name`",
        ) from error


def first_damaged_line(path: Path) -> int | None:
    """Return the number of the first line, from 1, that is no operation of a journal."""
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            check_object(parse(line), "the line")["op_code"]
        except (ValueError, KeyError):
            return number
    return None


def losses_of(trial: Any) -> dict[int, float]:
    losses = trial.user_attrs.get(LOSSES, {})
    return {int(seed): check_type(float, loss, LOSSES) for seed, loss in losses.items()}


def open_storage(path: Path) -> Any:
    """Open Optuna's storage in a file.

    Its lock is a file that can be created once only. That works on local disks, on NFS from
    version 3 on and on SMB, where the other lock, a symbolic link, often cannot be made.
    """
    journal = need("optuna.storages.journal", EXTRA)
    lock = journal.JournalFileOpenLock(str(path))
    if path.exists() and path.stat().st_size:
        lock.acquire()
        try:  # A full disk or a kill may leave half a line; lines after it could not be read.
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        finally:
            lock.release()
    backend = journal.JournalFileBackend(str(path), lock_obj=lock)
    return need("optuna", EXTRA).storages.JournalStorage(backend)


@contextmanager
def hold(lock_file: Path) -> Iterator[None]:
    """Hold the lock of a sweep; RunError where another process does not let go of it."""
    lock = FileLock(lock_file, timeout=PATIENCE_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(
            f"another process has held it for {PATIENCE_SECONDS:g} s",
            where=lock_file,
            way_out="end that process, or try again",
        ) from None
    try:
        yield
    finally:
        lock.release()


def acquire_now(lock: FileLock) -> bool:
    """Acquire a lock if it is free; return whether it was."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
