"""One of two workers, in a process of its own: trains what `test_workers.py` looks at.

python training_together.py WORKER FOLDER ADDRESSES CASE...
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from graphs import without_xla

import charrnn
from charrnn.training.events import Event, Note, Stepped

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
SMALL = {"units": 8, "embedding": 4, "batch_size": 5, "seq_length": 10, "sample_every": 0}
SURE = SMALL | {"steps": 20, "eval_every": 20, "dropout": 0.0, "recurrent_dropout": 0.0}
DROPPED = SMALL | {"steps": 8, "eval_every": 4, "dropout": 0.3, "state_resets": 0.2}
DROPPED |= {"checkpoint_every": 2}


def to_step(events: Any, end: int) -> list[Event]:
    """The events until a step is done; there worker 0 stops, which saves."""
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, Stepped) and event.step == end:
            break
    return seen


def die_at(events: Any, end: int) -> list[Event]:
    """Killed as soon as a step is done."""
    for event in events:
        if isinstance(event, Stepped) and event.step == end:
            os.kill(os.getpid(), signal.SIGKILL)
    return []


Carry = Callable[[Any], list[Event]]
Case = tuple[dict[str, object], Carry, Carry]
"""The settings, and what worker 0 and worker 1 do with the events."""
CASES: dict[str, Case] = {
    "sure": (SURE, list, list),
    "whole": (DROPPED, list, list),
    "stopped": (DROPPED | {"name": "halves"}, lambda events: to_step(events, 3), list),
    "resumed": ({"name": "halves", "resume": True}, list, list),
    "unlike": (SMALL | {"steps": 2}, list, list),
    "another text": (SMALL | {"steps": 2}, list, list),
    "killed": (DROPPED | {"name": "killed"}, list, lambda events: die_at(events, 5)),
    "after": ({"name": "killed", "resume": True}, list, list),
}
OWN = {("unlike", 1): {"units": 9}}
"""Settings of one worker alone, in a case."""


def carry_out(case: str, worker: int, folder: Path, addresses: str) -> dict[str, Any]:
    """What a worker is told, and the error with which it ends."""
    settings, *carries = CASES[case]
    text = folder / ("other.txt" if (case, worker) == ("another text", 1) else "corpus.txt")
    given = {"name": case, **settings, **OWN.get((case, worker), {})}
    told: dict[str, Any] = {"error": None, "notes": [], "losses": []}
    try:
        events = charrnn.train(
            text,
            checkpoints=folder / f"machine-{worker}",
            workers=addresses,
            worker=worker,
            **given,
        )
        seen = carries[worker](events)
    except charrnn.CharrnnError as error:
        return told | {"error": str(error)}
    notes = [event.message for event in seen if isinstance(event, Note)]
    losses = [event.loss_nats for event in seen if isinstance(event, Stepped)]
    return told | {"notes": notes, "losses": losses}


def main() -> None:
    """Carry out all cases in their order, and write what has happened, a file for each."""
    worker, folder, addresses, *cases = sys.argv[1:]
    for case in cases:
        with nullcontext() if case == "sure" else without_xla():
            told = carry_out(case, int(worker), Path(folder), addresses)
        (Path(folder) / f"told-{worker}-{case}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
