"""examples/digits_by_rows.py: what the network sees, the file of MNIST, and that it runs."""

from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config")
digits_by_rows = load_example("digits_by_rows")
TINY = ("--epochs", "1", "--units", "4")


def save_mnist(path, side=28, **others):
    """A file as `keras.datasets.mnist` stores it, with 20 and 10 images."""
    images = np.random.default_rng(0).integers(0, 256, (30, side, side), np.uint8)
    digits = np.arange(30, dtype=np.uint8) % 10
    parts = {"x_train": images[:20], "x_test": images[20:]}
    np.savez(path, **parts, y_train=digits[:20], y_test=digits[20:], **others)
    return images, digits


def complaint(*arguments):
    """The lines that the example prints where it refuses what it is given."""
    result = CliRunner().invoke(digits_by_rows.main, arguments)
    assert result.exit_code != 0
    return result.output.strip().splitlines()


def test_the_last_row_alone_is_not_all_that_is_read():
    keras.utils.set_random_seed(0)
    network = digits_by_rows.network_by_rows(digits_by_rows.LSTM, 8, 4)
    images = np.random.default_rng(0).random((2, 8, 8), np.float32)
    images[1, 1:] = images[0, 1:]  # they differ in the first row alone
    first, second = network(images)
    assert not np.allclose(first, second, atol=1e-6)


def test_mnist_keeps_its_split():
    images, digits = save_mnist("mnist.npz")
    learnt, tested = digits_by_rows.mnist(Path("mnist.npz"))
    np.testing.assert_allclose(learnt[0], images[:20] / 255, rtol=1e-6)
    np.testing.assert_allclose(tested[0], images[20:] / 255, rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate([learnt[1], tested[1]]), digits)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 damaged"])
def test_a_file_that_is_no_archive_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "mnist.npz").write_bytes(content)
    (line,) = complaint("--mnist", "mnist.npz")
    assert "mnist.npz" in line
    assert "leave out --mnist" in line


def test_other_arrays_are_refused_in_one_line():
    np.savez("other.npz", x=np.zeros(3))
    (line,) = complaint("--mnist", "other.npz")
    assert "x_train" in line
    save_mnist("small.npz", side=8)
    (line,) = complaint("--mnist", "small.npz")
    assert "28 × 28" in line


def test_a_missing_file_is_refused():
    assert "nowhere.npz" in complaint("--mnist", "nowhere.npz")[-1]


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_and_prints_its_figures():
    shown = run_example("digits_by_rows", *TINY, "--images", "100")
    assert "Accuracy on 20 digits that were held out" in shown
    for name in ("charrnn's LSTM, row by row", "Keras's LSTM, row by row", "all pixels at once"):
        assert name in shown


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_on_mnist():
    save_mnist("mnist.npz")
    shown = run_example("digits_by_rows", *TINY, "--mnist", "mnist.npz")
    assert "Accuracy on 10 digits that were held out" in shown
    assert "published: IRNN" in shown
