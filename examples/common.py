"""What the examples share: a fixed seed, and the table of figures at the end."""

from collections.abc import Sequence

import click
import keras


def fix_seed(seed: int) -> None:
    """The same numbers in every run: for Python, NumPy and Keras."""
    keras.utils.set_random_seed(seed)


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
