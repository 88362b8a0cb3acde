"""What the examples share: a fixed seed, where pictures go, the table of figures at the end."""

from collections.abc import Sequence
from pathlib import Path

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


def _writable(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """The path, if a picture can be written there: known before the training, not after it."""
    if path is None:
        return None
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise click.BadParameter(f"{path} ends in none of .png, .svg, .pdf.")
    if not path.parent.is_dir():
        raise click.BadParameter(f"the folder {path.parent} does not exist; make it first.")
    return path


picture_option = click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_writable,
    help="Draw a picture into this file: .png, .svg or .pdf.",
)
