"""Ranks: processes that a launcher starts, and that train one model together over MPI.

Every rank runs the same `train`. Rank 0 alone writes the run and decides by the clock; what it
decides, all others take from it. All ranks stop, evaluate, save and end after the same step.

MPI is loaded only where a launcher has started several processes. It neither authenticates nor
encrypts: that is the launcher's matter.
"""

import atexit
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType, TracebackType
from typing import Any, NoReturn, TypeVar

import numpy as np

from charrnn import __version__
from charrnn.config import Config, Plan
from charrnn.config.settings import format_setting, name_of, parse_value
from charrnn.errors import CharrnnError, MissingPackageError, RankError
from charrnn.text.corpus import CorpusInfo
from charrnn.tf import limits
from charrnn.tf.limits import told_by_system

T = TypeVar("T")

LAUNCHERS = (
    ("PMI_RANK", "PMI_SIZE"),  # MPICH's mpiexec, srun --mpi=pmi2
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI's mpiexec
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),  # srun --mpi=pmix
)
"""The variables in which launchers tell a process its rank and how many there are. Others of Slurm
prove nothing: a batch script has them too."""
INHERITED = ("PMI", "OMPI_", "PRTE", "HYDI_", "MPI_LOCAL")
"""How the variables of launchers begin. A child process that has them and loads MPI aborts (MPICH)
or hangs (Open MPI)."""
START_SECONDS = 120.0
"""MPICH starts only when all ranks have come: where one has failed before, the others end then."""
BEAT_SECONDS, LOST_SECONDS = 2.0, 26.0
"""From one sign of life to the next, and without one until a rank counts as lost, so that all end
within 30 seconds."""
LONGEST_PAUSE, PAUSES = 0.005, 8
"""While a rank waits, it sleeps for an eighth of the time waited so far, at most 5 ms, between two
looks. A short wait ends without delay, and a long one leaves the core free."""
TURN_SECONDS, LAST_TURN = 0.5, 4
"""If all ranks fail alike, rank 0 says why and ends the others, which wait for their turn."""
LAST_WORDS_SECONDS = 0.3
"""MPICH's launcher drops what ranks have printed just before the end of all."""
LOST_STATUS = 75
"""The exit status where a rank hangs: EX_TEMPFAIL, so that a queue may try again."""
FLAGS = 2
"""Numbers that travel with each sum: stop, and whether rank 0 wishes to review the plan."""
PACKAGES = {"TensorFlow": "tensorflow", "Keras": "keras", "NumPy": "numpy"}
FEATURES = ("avx", "avx2", "fma", "f16c")
WIDER_FEATURES = ("avx512", "avx_", "amx")
"""Instructions on which rounding depends, as the processor's flags name them, and how the names
of further ones begin."""
TEXT = "a text with the fingerprint"
NOTHING = "nothing"
"""What a rank has of a setting that it was not given."""
Facts = dict[str, str]
"""What is compared: each thing by its name. Settings stand in backquotes."""


def launched() -> tuple[int, int]:
    """This process's rank and the number of ranks, as a launcher says; (0, 1) without one."""
    for names in LAUNCHERS:
        rank, size = (os.environ.get(name, "") for name in names)
        if rank.isdecimal() and size.isdecimal():
            return int(rank), int(size)
    return 0, 1


class Ranks:
    """The ranks that train together: here a process that trains by itself."""

    rank, size = 0, 1
    local_rank = 0
    """The rank among those of this machine."""
    stopped = False
    """Whether all ranks have agreed to stop after this step."""

    @property
    def first(self) -> bool:
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, in rank order, on every rank."""
        return [value]

    def broadcast(self, make: Callable[[], T]) -> T:
        """Return on every rank what rank 0 makes, or raise its CharrnnError there."""
        return make()

    def agree(self, make: Callable[[], T]) -> T:
        """Return what `make` returns on this rank; CharrnnError on all where it fails on one."""
        return make()

    def agreed(self, wish: bool) -> bool:
        """Return whether rank 0 wished for something when the last step was summed.

        The present wish travels with the next step. Alone, it is granted at once.
        """
        return wish

    def stop(self) -> bool:
        """Wish that all ranks stop after the next step; False where no steps are taken together.

        Then the loop over the training has to be left.
        """
        return False

    def begin(self) -> None:
        """From here on the others depend on this rank, until `end`."""

    def end(self) -> None:
        """All ranks have ended the training alike: from here on each may exit."""

    def exit(self, status: int) -> NoReturn:
        """Exit; end all ranks if they depend on this one."""
        sys.exit(status)

    def fail(self) -> None:
        """Give no more signs of life: the others end even if this rank does not exit."""


ALONE = Ranks()


class MpiRanks(Ranks):
    """Several ranks, joined by MPI.

    Args:
        world: The communicator of all of them.
        node: That of those on this machine.
    """

    def __init__(self, world: Any, node: Any) -> None:
        self._world, self.rank, self.size = world.Dup(), world.rank, world.size
        self.local_rank = node.rank
        self.busy = False
        """Whether the others depend on this rank."""
        self.stepping = False
        """Whether all ranks take steps together by now."""
        self._stopping = self._wish = self._granted = False
        self._pieces = np.zeros((3, self.size, 0), np.float32)
        self._line, self._closing = world.Dup(), threading.Event()
        self._heart = self._start_heart()
        self._hook, sys.excepthook = sys.excepthook, self._failed
        atexit.register(self._leave)

    def gather(self, value: T) -> list[T]:
        self._wait(self._world.Ibarrier())
        values: list[T] = self._world.allgather(value)
        return values

    def broadcast(self, make: Callable[[], T]) -> T:
        made: T | CharrnnError | None = None
        if self.first:
            try:
                made = make()
            except CharrnnError as error:
                made = error
        self._wait(self._world.Ibarrier())
        told: T | CharrnnError = self._world.bcast(made)
        if isinstance(told, CharrnnError):
            self.end()  # all ranks raise it: none depends on another
            raise told
        return told

    def agree(self, make: Callable[[], T]) -> T:
        made: T | CharrnnError
        try:
            made = make()
        except CharrnnError as error:
            made = error
        errors = self.gather(made if isinstance(made, CharrnnError) else None)
        if isinstance(made, CharrnnError):
            raise made
        for rank, told in enumerate(errors):
            if told is not None:
                where = f"rank {rank}" + (f": {told.where}" if told.where else "")
                raise RankError(told.why, told.settings, where=where, way_out=told.way_out)
        return made

    def sum(self, vector: np.ndarray) -> np.ndarray:
        """Return the sum of all ranks' vectors float32 [n]; valid until the next sum.

        It is added in rank order, so that it has the same bits on every rank, every MPI and in
        every run. The wishes of all ranks travel with it.
        """
        numbers = vector.size
        length = -(-(numbers + FLAGS) // self.size)
        if self._pieces.shape[2] != length:
            self._pieces = np.zeros((3, self.size, length), np.float32)
        sent, received, total = self._pieces
        flat, summed = sent.reshape(-1), total.reshape(-1)
        flat[:numbers] = vector
        flat[numbers : numbers + FLAGS] = self._stopping, self._wish
        self._wait(self._world.Ibarrier())  # all are here: the rest is not waiting but transfer
        self._world.Alltoall(sent, received)
        own = received[0]
        for piece in received[1:]:
            own += piece
        self._world.Allgather(own, total)
        self.stopped, self._granted = (summed[numbers : numbers + FLAGS] > 0).tolist()
        return summed[:numbers]

    def agreed(self, wish: bool) -> bool:
        granted, self._granted, self._wish = self._granted, False, wish and self.first
        self._wish = self._wish and not granted  # what is granted is not yet done
        return granted

    def begin(self) -> None:
        self.busy, self.stepping, self.stopped = True, False, False
        self._stopping = self._wish = self._granted = False
        if self._closing.is_set():
            self._heart.join()
            self._closing.clear()
            self._heart = self._start_heart()

    def stop(self) -> bool:
        self._stopping = True
        return self.stepping

    def end(self) -> None:
        self.busy = False

    def fail(self) -> None:
        if self.busy:
            self._closing.set()

    def abort(self, why: str, status: int = 1, *, own: bool = True) -> NoReturn:
        """Say in a line why, and end all ranks; if the fault is its own, it names this rank."""
        time.sleep(TURN_SECONDS * min(self.rank, LAST_TURN))
        line = f"charrnn: rank {self.rank}: {why}\n" if own else f"charrnn: {why}\n"
        if self.stepping:
            line = f"\n{line}"  # below the progress bar
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with suppress(OSError):
            os.write(2, line.encode(errors="backslashreplace"))
        time.sleep(LAST_WORDS_SECONDS)
        self._kill(status)

    def exit(self, status: int) -> NoReturn:
        if self.busy and not self.first:
            self.abort("was stopped before the first step", status)
        if self.busy:
            time.sleep(LAST_WORDS_SECONDS)
            self._kill(status)
        sys.exit(status)

    def _kill(self, status: int) -> NoReturn:
        self._world.Abort(status)
        os._exit(status)  # Abort can return before the process is ended

    def _wait(self, request: Any) -> None:
        """Wait without burning the core, which a blocking call would; signals get through."""
        begin = time.monotonic()
        while not request.Test():
            time.sleep(min(LONGEST_PAUSE, (time.monotonic() - begin) / PAUSES))

    def _start_heart(self) -> threading.Thread:
        heart = threading.Thread(target=self._beat, daemon=True)
        heart.start()
        return heart

    def _beat(self) -> None:
        """Exchange signs of life: rank 0 with all others, and they with rank 0.

        What counts is how often this rank has looked in vain, not the time: if it was stopped
        itself, nobody else is to blame.
        """
        silent = dict.fromkeys(range(1, self.size) if self.first else [0], 0)
        sign = np.zeros(1, np.int8)
        sent: list[Any] = []
        while not self._closing.wait(BEAT_SECONDS):
            sent = [each for each in sent if not each.Test()]
            for peer in silent:
                sent.append(self._line.Isend(sign, peer))
                silent[peer] += 1
                while self._line.Iprobe(peer):
                    self._line.Recv(np.zeros(1, np.int8), peer)
                    silent[peer] = 0
                if silent[peer] * BEAT_SECONDS >= LOST_SECONDS:
                    # The others find it out up to a beat earlier or later: one of them speaks.
                    time.sleep(BEAT_SECONDS * min(max(0, self.rank - 1), LAST_TURN))
                    self.abort(
                        f"rank {peer} has given no sign of life for {LOST_SECONDS:g} s: it hangs,"
                        " or its machine is lost; start all ranks again, to resume from the last"
                        " checkpoint",
                        LOST_STATUS,
                        own=False,
                    )

    def _failed(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self._hook(kind, error, trace)
        self.abort(f"has failed: {kind.__name__}")

    def _leave(self) -> None:
        """At the process's end: wait for the others, or end them where they depend on this one."""
        if self.busy:
            self.abort("has ended in the middle of the training")
        self._wait(self._line.Ibarrier())
        self._closing.set()
        self._heart.join()


@cache
def ranks_of_launcher() -> Ranks:
    """Return the ranks that a launcher has started, the same each time; the first call joins them.

    Raises:
        MissingPackageError: mpi4py is not installed, or finds no MPI.
        RankError: The launcher belongs to another MPI than mpi4py's.
    """
    _, size = launched()
    if size == 1:
        return ALONE
    mpi = load_mpi(size)
    world = mpi.COMM_WORLD
    if world.size != size:
        raise other_mpi(size)
    if mpi.Query_thread() < mpi.THREAD_MULTIPLE:
        raise RankError("this MPI lets one thread alone call it", way_out="load another MPI")
    for name in [name for name in os.environ if name.startswith(INHERITED)]:
        del os.environ[name]
    node = world.Split_type(mpi.COMM_TYPE_SHARED)
    take_cores(node)
    return MpiRanks(world, node)


def ranks_if_joined() -> MpiRanks | None:
    """Return the ranks if there are several and they have been joined."""
    found = ranks_of_launcher() if ranks_of_launcher.cache_info().currsize else None
    return found if isinstance(found, MpiRanks) else None


def load_mpi(size: int) -> ModuleType:
    """Import mpi4py, which starts MPI in this one of so many processes.

    An alarm ends the process where that takes too long: no thread of Python runs meanwhile.
    """
    try:
        import mpi4py

        mpi4py.rc(initialize=False, finalize=True)
        from mpi4py import MPI

        if LAUNCHERS[1][0] in os.environ and MPI.get_vendor()[0] != "Open MPI":
            raise other_mpi(size)  # MPICH would end the process within MPI_Init
        if not MPI.Is_initialized():
            signal.setitimer(signal.ITIMER_REAL, START_SECONDS)
            MPI.Init_thread()
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (ImportError, RuntimeError) as error:  # without a library it is a RuntimeError
        raise MissingPackageError(
            f"a launcher has started {size} processes, and MPI cannot be loaded"
            f" ({' '.join(str(error).split())})",
            way_out="install it with: pip install mpi4py mpich; on a cluster, load its MPI",
        ) from None
    loaded: ModuleType = MPI
    return loaded


def other_mpi(size: int) -> RankError:
    """The error where the launcher belongs to another MPI than mpi4py."""
    return RankError(
        f"the mpiexec that has started these {size} processes belongs to another MPI than mpi4py's",
        way_out="start them with the mpiexec of the MPI that mpi4py loads",
    )


def take_cores(node: Any) -> None:
    """Keep this rank to its share of the machine's cores, unless the launcher has dealt them."""
    if not hasattr(os, "sched_getaffinity"):
        limits.sharing = node.size
        return
    cores = sorted(os.sched_getaffinity(0))
    if all(each == cores for each in node.allgather(cores)):
        share = streams_of_rank(len(cores), node.rank, node.size)
        os.sched_setaffinity(0, cores[share.start : max(share.stop, share.start + 1)])


def streams_of_rank(streams: int, rank: int, size: int) -> slice:
    """Return which of so many streams a rank of `size` reads: shares as even as can be."""
    return slice(streams * rank // size, streams * (rank + 1) // size)


def facts(settings: Mapping[str, object], plan: Plan, **given: object) -> Facts:
    """Return what this rank is, and what it was asked to train."""
    asked = asked_for(settings, plan) | {name: str(value) for name, value in given.items()}
    flags = sorted(told_by_system().get("flags", "").split())
    vectors = [each for each in flags if each in FEATURES or each.startswith(WIDER_FEATURES)]
    return (
        {"charrnn": __version__}
        | {name: installed(package) for name, package in PACKAGES.items()}
        | {"processor": " ".join([platform.machine(), *vectors])}
        | {f"`{name}`": value for name, value in asked.items()}
    )


def text_facts(info: CorpusInfo) -> Facts:
    """Return which text this rank has, and where its training part ends."""
    return {TEXT: f"{info.fingerprint[:12]} and {info.train_end:,} characters for training"}


def refuse_differences(ranks: Ranks, own: Facts) -> None:
    """Raise RankError, on every rank, where one has other facts than rank 0."""
    ours, *others = ranks.gather(own)
    for rank, theirs in enumerate(others, start=1):
        for name in dict.fromkeys([*ours, *theirs]):
            here, there = ours.get(name, NOTHING), theirs.get(name, NOTHING)
            if here != there:
                ranks.end()  # all ranks raise it: none depends on another
                same = "settings" if name.startswith("`") else "versions, on like processors"
                same = "files, in the same order" if name == TEXT else same
                raise RankError(
                    f"has {name} {there}, and rank 0 has {here}",
                    where=f"rank {rank}",
                    way_out=f"give all ranks the same {same}",
                )


def asked_for(settings: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """Return the settings that were given, and the plan, by name and in one form."""

    def written(value: object) -> str:
        return format_setting(tuple(value) if isinstance(value, list) else value)

    known = {each.name: each for _, each in Config.fields()}
    given = {name: written(parse_value(known[name], value)) for name, value in settings.items()}
    return given | {
        name_of(each): written(getattr(plan, each.name))
        for each in fields(plan)
        if getattr(plan, each.name) is not None
    }


def installed(package: str) -> str:
    """Return a package's version."""
    try:
        return version(package)
    except PackageNotFoundError:  # there under another name, as tensorflow-cpu
        return NOTHING
