"""One contract for every cell: registering a cell tests it."""

import numpy as np
import pytest

from charrnn.cells import CELLS, arrays

INPUTS, UNITS, BATCH = 5, 4, 3


def weights_of(cell, rng):
    """Every weight of the cell, drawn at random."""
    return {
        name: rng.normal(0, 0.5, weight.shape).astype(np.float32)
        for name, weight in cell.weights(INPUTS, UNITS).items()
    }


def step_arguments(cell, rng, dtype=np.float32):
    """z and u, an array a gate, and a state, at random."""
    arrays = lambda count: tuple(  # noqa: E731
        rng.normal(size=(BATCH, UNITS)).astype(dtype) for _ in range(count)
    )
    z, u, state = arrays(cell.gates), arrays(cell.gates), arrays(len(cell.state_names))
    return z, u, state


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    return CELLS[request.param]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_is_documented(cell):
    assert cell.name
    assert cell.summary
    assert cell.source
    assert cell.source.split()[0] in (type(cell).__doc__ or "")
    assert "h_t" in type(cell).__doc__


def test_every_weight_starts_finite_in_its_shape(cell, rng):
    for weight in cell.weights(INPUTS, UNITS).values():
        value = weight.initializer(rng, weight.shape)
        assert value.shape == weight.shape
        assert value.dtype == np.float32
        assert np.isfinite(value).all()


def test_step_keeps_the_state_s_shapes_and_type(cell, rng):
    z, u, state = step_arguments(cell, rng)
    after = cell.step(arrays, z, u, state)
    assert [part.shape for part in after] == [part.shape for part in state]
    assert {part.dtype for part in after} == {np.dtype(np.float32)}


def test_numpy_equals_keras(cell, rng):
    from charrnn.model.backend import keras

    z, u, state = step_arguments(cell, rng)
    for ours, theirs in zip(
        cell.step(arrays, z, u, state), cell.step(keras.ops, z, u, state), strict=True
    ):
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-6)


def test_large_inputs_do_not_overflow(cell, rng):
    z, u, state = step_arguments(cell, rng)
    with np.errstate(over="raise", invalid="raise"):
        z, u = ([1e4 * array for array in gates] for gates in (z, u))
        after = cell.step(arrays, z, u, state)
    assert all(np.isfinite(part).all() for part in after)


def test_lstm_equations_by_hand():
    # One unit, all products zero but for the biases below: sigmoid(0) = 1/2.
    z = tuple(np.array([[value]]) for value in (0.0, 0.0, np.arctanh(0.5), 0.0))
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    h, c = CELLS["lstm"].step(arrays, z, (zero,) * 4, (zero, one))
    assert c.item() == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert h.item() == pytest.approx(0.5 * np.tanh(0.75))


def test_gru_equations_by_hand():
    # Update 1/2, reset 1/2; the candidate sees half of u_g.
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    u = (zero, zero, 2 * np.arctanh(0.5) * one)
    (h,) = CELLS["gru"].step(arrays, (zero,) * 3, u, (one,))
    assert h.item() == pytest.approx(0.5 * 1 + 0.5 * 0.5)


def test_rnn_equations_by_hand():
    z, u = (np.array([[0.25]]),), (np.array([[-1.25]]),)
    (h,) = CELLS["rnn"].step(arrays, z, u, (np.zeros((1, 1)),))
    assert h.item() == pytest.approx(np.tanh(-1.0))


def test_lstm_forgets_nothing_at_first(rng):
    bias = CELLS["lstm"].weights(INPUTS, UNITS)["bias"]
    np.testing.assert_array_equal(
        bias.initializer(rng, bias.shape).reshape(4, UNITS)[:, 0], [0, 1, 0, 0]
    )


def test_coupled_equations_by_hand():
    # Forget 1/2, so input 1/2: c = 1/2 · 1 + 1/2 · 1/2.
    z = tuple(np.array([[value]]) for value in (0.0, np.arctanh(0.5), 0.0))
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    h, c = CELLS["coupled"].step(arrays, z, (zero,) * 3, (zero, one))
    assert c.item() == pytest.approx(0.75)
    assert h.item() == pytest.approx(0.5 * np.tanh(0.75))


def test_irnn_equations_by_hand():
    z, u = (np.array([[0.25, 0.25]]),), (np.array([[-1.25, 1.0]]),)
    (h,) = CELLS["irnn"].step(arrays, z, u, (np.zeros((1, 2)),))
    np.testing.assert_array_equal(h, [[0, 1.25]])


def test_irnn_starts_by_adding_up_what_it_reads(rng):
    recurrent = CELLS["irnn"].weights(INPUTS, UNITS)["recurrent_kernel"]
    h = rng.random((BATCH, UNITS)).astype(np.float32)
    np.testing.assert_array_equal(h @ recurrent.initializer(rng, recurrent.shape), h)
