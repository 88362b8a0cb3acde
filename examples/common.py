"""What the examples share: options, seed, training of a classifier, table of figures."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

from charrnn.cli.process import quiet_environment

with quiet_environment():  # TensorFlow, which starts here, says nothing unless it fails,
    import keras
    import tensorflow as tf
tf.get_logger().setLevel("ERROR")  # nor later that it compiles each new network

BATCH = 32
Examples = tuple[np.ndarray, np.ndarray]  # inputs [N, …], and the number of each one's class [N]
Texts = tuple[list[str], list[str]]  # texts, and the label of each


def fix_seed(seed: int) -> None:
    """The same numbers in every run: for Python, NumPy and Keras."""
    keras.utils.set_random_seed(seed)


def train(
    model: keras.Model,
    inputs: np.ndarray | Sequence[np.ndarray],
    targets: np.ndarray,
    loss: keras.losses.Loss | str,
    *,
    epochs: int,
    batch_size: int = BATCH,
    learning_rate: float = 5e-3,
    metrics: Sequence[str] = (),
) -> None:
    """Adam, with a rate that falls along a cosine to zero, and gradients clipped to a norm of 1."""
    steps = epochs * -(-len(targets) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1), loss, metrics=[*metrics])
    model.fit(inputs, targets, batch_size=batch_size, epochs=epochs, verbose=2)


def train_classifier(model: keras.Model, learnt: Examples, tested: Examples, epochs: int) -> float:
    """Learn from the first examples; return the share of the others whose class is found."""
    loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    train(model, *learnt, loss, epochs=epochs, learning_rate=3e-3, metrics=metrics)
    return model.evaluate(*tested, verbose=0, return_dict=True)["accuracy"]


def compare_classifiers(
    networks: dict[str, Callable[[], keras.Model]],
    learnt: Examples,
    tested: Examples,
    epochs: int,
    seed: int,
) -> list[tuple[str, str]]:
    """Build and train each network from the same seed; its name, and its accuracy and seconds."""
    figures = []
    for name, build in networks.items():
        click.echo(f"\n{name}")
        fix_seed(seed)
        begin = time.perf_counter()
        accuracy = train_classifier(build(), learnt, tested, epochs)
        figures.append((name, f"{accuracy:.1%}  in {time.perf_counter() - begin:.0f} s"))
    return figures


def read_lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8; a click error of one line where it is in another code."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not in UTF-8; convert it with iconv") from error


def encoded(
    learnt: Texts, tested: Texts, by: str, longest: int | None = None
) -> tuple[list[Examples], int, int]:
    """Texts as arrays, and how many symbols and labels there are.

    For the first texts and for the others: ids of words or characters [N, T], of each text at most
    the `longest`, with 0 after its end and 1 for what the first texts do not have; ids of labels.
    """
    split, case = ("whitespace", "lower") if by == "words" else ("character", None)
    ids = keras.layers.TextVectorization(split=split, standardize=case, max_tokens=20_000)
    ids.adapt(learnt[0])
    labels = sorted({*learnt[1], *tested[1]})
    arrays = [
        (np.asarray(ids(texts))[:, :longest], np.array([labels.index(label) for label in wanted]))
        for texts, wanted in (learnt, tested)
    ]
    return arrays, ids.vocabulary_size(), len(labels)


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


def number_option(name: str, default: int, text: str, least: int = 1) -> Callable:
    """A command-line option that takes a number from `least` on, with its line of help."""
    return click.option(
        name, default=default, type=click.IntRange(min=least), show_default=True, help=text
    )


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)  # to read
PICTURE = click.Path(dir_okay=False, writable=True, path_type=Path)


def to_draw(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
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
    type=PICTURE,
    callback=to_draw,
    help="Draw a picture into this file: .png, .svg or .pdf.",
)
