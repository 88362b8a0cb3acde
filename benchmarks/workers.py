"""Two workers with a core each, against one process with both cores: characters per second.

    python benchmarks/workers.py --rounds 3
    sudo python benchmarks/workers.py --rounds 3 --rate 1000 --delay 1
    sudo python benchmarks/workers.py --rounds 3 --rate 100 --delay 10 --exchange-every 1,10,50
    python benchmarks/workers.py --arithmetic

The sides run in turn, round after round, each in fresh processes; a row has the median of each.
With `--rate`, the two workers live in network namespaces of their own, and the link between them
has this rate and this delay (Linux, as root; see slow_link.py). With `--exchange-every` there is a
side for each number of steps between exchanges. `--cores 1,2` instead pins one process to so many
cores.
`--arithmetic` measures nothing: it reckons how many workers pay over which link, and how that is
where they learn by themselves between exchanges. `--losses corpus.txt` trains two workers with
exchanges at several distances, on the same characters, and tells the losses.
"""

import csv
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path

import click
import numpy as np
from slow_link import slow_link

SHAPES = [  # layers, units, batch, window
    (2, 128, 50, 50),
    (1, 384, 16, 64),
    (2, 512, 64, 100),
    (2, 1024, 64, 64),
]
VOCABULARY = "".join(map(chr, range(ord("0"), ord("0") + 64)))
CHARACTERS = 1_000_000
WARM_STEPS = 3
Ends = tuple[tuple[str | None, str], ...]
"""Of each worker the namespace, if it has one of its own, and the address."""
LOOPBACK: Ends = ((None, "127.0.0.1"), (None, "127.0.0.1"))
FIRST_PORT = 24801


MEASURED = [  # megabytes of gradients, seconds of a step on two cores
    ("2×128, 50×50", 0.97, 0.037),
    ("2×512, 64×100", 13.3, 0.86),
    ("2×1024, 64×64", 51.2, 2.1),
]
LINKS = [  # MB/s, seconds from one worker to the next
    ("1 Gb/s, 1 ms", 119, 0.001),
    ("10 Gb/s, 0.1 ms", 1190, 0.0001),
]
SLOW_LINKS = [
    ("100 Mb/s, 10 ms", 11.9, 0.01),
    ("10 Mb/s, 50 ms", 1.19, 0.05),
]
DISTANCES = (1, 10, 50, 500)
"""Steps from one exchange to the next."""


LEARNT = {
    "overwrite": True,
    "layers": 2,
    "units": 128,
    "batch_size": 32,
    "seq_length": 64,
    "threads": 1,
    "parts": 1,
    "sample_every": 0,
    "eval_chars": 100_000,
    "eval_every": 200,
}
"""What `--losses` trains."""


def child(given: str) -> None:
    """Train in this process, and print the characters per second after the first steps."""
    from charrnn.cli.allocator import keep_memory

    keep_memory()
    import charrnn
    from charrnn.training.events import Stepped

    times, characters = [], 0
    settings = json.loads(given)
    for event in charrnn.train(settings.pop("text"), **settings):
        if isinstance(event, Stepped):
            times.append(time.perf_counter())
            characters = max(characters, event.characters)
    print(characters / np.diff(times)[WARM_STEPS:].mean())


def command(settings: dict, cores: str, namespace: str | None = None) -> list[str]:
    """A process that trains, on these cores alone."""
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    script = [sys.executable, __file__, "--child", json.dumps(settings)]
    return [*inside, "taskset", "-c", cores, *script]


def run(commands: list[list[str]]) -> float:
    """What the first of some processes prints, which run side by side."""
    started = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True) for each in commands]
    outputs = [each.communicate()[0] for each in started]
    return float(outputs[0].split()[-1])


def one_process(folder: Path, settings: dict, cores: str) -> float:
    """Characters per second of one process."""
    given = settings | {"checkpoints": str(folder / "alone")}
    return run([command(given, cores)])


def two_workers(folder: Path, settings: dict, ends: Ends) -> float:
    """Characters per second of two workers together."""
    addresses = with_ports(ends)
    commands = []
    for worker, (namespace, _) in enumerate(ends):
        own = {"checkpoints": str(folder / f"worker-{worker}"), "worker": worker}
        given = settings | own | {"workers": addresses}
        commands.append(command(given, str(worker), namespace))
    return run(commands)


def with_ports(ends: Ends) -> list[str]:
    """The addresses of the workers, each with a port of its own."""
    return [f"{address}:{FIRST_PORT + worker}" for worker, (_, address) in enumerate(ends)]


def joined(rate: float | None, delay: float) -> AbstractContextManager[Ends]:
    """Two workers' ends: on this machine or, with a rate, of a link of Mb/s and milliseconds."""
    if rate is None:
        return nullcontext(LOOPBACK)
    return slow_link(rate * 1e6 / 8, delay / 1e3)


def measure(
    folder: Path, shape: tuple, steps: int, rounds: int, ends: Ends, every: list[int], cores: str
) -> str:
    """A row of the table."""
    layers, units, batch, window = shape
    settings = {
        "text": str(folder / "corpus.txt"),
        "overwrite": True,
        "layers": layers,
        "units": units,
        "batch_size": batch,
        "seq_length": window,
        "embedding": 64,
        "steps": steps,
        "eval_every": 10**6,
        "eval_chars": 1000,
        "sample_every": 0,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "cell": "lstm",
        "skip_connections": False,
        "stretch": 0,
    }
    sides: dict[str, Callable[[], float]] = {}
    for count in filter(None, cores.split(",")):
        sides[f"one process, {count} cores"] = pinned(folder, settings, count)
    if not cores:
        sides["one process"] = pinned(folder, settings, "2")
        for distance in every:
            sides[f"two workers, every {distance}"] = dealt(folder, settings, ends, distance)
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
            speeds[name].append(sides[name]())
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    first = next(iter(medians.values()))
    row = "  ".join(f"{name} {speed:,.0f} ({speed / first:.2f})" for name, speed in medians.items())
    return f"{layers}×{units}, {batch}×{window}: {row}"


def dealt(folder: Path, settings: dict, ends: Ends, distance: int) -> Callable[[], float]:
    """Two workers that exchange every so many steps."""
    return lambda: two_workers(folder, settings | {"exchange_every": distance}, ends)


def pinned(folder: Path, settings: dict, count: str) -> Callable[[], float]:
    """One process on the first cores."""
    return lambda: one_process(folder, settings, ",".join(map(str, range(int(count)))))


def arithmetic() -> Iterator[str]:
    """Rows of a Markdown table: how many times faster N workers are than one."""
    counts = (2, 8, 16, 32, 64)
    yield "| network, batch of a worker | link | " + " | ".join(map(str, counts)) + " |"
    yield "|---" * (2 + len(counts)) + "|"
    for name, megabytes, seconds in MEASURED:
        for link, rate, latency in LINKS:
            spent = {n: exchange_seconds(n, megabytes, rate, latency) for n in counts}
            grown = [n * seconds / (seconds + spent[n]) for n in counts]
            shared = [seconds / (seconds / n + spent[n]) for n in counts]
            cells = [f"{one:.1f} / {other:.1f}" for one, other in zip(grown, shared, strict=True)]
            yield f"| {name}: {megabytes:g} MB, {seconds:g} s | {link} | {' | '.join(cells)} |"


def slow_arithmetic() -> Iterator[str]:
    """Rows of a Markdown table: what exchanges leave of N workers' speed over slow links."""
    yield "| network, batch of a worker | link | " + " | ".join(map(str, DISTANCES)) + " |"
    yield "|---" * (2 + len(DISTANCES)) + "|"
    for name, megabytes, seconds in MEASURED:
        for link, rate, latency in SLOW_LINKS:
            spent = {n: exchange_seconds(n, megabytes, rate, latency) for n in (2, 8)}
            cells = [
                " / ".join(
                    f"{n * seconds / (seconds + each / every):.2g}" for n, each in spent.items()
                )
                for every in DISTANCES
            ]
            yield f"| {name}: {megabytes:g} MB, {seconds:g} s | {link} | {' | '.join(cells)} |"


def losses(text: str, every: list[int], steps: int) -> Iterator[str]:
    """Rows of a Markdown table: the losses of two workers with exchanges at these distances.

    Each has a thread, and both share a core, so that nothing but the losses can be read from it.
    """
    yield "| steps between exchanges | training loss | validation loss | best |"
    yield "|---|---|---|---|"
    addresses = with_ports(LOOPBACK)
    for distance in every:
        folder = Path(tempfile.mkdtemp())
        settings = LEARNT | {"text": text, "steps": steps, "exchange_every": distance}
        sides = [
            settings | {"worker": n, "checkpoints": str(folder / str(n)), "workers": addresses}
            for n in (0, 1)
        ]
        run([command(each, "0") for each in sides])
        (history,) = folder.glob("0/*/history.csv")
        with history.open() as file:
            rows = list(csv.DictReader(file))
        best = min(float(row["val_loss_nats"]) for row in rows)
        train, validation = (float(rows[-1][name]) for name in ("train_loss_nats", "val_loss_nats"))
        shutil.rmtree(folder)
        yield f"| {distance} | {train:.3f} | {validation:.3f} | {best:.3f} |"


def exchange_seconds(workers: int, megabytes: float, rate: float, latency: float) -> float:
    """Seconds in which gradients travel around the ring, at MB/s and seconds of latency."""
    turns = 2 * (workers - 1)
    return turns / workers * megabytes / rate + turns * latency


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--steps", default=14, show_default=True, help="Steps of each process.")
@click.option("--rate", type=float, help="Mb/s of the link between the workers.")
@click.option("--delay", default=0.0, help="Milliseconds from one end of the link to the other.")
@click.option(
    "--exchange-every", "every", default="1", show_default=True, help="Distances of exchanges."
)
@click.option("--cores", default="", help="Numbers of cores to compare, with one process.")
@click.option("--shapes", default="0,1,2,3", show_default=True, help="Which shapes of the list.")
@click.option("--arithmetic", "reckon", is_flag=True, help="Reckon instead of measuring.")
@click.option("--losses", "text", metavar="TEXT", help="Compare losses on this text instead.")
@click.option("--child", "given", hidden=True)
def main(
    rounds: int,
    steps: int,
    rate: float | None,
    delay: float,
    every: str,
    cores: str,
    shapes: str,
    reckon: bool,
    text: str | None,
    given: str | None,
) -> None:
    """Compare workers with one process at several sizes."""
    if given:
        child(given)
        return
    distances = list(map(int, every.split(",")))
    if reckon or text:
        rows = (
            losses(str(text), distances, steps) if text else chain(arithmetic(), slow_arithmetic())
        )
        for row in rows:
            click.echo(row)
        return
    folder = Path(tempfile.mkdtemp())
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list(VOCABULARY), CHARACTERS))
    (folder / "corpus.txt").write_text(text)
    with joined(rate, delay) as ends:
        for number in map(int, shapes.split(",")):
            shape = SHAPES[number]
            click.echo(measure(folder, shape, steps, rounds, ends, distances, cores))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
