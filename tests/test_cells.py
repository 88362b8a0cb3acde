"""One contract for every cell: registering a cell tests it."""

import numpy as np
import pytest

from charrnn.cells import CELLS, Linear, arrays
from charrnn.cells.base import ACTIVATIONS
from charrnn.cells.clockwork import periods
from charrnn.errors import ConfigError

INPUTS, UNITS, BATCH = 5, 4, 3


def weights_of(cell, rng, dtype=np.float32):
    """Every weight of the cell, drawn at random."""
    return {
        name: rng.normal(0, 0.5, weight.shape).astype(dtype)
        for name, weight in cell.weights(INPUTS, UNITS).items()
    }


def prepared(cell, ops, weights):
    """What a step takes, beside W and b."""
    ready = cell.prepare(ops, weights)
    return ready.pop("kernel"), ready.pop("bias"), ready


def start_of(cell, rng):
    """A state at random; counters start at zero."""
    return tuple(
        np.zeros((BATCH, UNITS), np.float32)
        if name == "beat"
        else rng.normal(size=(BATCH, UNITS)).astype(np.float32)
        for name in cell.state_names
    )


def run(cell, ops, weights, x, state):
    """The states after each of the inputs x [T, B, D], step by step."""
    kernel, bias, ready = prepared(cell, ops, weights)
    states = []
    for x_t in x:
        state = cell.step(ops, ops.matmul(x_t, kernel) + bias, state, ready)
        states.append(state)
    return states


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    return CELLS[request.param]()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_is_documented(cell):
    text = type(cell).__doc__
    assert cell.summary
    assert all(part.split()[0] in text for part in cell.source.split(";"))
    assert all(f"{part}_t" in text or part in text for part in cell.state_names)
    assert all(words in text for words in ("_t = ", "W", "b ", "starts"))


def test_every_weight_starts_finite_in_its_shape(cell, rng):
    for weight in cell.weights(INPUTS, UNITS).values():
        value = weight.initializer(rng, weight.shape)
        assert value.shape == weight.shape
        assert value.dtype == np.float32
        assert np.isfinite(value).all()


def test_step_keeps_the_state_s_shapes_and_type(cell, rng):
    state = start_of(cell, rng)
    x = rng.normal(size=(2, BATCH, INPUTS)).astype(np.float32)
    for after in run(cell, arrays, weights_of(cell, rng), x, state):
        assert [part.shape for part in after] == [part.shape for part in state]
        assert {part.dtype for part in after} == {np.dtype(np.float32)}


def test_numpy_equals_keras(cell, rng):
    from charrnn.tf.start import keras, tf

    weights, state = weights_of(cell, rng), start_of(cell, rng)
    x = rng.normal(size=(4, BATCH, INPUTS)).astype(np.float32)
    ours = run(cell, arrays, weights, x, state)
    tensors = {name: tf.constant(weight) for name, weight in weights.items()}
    theirs = run(cell, keras.ops, tensors, tf.constant(x), tuple(map(tf.constant, state)))
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, np.asarray(b), atol=1e-5)


def test_large_inputs_do_not_overflow(cell, rng):
    x = 1e4 * rng.normal(size=(2, BATCH, INPUTS)).astype(np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        states = run(cell, arrays, weights_of(cell, rng), x, start_of(cell, rng))
    assert all(np.isfinite(part).all() for state in states for part in state)


def test_one_unit_and_one_stream_will_do(cell, rng):
    weights = {
        name: weight.initializer(rng, weight.shape) for name, weight in cell.weights(1, 1).items()
    }
    state = tuple(np.zeros((1, 1), np.float32) for _ in cell.state_names)
    (after,) = run(cell, arrays, weights, np.ones((1, 1, 1), np.float32), state)
    assert all(part.shape == (1, 1) for part in after)


def sigmoid(x):
    """1 / (1 + e^-x), as the papers write it."""
    return 1 / (1 + np.exp(-x))


def equations(name, w, x, state):
    """One step of each cell as its paper writes it, gate by gate, on column vectors."""
    U = UNITS
    block = lambda matrix, gate: matrix[:, gate * U : (gate + 1) * U].T  # noqa: E731
    W = lambda gate: block(w["kernel"], gate) @ x  # noqa: E731
    R = lambda gate, h: block(w["recurrent_kernel"], gate) @ h  # noqa: E731
    b = lambda gate: w["bias"][gate * U : (gate + 1) * U]  # noqa: E731
    h = state[0]
    match name:
        case "rnn":
            return (np.tanh(W(0) + R(0, h) + b(0)),)
        case "irnn":
            total = W(0) + R(0, h) + b(0)
            return (np.where(total > 0, total, 0),)
        case "indrnn":
            total = W(0) + w["recurrent_weight"] * h + b(0)
            return (np.where(total > 0, total, 0),)
        case "jordan":
            hidden = np.tanh(W(0) + R(0, h) + b(0))
            return (np.tanh(w["output_kernel"].T @ hidden + w["output_bias"]),)
        case "lstm" | "peephole":
            c = state[1]
            p = [w.get(f"{gate}_peephole", 0) for gate in ("input", "forget", "output")]
            i = sigmoid(W(0) + R(0, h) + p[0] * c + b(0))
            f = sigmoid(W(1) + R(1, h) + p[1] * c + b(1))
            c = f * c + i * np.tanh(W(2) + R(2, h) + b(2))
            o = sigmoid(W(3) + R(3, h) + p[2] * c + b(3))
            return o * np.tanh(c), c
        case "coupled":
            f = sigmoid(W(0) + R(0, h) + b(0))
            c = f * state[1] + (1 - f) * np.tanh(W(1) + R(1, h) + b(1))
            return sigmoid(W(2) + R(2, h) + b(2)) * np.tanh(c), c
        case "gru":
            b_in, b_rec = w["bias"].reshape(2, 3, U)
            z = sigmoid(W(0) + b_in[0] + R(0, h) + b_rec[0])
            r = sigmoid(W(1) + b_in[1] + R(1, h) + b_rec[1])
            g = np.tanh(W(2) + b_in[2] + r * (R(2, h) + b_rec[2]))
            return (z * h + (1 - z) * g,)
        case "gru_classic":
            z = sigmoid(W(0) + R(0, h) + b(0))
            r = sigmoid(W(1) + R(1, h) + b(1))
            return (z * h + (1 - z) * np.tanh(W(2) + R(2, r * h) + b(2)),)
        case "mgu":
            f = sigmoid(W(0) + R(0, h) + b(0))
            return ((1 - f) * h + f * np.tanh(W(1) + R(1, f * h) + b(1)),)
        case "mingru":
            z = sigmoid(W(0) + b(0))
            return ((1 - z) * h + z * (W(1) + b(1)),)
        case "minlstm":
            f, i = sigmoid(W(0) + b(0)), sigmoid(W(1) + b(1))
            return (f / (f + i) * h + i / (f + i) * (W(2) + b(2)),)
        case "scrn":
            fast = w["recurrent_kernel"].shape[1]
            A, B = w["kernel"][:, :fast].T, w["kernel"][:, fast:].T
            R_, P = w["recurrent_kernel"][:fast].T, w["recurrent_kernel"][fast:].T
            s = 0.05 * B @ x + 0.95 * h[fast:]
            return (np.concatenate([sigmoid(P @ s + A @ x + R_ @ h[:fast] + w["bias"]), s]),)
        case "clockwork":
            beat, new = state[1], h.copy()
            for unit in range(U):
                if beat[unit] == 0:  # it sees itself and those that are no faster
                    seen = [k for k in range(U) if 2 ** (k * 4 // U) >= 2 ** (unit * 4 // U)]
                    total = sum(w["recurrent_kernel"][k, unit] * h[k] for k in seen)
                    new[unit] = np.tanh(W(0)[unit] + total + b(0)[unit])
            return new, (beat + 1) % (2 ** (np.arange(U) * 4 // U))
    raise AssertionError(f"write down the equations of {name} here")


def test_steps_are_those_of_the_paper(cell, rng):
    weights = weights_of(cell, rng, np.float64)
    x = rng.normal(size=(6, BATCH, INPUTS))
    state = tuple(part.astype(np.float64) for part in start_of(cell, rng))
    expected = [[part[row] for part in state] for row in range(BATCH)]
    for x_t, after in zip(x, run(cell, arrays, weights, x, state), strict=True):
        for row in range(BATCH):
            expected[row] = equations(cell.name, weights, x_t[row], expected[row])
            for ours, theirs in zip(after, expected[row], strict=True):
                np.testing.assert_allclose(ours[row], theirs, atol=1e-12)


def step(name, z, u, state):
    """One unit's step of a cell with one product u, from numbers."""
    cell = CELLS[name]()
    z, u, state = (np.array([values], float) for values in (z, u, state))
    z, u = cell.arguments(cell.split(arrays, z), cell.split(arrays, u))
    return [part.item() for part in cell.forward(arrays, z, u, tuple(state.T[:, None]))[0]]


def test_numbers_worked_out_by_hand():
    # The sigmoid of 0 is 1/2, and tanh(artanh(1/2)) = 1/2.
    half = np.arctanh(0.5)
    assert step("rnn", [0.25], [-1.25], [0]) == pytest.approx([np.tanh(-1)])
    assert step("irnn", [0.25], [-1.25], [0]) == [0]
    assert step("irnn", [0.25], [1], [0]) == [1.25]
    assert step("lstm", [0, 0, half, 0], [0] * 4, [0, 1]) == pytest.approx(
        [0.5 * np.tanh(0.75), 0.5 * 1 + 0.5 * 0.5]
    )
    assert step("coupled", [0, half, 0], [0] * 3, [0, 1]) == pytest.approx(
        [0.5 * np.tanh(0.75), 0.75]
    )
    assert step("gru", [0] * 3, [0, 0, 2 * half], [1]) == pytest.approx([0.5 * 1 + 0.5 * 0.5])


@pytest.mark.parametrize(("name", "gate"), [("lstm", 1), ("peephole", 1), ("coupled", 0)])
def test_forgets_little_at_first(name, gate, rng):
    cell = CELLS[name]()
    bias = cell.weights(INPUTS, UNITS)["bias"]
    starts = bias.initializer(rng, bias.shape).reshape(cell.gates, UNITS)[:, 0]
    assert starts[gate] == 1
    assert np.abs(starts).sum() == 1


def test_peephole_starts_as_an_lstm(rng):
    weights = weights_of(CELLS["lstm"](), rng)
    eyes = {f"{gate}_peephole": np.zeros(UNITS) for gate in ("input", "forget", "output")}
    cells = CELLS["lstm"](), CELLS["peephole"]()
    x, state = rng.normal(size=(3, BATCH, INPUTS)), start_of(cells[0], rng)
    one, other = (run(cell, arrays, weights | eyes, x, state)[-1] for cell in cells)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_irnn_starts_by_adding_up_what_it_reads(rng):
    recurrent = CELLS["irnn"]().weights(INPUTS, UNITS)["recurrent_kernel"]
    h = rng.random((BATCH, UNITS)).astype(np.float32)
    np.testing.assert_array_equal(h @ recurrent.initializer(rng, recurrent.shape), h)


def test_clockwork_modules_have_their_periods():
    assert periods(8).tolist() == [1, 1, 2, 2, 4, 4, 8, 8]
    assert periods(1).tolist() == [1]
    assert periods(2).tolist() == [1, 2]


@pytest.mark.parametrize("name", sorted(n for n, cell in CELLS.items() if issubclass(cell, Linear)))
def test_linear_coefficients_are_those_of_the_step(name, rng):
    cell = CELLS[name]()
    z = rng.normal(size=(2, BATCH, cell.gates * UNITS))
    a, b = cell.coefficients(arrays, z)
    h = rng.normal(size=(BATCH, UNITS))
    for t in range(2):
        (after,) = cell.step(arrays, z[t], (h,), {})
        np.testing.assert_allclose(after, a[t] * h + b[t])
    assert (a >= 0).all()
    assert (a <= 1).all()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_slope_of_an_activation_from_its_value(name):
    x = np.array([-9.0, -2.5, -0.3, 0.2, 1.7, 9.0])
    activation = ACTIVATIONS[name]
    ahead, behind = (activation(arrays, x + step) for step in (1e-6, -1e-6))
    slope = activation.slope(arrays, activation(arrays, x))
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, atol=1e-7)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_those_of_keras(name):
    from charrnn.tf.start import keras

    x = np.linspace(-5, 5, 11, dtype=np.float32)
    theirs = getattr(keras.ops, name)(x, **({"negative_slope": 0.01} if "leaky" in name else {}))
    for ops in (arrays, keras.ops):
        ours = ACTIVATIONS[name](ops, keras.ops.convert_to_tensor(x) if ops is keras.ops else x)
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=1e-6)


def test_a_cell_takes_the_activations_it_leaves_open_and_no_other():
    h = CELLS["rnn"]("relu").forward(arrays, (np.full((1, 1), -2.0),), (), ())[0]
    assert h[0].item() == 0
    with pytest.raises(ConfigError, match=r"^`activation` 'relu': .* lstm; leave it out$"):
        CELLS["lstm"]("relu")
    with pytest.raises(ConfigError, match=r"`recurrent_activation` 'tanh': .* sigmoid or hard"):
        CELLS["gru_classic"](None, "tanh")
