"""The sides of a comparison, each in a process of its own, which run one after the other.

    sides = run_in_turn({"charrnn": partial(start, "charrnn"), "torch": partial(start, "torch")}, 7)
    sides["torch"].seconds / sides["charrnn"].seconds

Two libraries in one process would share threads and memory. So each starts in its own, and the
parent lets them run round after round (A B A B …): what the machine does meanwhile hits them alike.
"""

import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

THREADS = 2
"""Of each side."""
Round = Callable[[], float]
"""Runs a round, and returns the seconds of one of its steps."""
Start = Callable[[], Round]
"""Imports, builds and compiles what is measured, in the side's process."""


class Side:
    """A side's process, seen from the parent."""

    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(start, theirs), daemon=True)
        self.process.start()
        theirs.close()  # or a process that failed would be waited for
        self.start_seconds: float = self.connection.recv()
        self.times: list[float] = []
        self.peak_mb = 0.0
        """The most memory that the process had."""

    def run(self) -> None:
        """A round."""
        self.connection.send(True)
        self.times.append(self.connection.recv())

    def end(self) -> None:
        """Let the process go, so that it leaves the cores to others."""
        self.connection.send(False)
        self.peak_mb = self.connection.recv()
        self.process.join()

    @property
    def seconds(self) -> float:
        """The seconds of a step: the median of the rounds."""
        return statistics.median(self.times)


def run_in_turn(starts: Mapping[str, Start], rounds: int) -> dict[str, Side]:
    """Start all sides, and let them run so many rounds."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(THREADS)
    sides = {name: Side(start) for name, start in starts.items()}
    for _ in range(rounds):
        for side in sides.values():
            side.run()
    for side in sides.values():
        side.end()
    return sides


def serve(start: Start, connection: Connection) -> None:
    """The life of a side's process: start, then run a round whenever told to."""
    begin = time.perf_counter()
    run = start()
    connection.send(time.perf_counter() - begin)
    while connection.recv():
        connection.send(run())
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
