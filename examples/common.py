"""What the examples share: a fixed seed, training a classifier, the table of figures at the end."""

from collections.abc import Sequence

import click
import keras
import numpy as np

BATCH = 32
Examples = tuple[np.ndarray, np.ndarray]  # inputs [N, …], and the number of each one's class [N]


def fix_seed(seed: int) -> None:
    """The same numbers in every run: for Python, NumPy and Keras."""
    keras.utils.set_random_seed(seed)


def train_classifier(
    model: keras.Model, learnt: Examples, tested: Examples, epochs: int, rate: float = 3e-3
) -> float:
    """Learn from the first examples; return the share of the others whose class is found.

    Adam, with a rate that falls along a cosine to zero, and gradients clipped to a norm of 1.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(learnt[0]) // BATCH))
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*learnt, batch_size=BATCH, epochs=epochs, verbose=2)
    return model.evaluate(*tested, verbose=0, return_dict=True)["accuracy"]


def print_figures(measure: str, figures: Sequence[tuple[str, str]]) -> None:
    """A line for each figure, under a heading that says what was measured.

    Args:
        measure: What the figures are, as in "accuracy on 360 held-out digits".
        figures: Whose figure it is, and the figure.
    """
    click.echo(f"\n{measure}")
    width = max(len(name) for name, _ in figures)
    for name, figure in figures:
        click.echo(f"  {name:<{width}}  {figure}")
