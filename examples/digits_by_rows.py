"""Handwritten digits, read row by row: from a sequence to one answer.

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997. Images
became a test for recurrent networks with Q. V. Le, N. Jaitly and G. E. Hinton, "A Simple Way to
Initialize Recurrent Networks of Rectified Linear Units", arXiv:1504.00941, 2015.

    h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})        x_t the pixels of row t
    p = softmax(V h_T + c)                        when the last row T has been read

The network sees one row at a time, from the top to the bottom, and has to keep in its state what
it has seen. The answer is a dense layer over the last state alone.

    pip install '.[examples]'
    python examples/digits_by_rows.py                       # 1,797 digits of 8 × 8
    python examples/digits_by_rows.py --mnist mnist.npz     # 70,000 digits of 28 × 28

mnist.npz is the file that `keras.datasets.mnist.load_data()` downloads into ~/.keras/datasets.

What to expect: on two cores of an AMD EPYC, 22 seconds for charrnn's LSTM and 34 for Keras's, and
99.4 % for both; 97.8 % for all pixels at once. With MNIST, on one core, 6 and 10 minutes, and 99.2
and 99.3 %; 98.3 % for all pixels at once.
"""

from pathlib import Path

from common import FILE, Examples, compare_classifiers, number_option, print_figures

import click
import keras
import numpy as np
from digits_dense import dense_network, held_out, small_digits

from charrnn.layers import LSTM

PARTS = ("x_train", "y_train", "x_test", "y_test")  # the arrays in mnist.npz
WAY_OUT = "name the file mnist.npz of keras.datasets.mnist, or leave out --mnist"


def mnist(path: Path) -> tuple[Examples, Examples]:
    """The digits of the file: 60,000 to learn from, and 10,000 to be tested on."""
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            x_train, y_train, x_test, y_test = (file[name] for name in PARTS)
    except Exception as error:  # NumPy raises nearly every kind
        raise click.ClickException(f"{path} does not hold {', '.join(PARTS)}; {WAY_OUT}") from error
    for images, digits in ((x_train, y_train), (x_test, y_test)):
        if images.shape != (len(digits), 28, 28):
            raise click.ClickException(f"{path} does not hold images of 28 × 28; {WAY_OUT}")
    scale = np.float32(1 / 255)
    return (x_train * scale, y_train), (x_test * scale, y_test)


def network_by_rows(layer: type[keras.layers.Layer], side: int, units: int) -> keras.Model:
    """A recurrent layer, charrnn's or Keras's, reads the rows; a dense layer tells the digit."""
    return keras.Sequential(
        [
            keras.Input((side, side)),  # [B, T rows, D pixels]
            keras.layers.GaussianNoise(0.1),  # in training only: no image is seen twice
            layer(units),  # [B, units], after the last row
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


@click.command()
@click.option(
    "--mnist",
    "file",
    type=FILE,
    help="mnist.npz.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Passes over the images; 60, and 8 for --mnist."
)
@number_option("--units", 128, "Units of the recurrent layer.")
@click.option("--images", type=click.IntRange(min=100), help="How many of the 8 × 8 images.")
@click.option("--seed", default=1, show_default=True, help="Of the first weights and the order.")
def main(file: Path | None, epochs: int | None, units: int, images: int | None, seed: int) -> None:
    """Recognise handwritten digits that are read row by row."""
    learnt, tested = mnist(file) if file else held_out(*small_digits(images))
    side, epochs = learnt[0].shape[1], epochs or (8 if file else 60)
    networks = {
        "charrnn's LSTM, row by row": lambda: network_by_rows(LSTM, side, units),
        "Keras's LSTM, row by row": lambda: network_by_rows(keras.layers.LSTM, side, units),
        "all pixels at once (digits_dense.py)": lambda: dense_network(side, units),
    }
    figures = compare_classifiers(networks, learnt, tested, epochs, seed)
    if file:
        figures.append(("published: IRNN, pixel by pixel (Keras's mnist_irnn)", "93 %"))
    print_figures(f"Accuracy on {len(tested[0]):,} digits that were held out", figures)


if __name__ == "__main__":
    main()
