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
from charrnn.training.events import Evaluated, Event, Note, Stepped
from charrnn.workers import line

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
SMALL = {"units": 8, "embedding": 4, "batch_size": 5, "seq_length": 10, "sample_every": 0}
SMALL |= {"parts": 2, "threads": 2}  # whatever cores there are from one case to the next
SURE = SMALL | {"steps": 20, "eval_every": 20, "dropout": 0.0, "recurrent_dropout": 0.0}
DROPPED = SMALL | {"steps": 8, "eval_every": 4, "dropout": 0.3, "state_resets": 0.2, "stretch": 3}
DROPPED |= {"checkpoint_every": 2}
SILENCE = 8.0
"""Seconds after which a worker that hangs counts as lost here."""
ROUNDS = DROPPED | {"exchange_every": 3}
"""Exchanges after steps 3, 6 and 8; evaluations after 6 and 8; checkpoints in between as well."""


def to_step(events: Any, end: int) -> list[Event]:
    """The events until a step is done; there worker 0 stops, which saves."""
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, Stepped) and event.step == end:
            break
    return seen


def lost_at(events: Any, end: int, how: int) -> list[Event]:
    """Killed, or stopped until somebody lets it go on, as soon as a step is done."""
    for event in events:
        if isinstance(event, Stepped) and event.step == end:
            os.kill(os.getpid(), how)
    return []


def killed(events: Any) -> list[Event]:
    """Killed after step 5."""
    return lost_at(events, 5, signal.SIGKILL)


def hung(events: Any) -> list[Event]:
    """Stopped after step 5."""
    return lost_at(events, 5, signal.SIGSTOP)


Carry = Callable[[Any], list[Event]]
Case = tuple[dict[str, object], Carry, Carry]
"""The settings, and what worker 0 and worker 1 do with the events."""
CASES: dict[str, Case] = {
    "sure": (SURE, list, list),
    "whole": (DROPPED, list, list),
    "stopped": (DROPPED | {"name": "halves"}, lambda events: to_step(events, 3), list),
    "resumed": ({"name": "halves", "resume": True}, list, list),
    "finished": ({"name": "halves", "resume": True}, list, list),
    "rounds": (ROUNDS, list, list),
    "stopped between": (ROUNDS | {"name": "rests"}, lambda events: to_step(events, 4), list),
    "resumed between": ({"name": "rests", "resume": True}, list, list),
    "stopped after": (ROUNDS | {"name": "breaks"}, lambda events: to_step(events, 6), list),
    "resumed after": ({"name": "breaks", "resume": True}, list, list),
    "to part": (ROUNDS | {"name": "parting"}, lambda events: to_step(events, 5), list),
    "unlike": (SMALL | {"steps": 2}, list, list),
    "another text": (SMALL | {"steps": 2}, list, list),
}
LOST: dict[str, tuple[Carry, Carry]] = {
    "killed 1": (list, killed),
    "killed 0": (killed, list),
    "hung 1": (list, hung),
    "hung 0": (hung, list),
}
for name, carries in LOST.items():
    CASES |= {
        name: (DROPPED, *carries),
        f"after {name}": ({"name": name, "resume": True}, list, list),
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
    evaluated = [event.step for event in seen if isinstance(event, Evaluated)]
    return told | {"notes": notes, "losses": losses, "evaluated": evaluated}


def main() -> None:
    """Carry out all cases in their order, and write what has happened, a file for each."""
    worker, folder, addresses, *cases = sys.argv[1:]
    for case in cases:
        line.SILENCE_SECONDS = SILENCE if case.startswith("hung") else line.SILENCE_SECONDS
        with nullcontext() if case == "sure" else without_xla():
            told = carry_out(case, int(worker), Path(folder), addresses)
        (Path(folder) / f"told-{worker}-{case}.json").write_text(json.dumps(told))
        print(case, flush=True)


if __name__ == "__main__":
    main()
