"""examples/digits_dense.py: the split of the digits, and that it runs."""

import numpy as np
import pytest
from examples_in_hand import load_example, run_example

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config")
digits_dense = load_example("digits_dense")


def test_pixels_lie_between_0_and_1():
    images, digits = digits_dense.small_digits()
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0, 1)
    assert set(digits) == set(range(10))


def test_no_image_is_both_learnt_and_tested():
    images, digits = digits_dense.small_digits(200)
    learnt, tested = digits_dense.held_out(images, digits)
    rows = {image.tobytes() for image in learnt[0]} & {image.tobytes() for image in tested[0]}
    assert rows == set()
    assert len(learnt[0]) + len(tested[0]) == 200
    assert len(tested[0]) == 40


def test_each_image_keeps_its_digit():
    numbers = np.arange(200)
    for images, digits in digits_dense.held_out(numbers, numbers * 10):
        np.testing.assert_array_equal(images * 10, digits)


def test_all_digits_are_tested():
    _, tested = digits_dense.held_out(*digits_dense.small_digits())
    assert np.bincount(tested[1]).min() > 20


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_and_prints_its_figures():
    shown = run_example("digits_dense", "--epochs", "1", "--units", "4", "--images", "100")
    assert "Accuracy on 20 digits that were held out" in shown
    assert "one hidden layer" in shown
    assert "logistic regression" in shown
