"""Speed of the layers on a CPU: charrnn, stock Keras and PyTorch, in turn.

    pip install '.[bench]' && python benchmarks/layer_speed.py

Recurrent layers that return every output, and a dense layer with ten outputs, learn from random
sequences of 32 features, with Adam. The first two sides run `fit` and `evaluate` of the same
Keras model, the third PyTorch's layers in a loop as its users write it. Each side lives in a
process of its own and has two threads; the parent lets them run one after the other, round after
round (A B C A B C …), and takes medians. "starts in" is import, build and compile. No side's
allocator is set to anything. Of padded sequences the second half is masked; PyTorch has no such
masks, and is left out there.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

THREADS = 2
FEATURES = 32
CLASSES = 10
ROUND_SECONDS = 1.0


@dataclass(frozen=True)
class Shape:
    """A model and its batch."""

    cell: str
    layers: int
    units: int
    batch: int = 32
    steps: int = 100
    bidirectional: bool = False
    padded: bool = False

    def __str__(self) -> str:
        kind = "bidirectional " * self.bidirectional + "padded " * self.padded + self.cell
        return f"{kind} {self.layers}x{self.units}, batch {self.batch}x{self.steps}"


SHAPES = [
    *(
        shape
        for cell in ("lstm", "gru")
        for shape in (
            Shape(cell, 1, 128),
            Shape(cell, 2, 256),
            Shape(cell, 2, 128, bidirectional=True),
            Shape(cell, 1, 128, padded=True),
            Shape(cell, 1, 16, batch=1, steps=10),
            Shape(cell, 1, 16, batch=32, steps=10),
            Shape(cell, 1, 64, batch=8, steps=30),
            Shape(cell, 1, 512, batch=64, steps=50),
        )
    ),
]
Work = Callable[[int], Any]
"""Does what is measured for so many batches."""


@cache
def data(shape: Shape, batches: int) -> tuple[Any, Any]:
    """Sequences and a class for each time step; of padded ones the second half is zero."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(shape.batch * batches, shape.steps, FEATURES)).astype("float32")
    if shape.padded:
        x[:, shape.steps // 2 :] = 0
    return x, rng.integers(0, CLASSES, x.shape[:2])


def keras_model(shape: Shape, layers: Any) -> Any:
    """The model with the recurrent layers of a module."""
    import keras

    kind = {"lstm": layers.LSTM, "gru": layers.GRU}[shape.cell]
    model = keras.Sequential([keras.Input((shape.steps, FEATURES))])
    if shape.padded:
        model.add(keras.layers.Masking())
    for _ in range(shape.layers):
        layer = kind(shape.units, return_sequences=True)
        model.add(keras.layers.Bidirectional(layer) if shape.bidirectional else layer)
    model.add(keras.layers.Dense(CLASSES))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return model


def keras_work(shape: Shape, layers: Any, task: str) -> Work:
    """`fit` or `evaluate` of a Keras model."""
    model = keras_model(shape, layers)

    def work(batches: int) -> None:
        x, y = data(shape, batches)
        getattr(model, task)(x, y, batch_size=shape.batch, verbose=0)

    return work


def charrnn_work(shape: Shape, task: str) -> Work:
    """The layers of charrnn."""
    import charrnn.layers

    return keras_work(shape, charrnn.layers, task)


def stock_work(shape: Shape, task: str) -> Work:
    """The layers of Keras."""
    import keras

    return keras_work(shape, keras.layers, task)


def torch_work(shape: Shape, task: str) -> Work:
    """PyTorch's fused layers."""
    import torch

    torch.set_num_threads(THREADS)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[shape.cell]
    both = {"bidirectional": shape.bidirectional}
    layers = kind(FEATURES, shape.units, shape.layers, batch_first=True, **both)
    dense = torch.nn.Linear(shape.units * (1 + shape.bidirectional), CLASSES)
    parameters = [*layers.parameters(), *dense.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-3)

    def loss_of(x: Any, y: Any) -> Any:
        logits = dense(layers(x)[0]).flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, y.flatten())

    def learn(x: Any, y: Any) -> float:
        loss = loss_of(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    def look(x: Any, y: Any) -> float:
        with torch.no_grad():
            return float(loss_of(x, y))

    def work(batches: int) -> None:
        pairs = map(torch.from_numpy, data(shape, batches))
        for x, y in zip(*(each.split(shape.batch) for each in pairs), strict=True):
            (learn if task == "fit" else look)(x, y)

    return work


SIDES: dict[str, Callable[[Shape, str], Work]] = {
    "charrnn": charrnn_work,
    "keras": stock_work,
    "torch": torch_work,
}


def serve(side: str, shape: Shape, task: str, connection: Connection) -> None:
    """The life of a side's process: compile, then run a round whenever told to."""
    begin = time.perf_counter()
    work = SIDES[side](shape, task)
    work(1)
    connection.send(time.perf_counter() - begin)
    batches = enough(work)
    while connection.recv():
        connection.send(seconds(work, batches) / batches)


def seconds(work: Work, batches: int) -> float:
    """How long so many batches take."""
    begin = time.perf_counter()
    work(batches)
    return time.perf_counter() - begin


def enough(work: Work) -> int:
    """So many batches that a round lasts long enough."""
    batches = 2
    while (taken := seconds(work, batches)) < ROUND_SECONDS / 2:
        batches *= 2
    return max(2, round(batches * ROUND_SECONDS / taken))


class Side:
    """A side's process, seen from the parent."""

    def __init__(self, name: str, shape: Shape, task: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (name, shape, task, theirs)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()  # or a process that failed would be waited for
        self.start_seconds = self.connection.recv()
        self.times: list[float] = []

    def run(self) -> None:
        """A round."""
        self.connection.send(True)
        self.times.append(self.connection.recv())

    def end(self) -> None:
        """The process goes, and leaves the cores to others."""
        self.connection.send(False)
        self.process.join()


def measure(shape: Shape, task: str, names: list[str], rounds: int) -> dict[str, Any]:
    """Milliseconds for a batch of each side, and what each took to start."""
    able = [name for name in names if not (shape.padded and name == "torch")]
    sides = {name: Side(name, shape, task) for name in able}
    for _ in range(rounds):
        for side in sides.values():
            side.run()
    for side in sides.values():
        side.end()
    times = {name: 1e3 * statistics.median(side.times) for name, side in sides.items()}
    ours = times.get("charrnn")
    return {
        "shape": str(shape),
        "task": task,
        "ms_per_batch": times,
        "start_seconds": {name: side.start_seconds for name, side in sides.items()},
        "ratios": {name: each / ours for name, each in times.items() if ours and name != "charrnn"},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default: 7)")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument(
        "--tasks", nargs="+", choices=["fit", "evaluate"], default=["fit", "evaluate"]
    )
    parser.add_argument(
        "--sides", nargs="+", choices=SIDES, default=list(SIDES), help="what to run (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(THREADS)
    results = []
    for shape in (each for each in SHAPES if options.only in str(each)):
        for task in options.tasks:
            results.append(measure(shape, task, options.sides, options.rounds))
            if not options.json:
                print(line(results[-1]), flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


def line(result: dict[str, Any]) -> str:
    """A result for reading."""
    times = ", ".join(f"{k} {v:.2f}" for k, v in result["ms_per_batch"].items())
    ratios = ", ".join(f"{v:.2f} x {k}" for k, v in result["ratios"].items())
    start = ", ".join(f"{v:.0f}" for v in result["start_seconds"].values())
    return f"{result['task']:8} {result['shape']:38} {times} ms: {ratios}; starts in {start} s"


if __name__ == "__main__":
    main()
