"""The trials of a sweep in Optuna's journal: a file to which any number of processes add.

There is no server. A process takes a trial while it holds the lock of the sweep, and holds the
trial's own lock for as long as it works on it. The kernel frees both if the process dies. So a
trial that the journal calls running, and whose lock is free, was stopped or killed: the next
process takes it up before any new one.
"""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from filelock import FileLock, Timeout

from charrnn.errors import RunError
from charrnn.plugins import need
from charrnn.sweeps.folder import SweepFolder
from charrnn.sweeps.ranges import Range, Varied, combinations
from charrnn.sweeps.results import FAILED, FINISHED, PRUNED, STOPPED, TRAINING, Result

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
        return int(self.trial.number)

    @property
    def frozen(self) -> Any:
        return self.study.get_trials(deepcopy=False)[self.number]

    @property
    def losses_nats(self) -> dict[int, float]:
        noted = self.frozen.user_attrs.get(LOSSES, {})
        return {int(seed): loss for seed, loss in noted.items()}

    def built(self, parameters: int) -> None:
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
        losses = {**self.losses_nats, seed: loss_nats}
        self.trial.set_user_attr(LOSSES, {str(each): loss for each, loss in losses.items()})

    def finish(self) -> None:
        losses = self.losses_nats.values()
        self.study.tell(self.trial, sum(losses) / len(losses))

    def prune(self) -> None:
        self._end("PRUNED")

    def fail(self, why: str) -> None:
        self.trial.set_user_attr(WHY, why)
        self._end("FAIL")

    def _end(self, state: str) -> None:
        from optuna.trial import TrialState

        self.study.tell(self.trial, state=TrialState[state])


STUDY = "sweep"
EXTRA = "sweep"
REPEATS = "repeats"
"""Marks a trial that nobody trains: the sampler drew what had been tried."""
CHOSEN = "chosen"
ATTEMPTS = 5
"""So often the sampler may draw what has been tried; then a way is drawn at random."""
KEPT = 3
"""At each halving, one of so many trials is kept, …"""
FIRST_RUNG = 11
"""… for the first time when so many hundredths of its plan are done, then at three times that."""
PATIENCE_SECONDS = 60.0
"""Taking a trial takes a moment: a process that holds the lock for longer hangs."""


class Journal:
    """The journal in a sweep's folder.

    Args:
        place: The folder.
        varied: What the sweep varies.
        first_seed: The seed of each trial's first run.

    Raises:
        MissingPackageError: Optuna is not installed.
    """

    def __init__(self, place: SweepFolder, varied: Mapping[str, Varied], first_seed: int) -> None:
        self.place, self._varied, self._first_seed = place, varied, first_seed
        self._optuna = need("optuna", EXTRA)
        self._storage = storage_in(place.journal, self._optuna)
        with quiet(self._optuna):
            self._study = self._optuna.create_study(
                storage=self._storage,
                pruner=pruner(self._optuna),
                study_name=STUDY,
                load_if_exists=True,
            )
        self._states = self._optuna.trial.TrialState

    @contextmanager
    def claimed(self, trials: int) -> Iterator[Claim | None]:
        """A trial that nobody works on, held until the block ends; None where none is left.

        Args:
            trials: How many the sweep is to have.
        """
        with held(self.place.lock_file):
            claim = self._abandoned() or self._new(trials)
        try:
            yield claim
        finally:
            if claim is not None:
                claim.lock.release()

    def _abandoned(self) -> Claim | None:
        """A trial that was stopped or killed."""
        for trial in self._trials(self._states.RUNNING):
            lock = FileLock(self.place.trial_lock(trial.number))
            if not taken(lock):
                continue
            if self._state(trial.number) == self._states.RUNNING:
                return self._claim(self._again(trial.number), lock, taken_up=True)
            lock.release()
        return None

    def _new(self, trials: int) -> Claim | None:
        """A new trial; None where there are enough, or no other way is left."""
        tried = [self._way(each) for each in self._begun()]
        ways = combinations(self._varied)
        most = trials if ways is None else min(trials, ways)
        if len(tried) >= most:
            return None
        trial = self._drawn(tried, everything=ways is not None and ways <= trials)
        lock = FileLock(self.place.trial_lock(trial.number))
        lock.acquire()
        return self._claim(trial, lock, taken_up=False)

    def _drawn(self, tried: list[dict[str, object]], everything: bool) -> Any:
        """A trial that has not been tried, where one is found.

        Where the sweep has room for all ways there are, they come in a random order.
        """
        finite = combinations(self._varied) is not None
        for attempt in range(ATTEMPTS + 1):
            if everything or (finite and attempt == ATTEMPTS):
                self._study.enqueue_trial(self._untried(tried))
            trial = self._ask()
            if draw(trial, self._varied) not in tried or attempt == ATTEMPTS:
                return trial
            trial.set_user_attr(REPEATS, True)
            self._study.tell(trial, state=self._states.FAIL)
        raise AssertionError

    def _ask(self) -> Any:
        """A trial of the sampler's, which depends on the trials before it alone.

        It holds trials in training for bad ones, so that processes side by side try other ways.
        """
        seed = len(self._trials())
        self._study.sampler = self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        return self._study.ask()

    def _untried(self, tried: list[dict[str, object]]) -> dict[str, object]:
        """A way drawn at random from those that have not been tried."""
        chance = random.Random(len(self._trials()))
        while True:
            way = {name: chance.choice(each.values or ()) for name, each in self._varied.items()}
            if way not in tried:
                return way

    def _again(self, number: int) -> Any:
        study = self._storage.get_study_id_from_name(STUDY)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        return self._optuna.trial.Trial(self._study, trial_id)

    def _claim(self, trial: Any, lock: FileLock, taken_up: bool) -> Claim:
        settings = draw(trial, self._varied)
        return Claim(self._study, trial, lock, settings, taken_up, self._first_seed)

    def _trials(self, *states: object) -> list[Any]:
        found: list[Any] = self._study.get_trials(deepcopy=False, states=states or None)
        return found

    def _begun(self) -> list[Any]:
        """The trials that are or were trained, or are to be taken up."""
        waiting = self._states.WAITING  # a process was killed before it could take its trial
        return [
            each
            for each in self._trials()
            if each.state != waiting and REPEATS not in each.user_attrs
        ]

    def _state(self, number: int) -> object:
        return self._trials()[number].state

    def _way(self, trial: Any) -> dict[str, object]:
        known = {name: each for name, each in self._varied.items() if name in trial.params}
        return {name: each.near(trial.params[name]) for name, each in known.items()}

    @property
    def chosen(self) -> Mapping[str, object]:
        """What the recipe chose for the first run of the sweep, and all others take over."""
        found: Mapping[str, object] = self._study.user_attrs.get(CHOSEN, {})
        return found

    def choose(self, settings: Mapping[str, object]) -> None:
        """Let all other runs have these settings, unless some run has said so before."""
        if CHOSEN not in self._study.user_attrs:
            self._study.set_user_attr(CHOSEN, dict(settings))

    def results(self) -> list[Result]:
        with held(self.place.lock_file):
            return [self.result(each) for each in self._begun()]

    def result(self, trial: Any) -> Result:
        """What has come of a trial in the journal."""
        notes = trial.user_attrs
        losses = {int(seed): loss for seed, loss in notes.get(LOSSES, {}).items()}
        seen = trial.intermediate_values.values()
        return Result(
            trial=trial.number,
            settings=self._way(trial),
            state=self._named(trial),
            losses_nats=losses or ({self._first_seed: min(seen)} if seen else {}),
            parameters=notes.get(PARAMETERS),
            why=notes.get(WHY, ""),
        )

    def _named(self, trial: Any) -> str:
        """The word for a trial's state. The lock of the sweep is held meanwhile."""
        states = self._states
        ended = {states.COMPLETE: FINISHED, states.PRUNED: PRUNED, states.FAIL: FAILED}
        if trial.state in ended:
            return ended[trial.state]
        lock = FileLock(self.place.trial_lock(trial.number))
        if not taken(lock):
            return TRAINING
        lock.release()
        return STOPPED


def storage_in(path: Path, optuna: ModuleType) -> Any:
    """Optuna's storage in a file.

    Its lock is a file that can be created once only. That works on local disks, on NFS from
    version 3 on and on SMB, where the other lock, a symbolic link, often cannot be made.
    """
    journal = need("optuna.storages.journal", EXTRA)
    lock = journal.JournalFileOpenLock(str(path))
    mend(path, lock)
    return optuna.storages.JournalStorage(journal.JournalFileBackend(str(path), lock_obj=lock))


def mend(path: Path, lock: Any) -> None:
    """Cut off half a line, which a full disk or a kill may leave, and no other could be read."""
    if not path.exists() or whole(path.read_bytes()):
        return
    lock.acquire()
    try:
        data = path.read_bytes()
        os.truncate(path, data.rfind(b"\n") + 1)
    finally:
        lock.release()


def whole(data: bytes) -> bool:
    return data.endswith(b"\n") or not data


def pruner(optuna: ModuleType) -> Any:
    """Asynchronous successive halving (Li et al. 2020): at 11 and 33 % of its plan a trial goes on
    if it is among the best third of those that came so far."""
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=FIRST_RUNG, reduction_factor=KEPT, min_early_stopping_rate=0
    )


def draw(trial: Any, varied: Mapping[str, Varied]) -> dict[str, object]:
    """A trial's settings: what the journal has of them, and the sampler's choice for the rest."""
    return {name: each.near(suggest(trial, name, each)) for name, each in varied.items()}


def suggest(trial: Any, name: str, varied: Varied) -> object:
    """One setting as Optuna keeps it."""
    if not isinstance(varied, Range):
        return trial.suggest_categorical(name, varied.values)
    if varied.step:
        return trial.suggest_int(name, int(varied.low), int(varied.high), step=varied.step)
    return trial.suggest_float(name, varied.low, varied.high, log=varied.logarithmic)


@contextmanager
def held(lock_file: Path) -> Iterator[None]:
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


def taken(lock: FileLock) -> bool:
    """Take a lock, if it is free."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


@contextmanager
def quiet(optuna: ModuleType) -> Iterator[None]:
    """Optuna says nothing of a study that it opens."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
