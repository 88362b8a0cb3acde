"""Speed of sampling: the whole command, and characters per second against PyTorch's loop.

    pip install '.[bench]' && python benchmarks/sample_speed.py

Each figure is the median of several rounds, the sides in turn, each in a process of its own.
The models have random weights, 65 characters and an embedding of 64; PyTorch's side is the
loop that its users write: one character at a time through `nn.LSTM`, then `multinomial`.
"""

import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

EMBEDDING, LETTERS = 64, "".join(map(chr, range(33, 97)))
SHAPES = {"2x128": (2, 128), "2x512": (2, 512)}
LARGE = {"100 MB": (4, 1024)}
SIDES = ("numpy", "tensorflow", "torch")


def make_run(root: Path, layers: int, units: int) -> Path:
    """A run with random weights."""
    from charrnn.config import Config
    from charrnn.network.weights import add_prefix, initial_weights
    from charrnn.runs import checkpoints
    from charrnn.runs.checkpoints import Checkpoint
    from charrnn.runs.progress import Progress
    from charrnn.runs.run import Run
    from charrnn.text.vocabulary import Vocabulary

    config, vocabulary = Config.of(layers=layers, units=units), Vocabulary(LETTERS)
    weights = initial_weights(config.model, vocabulary.size, seed=0)
    tensors = add_prefix("weights", weights)
    run = Run(root / f"{layers}x{units}")
    run.folder.mkdir(exist_ok=True)
    checkpoints.save(run.best, Checkpoint(config, vocabulary, Progress(), tensors))
    return run.folder


def command_seconds(run: Path) -> float:
    """How long `charrnn sample --length 500` takes, from start to end."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "charrnn", "sample", str(run), "--length", "500"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def first_character_seconds(run: Path) -> float:
    """How long it takes until the first character is on a terminal."""
    screen, terminal = pty.openpty()
    begin = time.perf_counter()
    command = [sys.executable, "-m", "charrnn", "sample", str(run), "--length", "50"]
    process = subprocess.Popen(command, stdout=terminal, stderr=subprocess.DEVNULL)
    os.read(screen, 1)
    seconds = time.perf_counter() - begin
    process.wait()
    os.close(screen)
    os.close(terminal)
    return seconds


def charrnn_rate(side: str, run: Path, count: int, length: int) -> float:
    """Characters per second of a loaded model."""
    from charrnn.models.language_model import load

    model = load(run)
    writing = model.write(count=count, length=length + 10, seed=0, engine=side)
    pieces = iter(writing)
    for _ in range(10):
        next(pieces)
    begin = time.perf_counter()
    for _ in pieces:
        pass
    return count * length / (time.perf_counter() - begin)


def torch_rate(layers: int, units: int, count: int, length: int) -> float:
    """Characters per second of the usual PyTorch loop."""
    import torch

    torch.set_num_threads(2)
    size = len(LETTERS) + 1
    embedding = torch.nn.Embedding(size, EMBEDDING)
    lstm = torch.nn.LSTM(EMBEDDING, units, layers)
    dense = torch.nn.Linear(units, size)
    ids, state = torch.zeros(1, count, dtype=torch.long), None
    with torch.inference_mode():
        for step in range(length + 10):
            if step == 10:
                begin = time.perf_counter()
            features, state = lstm(embedding(ids), state)
            p = torch.softmax(dense(features[0]), -1)
            ids = torch.multinomial(p, 1).T
            [LETTERS[place % len(LETTERS)] for place in ids[0].tolist()]
    return count * length / (time.perf_counter() - begin)


def rate(side: str, run: Path, count: int) -> float:
    """One side's rate, measured in a process of its own."""
    command = [sys.executable, __file__, "--one", f"{side},{run},{count}"]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(result.stdout)


def one(text: str) -> float:
    """What `rate` asks for."""
    side, run, count_ = text.split(",")
    count = int(count_)
    layers, units = map(int, Path(run).name.split("x"))
    length = 2e8 // (units * units * layers * count**0.8) if side != "torch" else 300
    length = int(np.clip(length, 60, 5000))
    if side == "torch":
        return torch_rate(layers, units, count, length)
    return charrnn_rate(side, Path(run), count, length)


def medians(measures: dict[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(values) for name, values in measures.items()}


def measure(root: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Every figure, by what it is a figure of."""
    shapes = {name: make_run(root, *shape) for name, shape in (SHAPES | LARGE).items()}
    figures: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for name, run in shapes.items():
            times = figures.setdefault(f"command {name}, seconds", {})
            times.setdefault("500 characters", []).append(command_seconds(run))
            times.setdefault("first character", []).append(first_character_seconds(run))
        for name in SHAPES:
            for count in (1, 64, 1024):
                rates = figures.setdefault(f"{name}, {count} texts, characters/s", {})
                for side in SIDES:
                    rates.setdefault(side, []).append(rate(side, shapes[name], count))
    return {name: medians(values) for name, values in figures.items()}


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--one", "single", hidden=True)
def main(rounds: int, as_json: bool, single: str | None) -> None:
    if single is not None:
        click.echo(one(single))
        return
    with tempfile.TemporaryDirectory() as root:
        figures = measure(Path(root), rounds)
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, values in figures.items():
        shown = ", ".join(f"{side} {value:,.6g}" for side, value in values.items())
        versus = f", {values['numpy'] / values['torch']:.2f} x torch" if "torch" in values else ""
        click.echo(f"{name}: {shown}{versus}")


if __name__ == "__main__":
    main()
