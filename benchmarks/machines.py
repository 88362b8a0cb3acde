"""Two ranks with a core each, against one process with both cores: characters per second.

    python benchmarks/machines.py --rounds 5
    python benchmarks/machines.py --arithmetic

The sides run in turn, round after round, each in fresh processes; a row has the median of each.
`--arithmetic` measures nothing: it reckons how many machines pay over which link.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

SHAPES = [  # layers, units, batch, window
    (2, 128, 50, 50),
    (1, 384, 16, 64),
    (2, 512, 64, 100),
]
VOCABULARY = "".join(map(chr, range(ord("0"), ord("0") + 64)))
CHARACTERS = 1_000_000
WARM_STEPS = 3
SECONDS = 12
"""About so long each side trains; the number of steps follows from a guess at its speed."""
GUESS = 6e10
"""Multiplications and additions of a training step in a second."""

MEASURED = [  # megabytes of gradients, seconds of a step on two cores
    ("2×128, 50×50", 0.97, 0.037),
    ("2×512, 64×100", 13.3, 0.86),
    ("2×1024, 64×64", 51.2, 2.1),
]
LINKS = [  # MB/s, seconds from one rank to the next
    ("1 Gb/s, 1 ms", 119, 0.001),
    ("10 Gb/s, 0.1 ms", 1190, 0.0001),
]
MACHINES = (2, 8, 16, 32, 64)


def child(given: str) -> None:
    """Train in this process; rank 0 prints the characters per second after the first steps."""
    from charrnn.cli.process import keep_memory

    keep_memory()
    import charrnn
    from charrnn.runs.events import Stepped
    from charrnn.training.ranks import ranks_of_launcher

    times, characters = [], 0
    settings = json.loads(given)
    for event in charrnn.train(settings.pop("text"), **settings):
        if isinstance(event, Stepped):
            times.append(time.perf_counter())
            characters = max(characters, event.characters)
    if ranks_of_launcher().first:
        print(f"speed {characters / np.diff(times)[WARM_STEPS:].mean()}")


def speed(settings: dict, ranks: int) -> float:
    """Characters per second of so many ranks."""
    launcher = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks)]
    script = [sys.executable, __file__, "--child", json.dumps(settings)]
    done = subprocess.run(
        [*(launcher if ranks > 1 else []), *script],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("speed "))
    return float(line.split()[1])


def measure(folder: Path, shape: tuple[int, ...], rounds: int) -> str:
    """A row of the table."""
    layers, units, batch, window = shape
    work = 3 * 8 * units * units * (2 * layers - 1) * batch * window
    settings = {
        "text": str(folder / "corpus.txt"),
        "checkpoints": str(folder),
        "overwrite": True,
        "layers": layers,
        "units": units,
        "batch_size": batch,
        "seq_length": window,
        "embedding": 64,
        "steps": 2 * WARM_STEPS + round(SECONDS * GUESS / work),
        "eval_every": 10**6,
        "eval_chars": 1000,
        "sample_every": 0,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "cell": "lstm",
        "skip_connections": False,
        "stretch": 0,
    }
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(rounds):
        for ranks in (1, 2) if turn % 2 == 0 else (2, 1):
            speeds[ranks].append(speed(settings, ranks))
    one, two = (statistics.median(each) for each in speeds.values())
    ratios = sorted(b / a for a, b in zip(*speeds.values(), strict=True))
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    name = f"{layers}×{units}, {batch}×{window}"
    return f"| {name} | {one:,.0f} | {two:,.0f} | {two / one:.2f} | {spread} |"


def arithmetic() -> Iterator[str]:
    """Rows of a Markdown table: how many times faster N machines are than one."""
    yield "| network, batch of a machine | link | " + " | ".join(map(str, MACHINES)) + " |"
    yield "|---" * (2 + len(MACHINES)) + "|"
    for name, megabytes, seconds in MEASURED:
        for link, rate, latency in LINKS:
            spent = {n: exchange_seconds(n, megabytes, rate, latency) for n in MACHINES}
            grown = [n * seconds / (seconds + spent[n]) for n in MACHINES]
            shared = [seconds / (seconds / n + spent[n]) for n in MACHINES]
            cells = [f"{one:.1f} / {other:.1f}" for one, other in zip(grown, shared, strict=True)]
            yield f"| {name}: {megabytes:g} MB, {seconds:g} s | {link} | {' | '.join(cells)} |"


def exchange_seconds(ranks: int, megabytes: float, rate: float, latency: float) -> float:
    """Seconds of a sum: all-to-all and all-gather of pieces, at MB/s and seconds of latency.

    A barrier before it takes as many turns as the number of ranks has binary digits.
    """
    turns = 2 * (ranks - 1)
    return turns / ranks * megabytes / rate + (turns + np.ceil(np.log2(ranks))) * latency


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--shapes", default="0,1,2", show_default=True, help="Which shapes of the list.")
@click.option("--arithmetic", "reckon", is_flag=True, help="Reckon instead of measuring.")
@click.option("--child", "given", hidden=True)
def main(rounds: int, shapes: str, reckon: bool, given: str | None) -> None:
    """Compare two ranks with one process at several sizes."""
    if given:
        child(given)
        return
    if reckon:
        print("\n".join(arithmetic()))
        return
    print("| layers × units, batch × window | one process | two ranks | ratio | of pairs |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(np.random.default_rng(0).choice(list(VOCABULARY), CHARACTERS))
        (Path(folder) / "corpus.txt").write_text(text)
        for number in map(int, shapes.split(",")):
            print(measure(Path(folder), SHAPES[number], rounds), flush=True)


if __name__ == "__main__":
    main()
