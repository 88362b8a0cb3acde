"""One of several ranks that do nothing but sum, behind the command line's own boundary.

mpiexec -n SIZE python summing.py WHAT VICTIM: after some sums, WHAT happens at the rank VICTIM.
"""

import errno
import os
import signal
import sys
from itertools import count

import click
import numpy as np

from charrnn.cli.boundary import ReportingGroup
from charrnn.cli.process import stop_signals
from charrnn.training import ranks


def raises(error: BaseException) -> None:
    """Raise an error."""
    raise error


HAPPENS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hung": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "failed": lambda: raises(ValueError("a fault")),
    "left": lambda: sys.exit(3),
    "full": lambda: raises(OSError(errno.ENOSPC, "No space left on device", "run/last")),
    "memory": lambda: raises(MemoryError()),
    "interrupted": lambda: raises(KeyboardInterrupt()),
    "told": lambda: click.echo("all sum"),
}


@click.group(cls=ReportingGroup)
def main() -> None:
    """Sum."""


@main.command("sum")
@click.argument("what")
@click.argument("victim", type=int)
def sum_command(what: str, victim: int) -> None:
    """Sum for ever; only what happens ends it."""
    together = ranks.ranks_of_launcher()
    together.begin()
    together.stepping = True
    with stop_signals() as received:
        for number in count():
            total = together.sum(np.full(1000, together.rank + 1, np.float32))
            assert total.tolist() == [together.size * (together.size + 1) / 2] * 1000
            if number == 5 and together.rank == victim:
                HAPPENS[what]()
            if together.stopped:
                break
            if received:
                together.stop()
    numbers = together.gather(number)
    together.end()
    assert len(set(numbers)) == 1
    click.echo(f"rank {together.rank} has stopped like all")
    together.exit(128 + received[0])


if __name__ == "__main__":
    ranks.START_SECONDS = 2.0
    if sys.argv[1] == "hung":
        ranks.BEAT_SECONDS, ranks.LOST_SECONDS = 0.2, 2.0
    if sys.argv[1] == "before" and ranks.launched()[0] == int(sys.argv[2]):
        raises(ValueError("a fault before MPI"))
    main(["sum", *sys.argv[1:]])
