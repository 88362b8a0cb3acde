"""How far a stream's warm-up replaces the state that one pass over the text would bring along.

    python benchmarks/warmup.py tinyshakespeare.txt

trains small networks of several cells, scores the validation part of each in one stream, whose
state is carried from its first character to its last, and then in 64 streams with warm-ups
of several lengths, as `charrnn evaluate` does with 128 characters. The table shows how much
the loss differs.
"""

import tempfile

import click
import numpy as np

import charrnn
from charrnn.models.language_model import LanguageModel
from charrnn.text.batches import Streams
from charrnn.tf.evaluation import STREAMS, WINDOW, Evaluator

WARMUPS = (0, 32, 128, 512)
CELLS = "lstm,coupled,gru,mingru,rnn,irnn,indrnn,scrn,clockwork"


class Cut(Evaluator):
    """Scores a text in so many streams with this warm-up."""

    def __init__(self, model: LanguageModel, count: int, warmup: int) -> None:
        super().__init__(model.network, model.checkpoint.config.model, model.vocabulary.size)
        self._count, self._warmup = count, warmup

    def streams(self, ids: np.ndarray) -> Streams:
        return Streams(ids, self._count, WINDOW, self._warmup)


def losses(model: LanguageModel, ids: np.ndarray) -> tuple[float, list[float]]:
    """Nats per character in one stream, and in many with each of the warm-ups."""
    carried = Cut(model, 1, 0).score(ids).nats_per_char
    return carried, [Cut(model, STREAMS, each).score(ids).nats_per_char for each in WARMUPS]


def row(cell: str, corpus: str, steps: int, units: int, root: str) -> str:
    """Train a network of a cell, and write its line of the table."""
    plan = {"steps": steps, "units": units, "layers": 1, "eval_every": steps, "sample_every": 0}
    for _ in charrnn.train(corpus, cell=cell, name=cell, checkpoints=root, **plan):
        pass
    model = charrnn.load(cell, which="last", checkpoints=root)
    carried, warmed = losses(model, np.asarray(model.corpus().validation))
    differences = " | ".join(f"{each - carried:+.5f}" for each in warmed)
    return f"| `{cell}` | {carried:.5f} | {differences} |"


@click.command()
@click.argument("corpus", type=click.Path(exists=True))
@click.option("--cells", default=CELLS, show_default=True)
@click.option("--steps", default=1000, show_default=True)
@click.option("--units", default=128, show_default=True)
def main(corpus: str, cells: str, steps: int, units: int) -> None:
    """Compare warm-ups with the carried state, in a table in Markdown."""
    click.echo(f"| cell | carried | {' | '.join(map(str, WARMUPS))} |")
    click.echo(f"|---|---|{'---|' * len(WARMUPS)}")
    with tempfile.TemporaryDirectory() as root:
        for cell in cells.split(","):
            click.echo(row(cell, corpus, steps, units, root))


if __name__ == "__main__":
    main()
