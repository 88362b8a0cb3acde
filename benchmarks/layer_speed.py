"""Speed of the layers on a CPU: charrnn, stock Keras and PyTorch, in turn.

    pip install '.[bench]' && python benchmarks/layer_speed.py

Recurrent layers that return every output, and a dense layer with ten outputs, learn from random
sequences of 32 features, with Adam. The first two sides run `fit` and `evaluate` of the same
Keras model, the third PyTorch's layers in a loop as its users write it. Each side has two threads
and a process of its own; they run in turn (sides.py), and a figure is the median of the rounds.
"starts in" is import, build and compile. No side's allocator is set to anything. Of padded
sequences the second half is masked; PyTorch has no such masks, and is left out there.

Timed is what lies between the end of the first batch and the end of the last. Now and then `fit`
and `evaluate` also wait when an epoch is over, for up to as long as the epoch took (TensorFlow
2.21; why is not known). That wait comes with Keras's layers too, and says nothing of one.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sides import THREADS, Round, run_in_turn

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
Work = Callable[[int], float]
"""Does what is measured for so many batches, and returns the seconds of one."""


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
    import keras

    model, ends = keras_model(shape, layers), []

    def note(batch: int, logs: Any) -> None:
        ends.append(time.perf_counter())

    timer = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    timer.on_test_batch_end = note  # which LambdaCallback does not take

    def work(batches: int) -> float:
        ends.clear()
        x, y = data(shape, batches)
        getattr(model, task)(x, y, batch_size=shape.batch, verbose=0, callbacks=[timer])
        return seconds_of_one(ends)

    return work


def seconds_of_one(ends: list[float]) -> float:
    """The seconds of a batch, from the times at which each of several was done."""
    return (ends[-1] - ends[0]) / max(1, len(ends) - 1)


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

    def work(batches: int) -> float:
        ends = []
        pairs = map(torch.from_numpy, data(shape, batches))
        for x, y in zip(*(each.split(shape.batch) for each in pairs), strict=True):
            (learn if task == "fit" else look)(x, y)
            ends.append(time.perf_counter())
        return seconds_of_one(ends)

    return work


SIDES: dict[str, Callable[[Shape, str], Work]] = {
    "charrnn": charrnn_work,
    "keras": stock_work,
    "torch": torch_work,
}


def start(side: str, shape: Shape, task: str) -> Round:
    """Compile a side; what runs a round of so many batches that it lasts long enough."""
    work = SIDES[side](shape, task)
    work(1)
    batches = cache(partial(enough, work))  # found in the first round
    return lambda: work(batches())


def enough(work: Work) -> int:
    """So many batches that a round lasts long enough."""
    batches = 4
    while (taken := batches * work(batches)) < ROUND_SECONDS / 4:
        batches *= 2
    return max(4, round(batches * ROUND_SECONDS / taken))


def measure(shape: Shape, task: str, names: list[str], rounds: int) -> dict[str, Any]:
    """Milliseconds for a batch of each side, and what each took to start."""
    able = [name for name in names if not (shape.padded and name == "torch")]
    sides = run_in_turn({name: partial(start, name, shape, task) for name in able}, rounds)
    times = {name: 1e3 * side.seconds for name, side in sides.items()}
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
