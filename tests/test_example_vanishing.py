"""examples/vanishing.py: its gradients are the true ones, and it draws its picture."""

import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

vanishing = load_example("vanishing")
TINY = ("--steps", "6", "--updates", "3", "--units", "4")


def test_the_gradient_of_the_cliff_is_the_slope_of_its_error():
    w, b, small = np.array([4.2, 4.8, 5.5]), np.array([-2.0, -2.2, -1.5]), 1e-6
    _, gradient = vanishing.cliff(w, b)
    slopes = [
        (vanishing.cliff(w + small, b)[0] - vanishing.cliff(w - small, b)[0]) / (2 * small),
        (vanishing.cliff(w, b + small)[0] - vanishing.cliff(w, b - small)[0]) / (2 * small),
    ]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-7)


def test_clipped_descent_never_goes_further_than_the_limit():
    way = vanishing.descent(0.2)
    strides = np.linalg.norm(np.diff(way, axis=0), axis=1)
    assert strides.max() <= 0.2 * vanishing.LEARNING_RATE * (1 + 1e-9)


def test_clipped_descent_reaches_the_valley_and_the_other_is_thrown_out_of_it():
    error = {limit: vanishing.cliff(*vanishing.descent(limit)[-1])[0] for limit in (None, 0.2)}
    assert error[0.2] < 0.01 < 0.05 < error[None]


@pytest.mark.nightly
def test_a_short_gain_makes_the_gradient_vanish():
    vanishing.fix_seed(1)
    norms = vanishing.gradient_norms(vanishing.rnn(4, 0.5), 20, 4)
    assert norms.shape == (20,)
    assert norms[0] < norms[-1] * 0.5**18


def test_an_open_forget_gate_keeps_more_of_the_gradient():
    kept = [
        norms[0] / norms[-1]
        for bias in (1.0, 5.0)
        for norms in [vanishing.gradient_norms(vanishing.lstm(4, bias), 20, 4)]
    ]
    assert kept[1] > 10 * kept[0]


def test_only_the_first_symbol_tells_the_answer():
    x, which = vanishing.first_symbols(8, 3)
    np.testing.assert_array_equal(x[:, 0], np.repeat(2 * which - 1, 3, axis=1))
    assert np.abs(x[:, 1:]).max() < 1


@pytest.mark.parametrize("name", ["picture.png", "picture.svg"])
@pytest.mark.nightly
def test_it_draws_its_picture_and_prints_its_figures(name, tmp_path):
    shown = run_example("vanishing", name, *TINY)
    assert (tmp_path / name).stat().st_size > 10_000
    assert "divided by that at step 6" in shown
    assert "LSTM, forget bias ln T" in shown
    assert "RNN, not clipped" in shown
    assert "LSTM, clipped" in shown


@pytest.mark.parametrize("name", ["picture", "picture.doc", "picture.PNGX"])
def test_a_picture_of_an_unknown_kind_is_refused_before_anything_is_computed(name):
    result = CliRunner().invoke(vanishing.main, [name])
    assert result.exit_code == 2
    assert f"{name} ends in none of .png, .svg, .pdf." in result.output


def test_a_picture_in_a_folder_that_is_not_there_is_refused():
    result = CliRunner().invoke(vanishing.main, ["nowhere/picture.png"])
    assert result.exit_code == 2
    assert "the folder nowhere does not exist; make it first." in result.output
