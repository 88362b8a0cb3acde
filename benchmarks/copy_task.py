"""How far back each cell remembers: a copy task of growing lag.

    python benchmarks/copy_task.py --plot docs/memory.svg

A sequence is three random symbols, `lag` blanks, and three marks at each of which one of
the symbols is to be named again, in their order. Each cell is trained anew at each lag, for
the same number of steps, from zero state, and then recalls the symbols of further sequences.
Chance is one in eight.
"""

import json
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from charrnn.cells import CELLS
from charrnn.config import Config
from charrnn.network.weights import initial_weights
from charrnn.runs.progress import Progress

SYMBOLS, COPIED = 8, 3
BLANK, MARK = SYMBOLS, SYMBOLS + 1
VOCABULARY = SYMBOLS + 2
BATCH, UNITS = 32, 64
TESTED = 512


class Result(NamedTuple):
    """Share of the symbols recalled, and the gradient's norm over the last steps."""

    cell: str
    lag: int
    recalled: float
    gradient_norm: float
    seconds: float


def task(rng: np.random.Generator, count: int, lag: int):
    """Inputs, targets and mask [B, T]: only what is recalled counts."""
    from charrnn.text.batches import Batch

    symbols = rng.integers(0, SYMBOLS, (count, COPIED), dtype=np.int32)
    blanks = np.full((count, lag), BLANK, np.int32)
    marks = np.full((count, COPIED), MARK, np.int32)
    inputs = np.concatenate([symbols, blanks, marks], 1)
    targets = np.concatenate([np.full((count, COPIED), BLANK, np.int32), blanks, symbols], 1)
    return Batch(inputs, targets, (inputs == MARK).astype(np.float32))


def measure(cell: str, lag: int, steps: int) -> Result:
    """Train one cell at one lag."""
    from charrnn.tf.network import set_weights, zero_state
    from charrnn.tf.start import keras
    from charrnn.training.plan import learning_rate
    from charrnn.training.step import Trainer

    keras.backend.clear_session()
    begin, rng = time.perf_counter(), np.random.default_rng(lag)
    config = Config.of(
        cell=cell, units=UNITS, embedding=0, dropout=0.0, weight_decay=0.0, batch_size=BATCH
    )
    trainer = Trainer(config, VOCABULARY)
    set_weights(trainer.model, initial_weights(config.model, VOCABULARY, seed=0))
    start, norms = zero_state(config.model, BATCH), []
    for step in range(steps):
        rate = learning_rate(config.training, Progress(step=step, end=steps))
        _, outcome = trainer.step(task(rng, BATCH, lag), start, step, rate)
        norms.append(outcome.gradient_norm)
    recalled = recall(trainer.model, config, task(rng, TESTED, lag))
    norm = float(np.median(norms[-steps // 10 :]))
    return Result(cell, lag, recalled, norm, time.perf_counter() - begin)


def recall(model, config: Config, batch) -> float:
    """The share of symbols that the model names at their marks."""
    from charrnn.tf.network import compile_function, zero_state
    from charrnn.tf.start import tf

    state = zero_state(config.model, len(batch.inputs))
    forward = compile_function(
        lambda ids: model((ids, state, tf.zeros(2, tf.int32)), training=False)[0], config.model
    )
    logits = np.asarray(forward(tf.constant(batch.inputs.T)))[-COPIED:]
    return float((logits.argmax(-1) == batch.targets.T[-COPIED:]).mean())


def table(results: list[Result]) -> str:
    """Share recalled, a row for each cell, the best first."""
    lags = sorted({each.lag for each in results})
    rows: dict[str, dict[int, Result]] = {}
    for each in results:
        rows.setdefault(each.cell, {})[each.lag] = each
    ranked = sorted(rows, key=lambda cell: -sum(each.recalled for each in rows[cell].values()))
    lines = [
        f"| cell | {' | '.join(f'lag {lag}' for lag in lags)} |",
        "|---" * (len(lags) + 1) + "|",
    ]
    for cell in ranked:
        shares = (f"{rows[cell][lag].recalled:.0%}" for lag in lags)
        lines.append(f"| `{cell}` | {' | '.join(shares)} |")
    return "\n".join(lines)


def plot(results: list[Result], path: Path) -> None:
    """The shares over the lag, a line for each cell."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    markers = "os^vD*PX"
    for number, cell in enumerate(dict.fromkeys(each.cell for each in results)):
        own = [each for each in results if each.cell == cell]
        style = {"marker": markers[number % len(markers)], "color": f"C{number % 10}"}
        lags, shares = [each.lag for each in own], [each.recalled for each in own]
        axes.plot(lags, shares, "-" if number < 10 else "--", label=cell, **style)
    axes.axhline(1 / SYMBOLS, color="0.7", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="lag, characters", ylabel="share of symbols recalled", ylim=(0, 1.03))
    axes.legend(ncols=2, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, metadata={"Date": None})


@click.command(help=__doc__)
@click.option("--lags", default="1,4,16,64,128", show_default=True)
@click.option("--steps", default=600, show_default=True, help="Steps of training at each lag.")
@click.option("--cells", default=",".join(CELLS), help="Their names, with commas between them.")
@click.option("--plot", "path", type=click.Path(path_type=Path), help="Draw the table to a file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(lags: str, steps: int, cells: str, path: Path | None, as_json: bool) -> None:
    results = []
    for cell in cells.split(","):
        for lag in map(int, lags.split(",")):
            results.append(measure(cell, lag, steps))
            click.echo(str(results[-1]), err=True)
    if path is not None:
        plot(results, path)
    click.echo(json.dumps([each._asdict() for each in results]) if as_json else table(results))


if __name__ == "__main__":
    main()
