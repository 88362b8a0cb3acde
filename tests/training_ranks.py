"""One of several ranks that train what `test_ranks.py` looks at.

mpiexec -n SIZE python training_ranks.py FOLDER CASE... [train ARGUMENT...]

At the end comes what the command line is to train, if anything.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from graphs import without_xla

import charrnn
from charrnn.errors import CorpusError
from charrnn.runs.events import Evaluated, Event, Finished, Note, RolledBack, Stepped, Stopped
from charrnn.training import ranks, train

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
SMALL = {"units": 8, "embedding": 4, "batch_size": 5, "seq_length": 10, "sample_every": 0}
SMALL |= {
    "cell": "rnn",
    "layers": 1,
    "parts": 1,
    "threads": 1,
}  # whatever cores there are from one case to the next
SURE = SMALL | {"steps": 20, "eval_every": 20, "dropout": 0.0, "recurrent_dropout": 0.0}
DROPPED = SMALL | {"steps": 8, "eval_every": 4, "dropout": 0.3, "stretch": 3}
DROPPED |= {"checkpoint_every": 2}
LEFT_AT = 3

Carry = Callable[[Any], list[Event]]


def left_at(rank: int) -> Carry:
    """The loop is left at step 3 on that rank; the others are not told."""

    def carry(events: Any) -> list[Event]:
        seen = []
        for event in events:
            seen.append(event)
            if is_step(event, LEFT_AT) and train.ranks_of_launcher().rank == rank:
                break
        return seen

    return carry


def killed(events: Any) -> list[Event]:
    """Rank 1 is killed after step 5."""
    for event in events:
        if is_step(event, 5) and train.ranks_of_launcher().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return []


def is_step(event: Event, number: int) -> bool:
    """Whether this step is done."""
    return isinstance(event, Stepped) and event.step == number


def poisoned(events: Any) -> list[Event]:
    """On rank 1, the losses of steps 3 to 7 are no numbers."""
    from charrnn.training.step import RankTrainer

    step = RankTrainer.step

    def poison(self: Any, batch: Any, state: Any, number: int, *others: Any) -> Any:
        if number in range(2, 7) and not rolled_back and train.ranks_of_launcher().rank == 1:
            batch = batch._replace(mask=batch.mask * np.float32("nan"))
        return step(self, batch, state, number, *others)

    rolled_back: list[Event] = []
    seen = []
    with mock.patch.object(RankTrainer, "step", poison):
        for event in events:
            seen.append(event)
            rolled_back += [event] if isinstance(event, RolledBack) else []
    return seen


HALVES: dict[str, object] = {"name": "halves", "resume": True}
CASES: dict[str, tuple[int, dict[str, object], Carry]] = {
    "sure 3": (3, SURE, list),
    "sure 2": (2, SURE, list),
    "whole": (3, DROPPED, list),
    "stopped": (3, DROPPED | {"name": "halves"}, left_at(1)),
    "resumed": (3, HALVES, list),
    "finished": (3, HALVES, list),
    "longer": (2, HALVES | {"time": 2}, list),
    "diverged": (2, DROPPED | {"steps": 10}, poisoned),
    "unlike": (2, SMALL | {"steps": 2}, list),
    "another text": (2, SMALL | {"steps": 2}, list),
    "exists": (2, DROPPED | {"name": "whole"}, list),
    "no text": (2, SMALL | {"steps": 2}, list),
    "no text to resume": (2, {"name": "whole", "resume": True, "steps": 2}, list),
    "killed": (3, DROPPED, killed),
    "after killed": (3, {"name": "killed", "resume": True}, list),
}
"""The number of ranks, the settings, and what each rank does with the events."""
COMPILED = ("sure 2",)


def not_here(*others: object, **options: object) -> None:
    """On another machine the file of rank 0 is missing."""
    raise CorpusError("missing")


def world_of(size: int) -> ranks.Ranks | None:
    """The first ranks as a world of their own; None for those that are not among them."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    part = world.Split(0 if world.rank < size else MPI.UNDEFINED)
    return None if part == MPI.COMM_NULL else ranks.MpiRanks(part, part)


def carry_out(case: str, folder: Path, together: ranks.Ranks) -> dict[str, Any]:
    """What a rank is told in a case, and the error with which it ends."""
    _, settings, carry = CASES[case]
    other = together.rank == 1
    text = folder / ("other.txt" if case == "another text" and other else "corpus.txt")
    if case.startswith("no text") and other:
        text = folder / "nowhere.txt"
    if (case, together.rank) == ("unlike", 1):
        settings = settings | {"units": 9}
    told: dict[str, Any] = {"error": None}
    seen: list[Event] = []
    from charrnn.training import begin

    away = (
        mock.patch.object(begin, "open_corpus", not_here)
        if case == "stopped" and other
        else nullcontext()
    )
    try:
        with away:
            given = {"name": case, "checkpoints": folder / "runs", **settings}
            seen = carry(charrnn.train(text, **given))
    except charrnn.CharrnnError as error:
        told["error"] = str(error)
    return told | {
        "notes": [event.message for event in seen if isinstance(event, Note)],
        "losses": [event.loss_nats for event in seen if isinstance(event, Stepped)],
        "evaluated": [event.step for event in seen if isinstance(event, Evaluated)],
        "stopped": [event.step for event in seen if isinstance(event, Stopped)],
        "rolled back": [event.step for event in seen if isinstance(event, RolledBack)],
        "finished": any(isinstance(event, Finished) for event in seen),
    }


def main() -> None:
    """Carry out all cases in their order, and write what has happened, a file for each rank."""
    folder, *cases = sys.argv[1:]
    end = cases.index("train") if "train" in cases else len(cases)
    cases, command = cases[:end], cases[end:]
    worlds = {size: world_of(size) for size in sorted({CASES[case][0] for case in cases})}
    for case in cases:
        together = worlds[CASES[case][0]]
        if together is None:
            continue
        with (
            mock.patch.object(train, "ranks_of_launcher", lambda joined=together: joined),
            nullcontext() if case in COMPILED else without_xla(),
        ):
            told = carry_out(case, Path(folder), together)
        path = Path(folder) / f"{case} {together.rank}.json"
        path.write_text(json.dumps(told))
    if command:
        from charrnn.cli import main as command_line

        with without_xla():
            command_line(command)


if __name__ == "__main__":
    main()
