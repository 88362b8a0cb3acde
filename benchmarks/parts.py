"""Into how many parts to cut a batch: characters per second of a training step, by parts.

    python benchmarks/parts.py --parts 1,2,4 --rounds 5

The parts are measured in turn, round after round; a row has the median of each, and marks what
`charrnn.tf.parts.choose_parts` chooses on this machine.
"""

import statistics
import time
from collections.abc import Callable

import click
import numpy as np

SIZES = [  # cell, layers, units, batch, window
    ("lstm", 1, 384, 16, 64),
    ("lstm", 2, 128, 50, 50),
    ("coupled", 2, 384, 16, 64),
    ("lstm", 2, 512, 64, 100),
    ("lstm", 1, 1024, 32, 64),
    ("gru", 1, 1024, 128, 32),
    ("rnn", 2, 128, 50, 50),
]
VOCABULARY = 65


def stepper(cell: str, layers: int, units: int, batch: int, window: int, parts: int) -> Callable:
    """A function that takes one training step, compiled."""
    from charrnn.config import Config
    from charrnn.network.weights import initial_weights
    from charrnn.text.batches import Batch
    from charrnn.tf.network import set_weights, zero_state
    from charrnn.training.step import Trainer

    sizes = {"batch_size": batch, "seq_length": window, "parts": parts}
    config = Config.of(cell=cell, layers=layers, units=units, **sizes)
    trainer = Trainer(config, VOCABULARY)
    set_weights(trainer.model, initial_weights(config.model, VOCABULARY, seed=0))
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (2, batch, window), dtype=np.int32)
    data, state = Batch(*ids, np.ones((batch, window), np.float32)), zero_state(config.model, batch)
    step = lambda: trainer.step(data, state, 0, 0.001)  # noqa: E731
    step()
    return step


def seconds(step: Callable, least: float = 1.0) -> float:
    """The median seconds of a step, over at least so many in all."""
    times: list[float] = []
    while sum(times) < least or len(times) < 3:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


@click.command()
@click.option("--parts", default="1,2,4", show_default=True, help="Numbers of parts to compare.")
@click.option("--rounds", default=5, show_default=True)
def main(parts: str, rounds: int) -> None:
    """Compare numbers of parts at several sizes."""
    from charrnn.cli.process import keep_memory

    keep_memory()
    from charrnn.config import Config
    from charrnn.tf.limits import cores
    from charrnn.tf.parts import choose_parts

    numbers = [int(number) for number in parts.split(",")]
    click.echo(f"{cores()} cores; characters per second, * is what charrnn chooses")
    for cell, layers, units, batch, window in SIZES:
        steps = {n: stepper(cell, layers, units, batch, window, n) for n in numbers}
        times: dict[int, list[float]] = {n: [] for n in numbers}
        for turn in range(rounds):
            for n in numbers if turn % 2 == 0 else numbers[::-1]:
                times[n].append(seconds(steps[n]))
        chosen = choose_parts(Config.of(layers=layers, units=units, batch_size=batch), cores())
        row = [
            f"{n} parts {batch * window / statistics.median(times[n]):9,.0f}{'*' * (n == chosen)}"
            for n in numbers
        ]
        click.echo(f"{cell} {layers}×{units}, {batch}×{window}: {'  '.join(row)}")


if __name__ == "__main__":
    main()
