"""Training speed on a CPU: charrnn, stock Keras and PyTorch, in turn.

    pip install '.[bench]' && python benchmarks/train_speed.py

Each side has two threads and a process of its own; they run in turn (sides.py), and a figure is
the median of the rounds. A step is forward, backward, clipping and Adam on a batch of random
characters, V = 65 (or --vocabulary), embedding 64. "starts in" is import, build and compile; "peak"
the process's memory. `coupled`, the cell of the recipes, has no counterpart in the others: they run
the LSTM, which has one product more.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sides import THREADS, Round, run_in_turn

EMBEDDING = 64
ROUND_SECONDS = 1.0


@dataclass(frozen=True)
class Shape:
    """A model and its batch."""

    cell: str
    layers: int
    units: int
    batch: int
    steps: int
    vocabulary: int = 65

    def __str__(self) -> str:
        return f"{self.cell} {self.layers}x{self.units}, batch {self.batch}x{self.steps}"

    @property
    def characters(self) -> int:
        """Targets in a batch."""
        return self.batch * self.steps

    @property
    def counterpart(self) -> str:
        """The cell that the other sides run: they have no `coupled`."""
        return "lstm" if self.cell == "coupled" else self.cell


SHAPES = [
    Shape("lstm", 2, 128, 50, 50),
    Shape("lstm", 2, 512, 64, 100),
    Shape("gru", 2, 128, 50, 50),
    Shape("gru", 2, 512, 64, 100),
    Shape("rnn", 2, 128, 50, 50),
    *(
        Shape(cell, layers, units, 16, 64)  # the sizes that the rule of the recipes picks
        for cell in ("lstm", "coupled")
        for layers, units in ((1, 384), (2, 384), (2, 640))
    ),
]
Step = Callable[[], Any]


def charrnn_step(shape: Shape) -> Step:
    """charrnn as its command line runs it."""
    from charrnn.cli.process import keep_memory

    keep_memory()
    import numpy as np

    from charrnn.config import Config
    from charrnn.network.weights import initial_weights
    from charrnn.text.batches import Streams
    from charrnn.tf.network import set_weights, zero_state
    from charrnn.training.step import Trainer

    config = Config.of(
        cell=shape.cell,
        layers=shape.layers,
        units=shape.units,
        embedding=EMBEDDING,
        dropout=0,
        batch_size=shape.batch,
        seq_length=shape.steps,
    )
    trainer = Trainer(config, shape.vocabulary)
    set_weights(trainer.model, initial_weights(config.model, shape.vocabulary, seed=0))
    ids = np.random.default_rng(0).integers(0, shape.vocabulary, shape.characters + 1)
    batch = Streams(ids, shape.batch, shape.steps).window(0)
    state = zero_state(config.model, shape.batch)

    def step() -> float:
        nonlocal state
        state, outcome = trainer.step(batch, state, 0, 1e-3)
        return outcome.loss_nats

    return step


def keras_step(shape: Shape, jit: bool) -> Step:
    """Stock Keras layers in a compiled function, the state carried."""
    from charrnn.tf.start import keras, tf

    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
    embed = keras.layers.Embedding(shape.vocabulary, EMBEDDING)
    layers = [
        kind[shape.counterpart](shape.units, return_sequences=True, return_state=True)
        for _ in range(shape.layers)
    ]
    dense = keras.layers.Dense(shape.vocabulary)
    ids = tf.random.uniform((shape.batch, shape.steps), 0, shape.vocabulary, tf.int32, seed=0)
    parts = 2 if shape.counterpart == "lstm" else 1
    state = [[tf.zeros((shape.batch, shape.units))] * parts for _ in layers]

    def forward(ids: Any, state: Any) -> Any:
        x, after = embed(ids), []
        for layer, before in zip(layers, state, strict=True):
            x, *last = layer(x, initial_state=before)
            after.append(last)
        return dense(x), after

    forward(ids, state)
    variables = [v for layer in (embed, *layers, dense) for v in layer.trainable_variables]
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(variables)

    @tf.function(jit_compile=jit)
    def update(ids: Any, state: Any) -> Any:
        with tf.GradientTape() as tape:
            logits, after = forward(ids, state)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ids, logits=logits)
            )
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
        optimizer.apply(gradients, variables)
        return loss, after

    def step() -> float:
        nonlocal state
        loss, state = update(ids, state)
        return float(loss)

    return step


def torch_step(shape: Shape) -> Step:
    """PyTorch's fused layers, as a user runs them."""
    import torch

    torch.set_num_threads(THREADS)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[shape.counterpart]
    embed = torch.nn.Embedding(shape.vocabulary, EMBEDDING)
    layers = kind(EMBEDDING, shape.units, shape.layers, batch_first=True)
    dense = torch.nn.Linear(shape.units, shape.vocabulary)
    parameters = [p for module in (embed, layers, dense) for p in module.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-3)
    ids = torch.randint(0, shape.vocabulary, (shape.batch, shape.steps))
    state: Any = None

    def step() -> float:
        nonlocal state
        x, after = layers(embed(ids), state)
        loss = torch.nn.functional.cross_entropy(dense(x).flatten(0, 1), ids.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        detach = torch.Tensor.detach
        state = tuple(map(detach, after)) if isinstance(after, tuple) else after.detach()
        return float(loss.detach())

    return step


SIDES: dict[str, Callable[[Shape], Step]] = {
    "charrnn": charrnn_step,
    "keras": lambda shape: keras_step(shape, jit=False),
    "keras_jit": lambda shape: keras_step(shape, jit=True),
    "torch": torch_step,
}


def start(side: str, shape: Shape) -> Round:
    """Compile a side's step; what runs a round of it."""
    step = SIDES[side](shape)
    step()
    return partial(seconds_per_step, step)


def seconds_per_step(step: Step) -> float:
    """The mean over one round, after a step that warms the caches."""
    step()
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < ROUND_SECONDS:
        step()
        count += 1
    return (time.perf_counter() - begin) / count


def measure(shape: Shape, names: list[str], rounds: int) -> dict[str, Any]:
    """Characters per second of each side, what each took to start, and its peak memory."""
    sides = run_in_turn({name: partial(start, name, shape) for name in names}, rounds)
    return {
        "shape": str(shape),
        "chars_per_second": {name: shape.characters / side.seconds for name, side in sides.items()},
        "start_seconds": {name: side.start_seconds for name, side in sides.items()},
        "peak_mb": {name: side.peak_mb for name, side in sides.items()},
    }


def with_ratios(result: dict[str, Any]) -> dict[str, Any]:
    """The result with charrnn's speed as a multiple of the others'."""
    speeds = result["chars_per_second"]
    stock = [speeds[side] for side in ("keras", "keras_jit") if side in speeds]
    others = {"torch": speeds.get("torch"), "keras": max(stock, default=None)}
    ours = speeds.get("charrnn")
    ratios = {name: ours / speed for name, speed in others.items() if ours and speed}
    return result | {"ratios": ratios}


def matrix_gflops() -> float:
    """The machine's rate at a large float32 matrix product with two threads: the limit."""
    import numpy as np

    size = 2048
    a, b = (np.random.default_rng(0).random((size, size), np.float32) for _ in range(2))
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / statistics.median(times) / 1e9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="rounds (default: 11)")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument("--vocabulary", type=int, default=65, help="characters (default: 65)")
    parser.add_argument(
        "--sides", nargs="+", choices=SIDES, default=list(SIDES), help="what to run (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    shapes = [each for each in SHAPES if options.only in str(each)]
    if not shapes:
        parser.error(f"--only {options.only}: not in {'; '.join(map(str, SHAPES))}")
    results = []
    for shape in (replace(shape, vocabulary=options.vocabulary) for shape in shapes):
        results.append(with_ratios(measure(shape, options.sides, options.rounds)))
        if not options.json:
            print(line(results[-1]), flush=True)
    if options.json:
        print(json.dumps({"matrix_gflops": matrix_gflops(), "results": results}, indent=2))
    else:
        print(f"matrix product: {matrix_gflops():.0f} GFLOP/s")


def line(result: dict[str, Any]) -> str:
    """A result for reading."""
    speeds = ", ".join(f"{k} {v:,.0f}" for k, v in result["chars_per_second"].items())
    ratios = ", ".join(f"{v:.2f} x {k}" for k, v in result["ratios"].items())
    start, peak = (result[what].get("charrnn", 0) for what in ("start_seconds", "peak_mb"))
    ours = f"starts in {start:.1f} s, peak {peak:.0f} MB"
    return f"{result['shape']:28} {speeds} chars/s: {ratios}; {ours}"


if __name__ == "__main__":
    main()
