"""The scan against stock Keras layers with the same weights, in values and gradients."""

from functools import partial

import numpy as np
import pytest
from nightly import cells

from charrnn.cells import CELLS, Cell, Differentiated
from charrnn.config import ModelConfig
from charrnn.network.stack import Stack
from charrnn.network.weights import initial_weights
from charrnn.tf import network, scan
from charrnn.tf.network import build_network, get_weights, run_scan, zero_state
from charrnn.tf.ops import TensorOps
from charrnn.tf.scan import choose_step, scan_cell
from charrnn.tf.start import keras, tf
from charrnn.tf.steps import ByHand, ByTape, InColumns

STOCK = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "rnn": keras.layers.SimpleRNN,
    "gru_classic": partial(keras.layers.GRU, reset_after=False),
}
SIZES = [  # B, T, U, D
    (1, 1, 1, 1),
    (1, 7, 3, 2),
    (4, 1, 5, 3),
    (5, 6, 8, 4),
    (7, 3, 4, 9),
]
DIFFERENTIATED = sorted(name for name in CELLS if issubclass(CELLS[name], Differentiated))
TOLERANCE = {"float32": 1e-4, "float64": 1e-8}


def start_of(name, rng, size, dtype="float32"):
    """A state of random numbers; counters start at zero."""
    return tuple(
        tf.constant(rng.normal(size=size) * (part != "beat"), dtype)
        for part in CELLS[name].state_names
    )


def ours(name, units, inputs, dtype):
    """A layer with a cell's weights, and the scan as a function of x [B, T, D] and the state."""
    cell, layer = CELLS[name](), keras.layers.Layer(dtype=dtype)
    for own, weight in cell.weights(inputs, units).items():
        layer.add_weight(name=own, shape=weight.shape, initializer="zeros")
    layer.built = True

    def run(x, state):
        ops = TensorOps()
        weights = {each.name: tf.convert_to_tensor(each) for each in layer.weights}
        weights = cell.prepare(ops, weights)
        z = ops.matmul(tf.transpose(x, [1, 0, 2]), weights.pop("kernel"))
        outputs, after = scan_cell(cell, z, weights, state)
        return tf.transpose(outputs, [1, 0, 2]), after

    return layer, run


def stock(name, units, inputs, dtype):
    """The stock layer as the same function."""
    layer = STOCK[name](units, return_sequences=True, return_state=True, dtype=dtype)
    layer.build((None, None, inputs))

    def run(x, state):
        outputs, *after = layer(x, initial_state=list(state))
        return outputs, tuple(after)

    return layer, run


def value_and_gradients(layer, run, x, state, weights, jit=None):
    """Outputs, last state, and the gradients of a fixed function of both.

    jit: whether XLA compiles the graph; by default there is no graph, and all is computed at once.
    """
    for variable, value in zip(layer.weights, weights, strict=True):
        variable.assign(value)

    def compute(x, state):
        with tf.GradientTape() as tape:
            tape.watch((x, state))
            outputs, after = run(x, state)
            loss = tf.reduce_sum(
                tf.sin(outputs) * tf.cast(tf.range(1, outputs.shape[1] + 1), x.dtype)[:, None]
            )
            loss += sum(
                (tf.reduce_sum(tf.cos(part + 0.3)) for part in after), tf.zeros((), x.dtype)
            )
        sources = (x, state, layer.trainable_variables)
        return outputs, after, tape.gradient(loss, sources)

    if jit is not None:
        compute = tf.function(compute, jit_compile=jit)
    return [np.asarray(each) for each in tf.nest.flatten(compute(x, state))]


CASES = [
    *(("float64", False, size) for size in SIZES),
    *(("float32", False, size) for size in SIZES[1::2]),
    ("float32", True, SIZES[3]),
]


WAYS = [(name, None) for name in sorted(STOCK)]
WAYS += [(name, InColumns) for name in sorted(STOCK) if name in DIFFERENTIATED]


@pytest.mark.parametrize(("name", "way"), WAYS)
@pytest.mark.parametrize(("dtype", "jit", "size"), [*CASES[1::2][:2], CASES[-1]], ids=str)
def test_agrees_with_stock_keras(name, way, dtype, jit, size, monkeypatch):
    if way is not None:
        monkeypatch.setattr("charrnn.tf.scan.choose_step", lambda cell, z: way)
    batch, steps, units, inputs = size
    rng = np.random.default_rng(1)
    layer, run = ours(name, units, inputs, dtype)
    oracle, run_oracle = stock(name, units, inputs, dtype)
    weights = [rng.normal(0, 0.5, weight.shape) for weight in layer.weights]
    x = tf.constant(rng.normal(size=(batch, steps, inputs)), dtype)
    state = start_of(name, rng, (batch, units), dtype)
    results = value_and_gradients(layer, run, x, state, weights, jit)
    expected = value_and_gradients(oracle, run_oracle, x, state, weights)
    for ours_, theirs in zip(results, expected, strict=True):
        atol = TOLERANCE[dtype] * np.abs(theirs).max()
        np.testing.assert_allclose(ours_, theirs, atol=atol, rtol=0)


@pytest.mark.parametrize("name", cells(CELLS))
def test_whole_sequence_equals_halves_with_carried_state(name):
    rng = np.random.default_rng(2)
    layer, run = ours(name, 6, 3, "float32")
    for variable in layer.weights:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    x = tf.constant(rng.normal(size=(2, 9, 3)), tf.float32)
    state = tuple(tf.zeros((2, 6)) for _ in CELLS[name].state_names)
    whole, end = run(x, state)
    first, middle = run(x[:, :4], state)
    second, end_of_halves = run(x[:, 4:], middle)
    np.testing.assert_allclose(whole, tf.concat([first, second], 1), atol=1e-6)
    for ours_, theirs in zip(end, end_of_halves, strict=True):
        np.testing.assert_allclose(ours_, theirs, atol=1e-6)


class Odd(Cell):
    """A cell whose step does more with its matrix than multiply."""

    summary, source = "an odd cell", "nobody"

    def step(self, ops, z, state, weights):
        (h,), U = state, weights["recurrent_kernel"]
        return (ops.tanh(z + self.product(ops, h, U)),)


def halves(self, ops, h, U):
    half = U.shape[1] // 2
    return ops.concatenate([ops.matmul(h, U[:, :half]), ops.matmul(h, U[:, half:])], -1)


FIXED = np.random.default_rng(0).normal(size=(4, 4))
PRODUCTS = {
    "by halves": halves,
    "turned": lambda self, ops, h, U: ops.matmul(h, ops.transpose(U)),
    "twice": lambda self, ops, h, U: ops.matmul(ops.tanh(ops.matmul(h, U)), U),
    "and its mean": lambda self, ops, h, U: ops.matmul(h, U) + ops.mean(U, 0, keepdims=True) * h,
    "elementwise": lambda self, ops, h, U: ops.matmul(h, ops.tanh(U)),
    "one by the other": lambda self, ops, h, U: ops.matmul(h, ops.matmul(U, U)),
    "fixed": lambda self, ops, h, U: ops.matmul(ops.matmul(h, U), FIXED),
    "not at all": lambda self, ops, h, U: h,
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_whatever_a_step_does_with_a_matrix_its_gradient_is_whole(name, monkeypatch):
    odd = type("Odd", (Odd,), {"name": name, "product": PRODUCTS[name]})
    monkeypatch.setattr(CELLS, "_items", CELLS.present | {name: odd})
    check_gradient(name)


@pytest.mark.parametrize("name", cells(CELLS))
def test_gradient_equals_central_differences(name):
    check_gradient(name)


def test_gradient_of_an_lstm_whose_gates_are_hard(monkeypatch):
    choices = {"name": "hard", "recurrent_activations": ("hard_sigmoid",)}
    hard = type("Hard", (CELLS["lstm"],), choices)
    monkeypatch.setattr(CELLS, "_items", CELLS.present | {"hard": hard})
    check_gradient("hard")


def check_gradient(name):
    """Compare the gradients of a cell with differences of a function of its outputs."""
    rng = np.random.default_rng(3)
    layer, run = ours(name, 4, 2, "float64")
    for variable in layer.weights:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    x = tf.Variable(rng.normal(size=(2, 4, 2)))
    state = tuple(map(tf.Variable, start_of(name, rng, (2, 4), "float64")))

    def loss():
        outputs, after = run(tf.convert_to_tensor(x), tuple(map(tf.convert_to_tensor, state)))
        return tf.reduce_sum(tf.sin(outputs)) + tf.reduce_sum(after[-1] ** 2)

    with tf.GradientTape() as tape:
        value = loss()
    parts = zip(CELLS[name].state_names, state, strict=True)
    variables = [x, *(part for named, part in parts if named != "beat"), *layer.weights]
    gradients = tape.gradient(value, variables)
    step = 1e-6
    for variable, gradient in zip(variables * 2, gradients * 2, strict=True):
        start = variable.numpy()
        place = tuple(rng.integers(size) for size in start.shape)
        values = []
        for sign in (1, -1):
            moved = start.copy()
            moved[place] += sign * step
            variable.assign(moved)
            values.append(float(loss()))
        variable.assign(start)
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(
            float(gradient[place]), abs=1e-7
        )


def test_table_of_embeddings_equals_their_product():
    config = ModelConfig(units=3, embedding=2)
    weights = {name: tf.constant(w) for name, w in initial_weights(config, 7, seed=4).items()}
    ids = tf.constant(np.random.default_rng(4).integers(0, 7, (5, 2)), tf.int32)
    folded, expected = (
        Stack(TensorOps(), config, weights, table=table).features(
            ids, zero_state(config, 2), run_scan
        )[0]
        for table in (True, False)
    )
    np.testing.assert_allclose(folded, expected, atol=1e-6)


@pytest.mark.parametrize("embedding", [0, 3])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_stock_layers_for_cudnn_give_the_same_network(name, embedding, monkeypatch):
    config = ModelConfig(cell=name, layers=2, units=5, embedding=embedding)
    weights = initial_weights(config, 7, seed=0)
    ids = tf.constant(np.random.default_rng(5).integers(0, 7, (6, 4)), tf.int32)
    results, names = [], []
    for on_cudnn in (False, True):
        monkeypatch.setattr("charrnn.tf.network.on_cudnn", lambda cell, here=on_cudnn: here)
        keras.backend.clear_session()
        model = build_network(config, 7, weights)
        optimizer = keras.optimizers.AdamW(name="adamw")
        optimizer.build(model.trainable_variables)
        names.append({slot.path for slot in optimizer.variables})
        assert get_weights(model).keys() == weights.keys()
        start = tuple(part + 0.5 for part in zero_state(config, 4))
        with tf.GradientTape() as tape:
            logits, state = model((ids, start, tf.zeros(2, tf.int32)))
            loss = tf.reduce_sum(tf.sin(logits)) + sum(map(tf.reduce_sum, state))
        gradients = tape.gradient(loss, model.trainable_variables)
        results.append([logits, *state, *map(tf.convert_to_tensor, gradients)])
    assert names[0] == names[1]
    for ours_, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours_, theirs, atol=1e-5)


def test_hard_gates_do_not_go_to_cudnn(monkeypatch):
    monkeypatch.setattr("charrnn.tf.network.has_gpu", lambda: True)
    chosen = [
        network.on_cudnn(ModelConfig(cell="lstm", recurrent_activation=each))
        for each in ("sigmoid", "hard_sigmoid")
    ]
    assert chosen == [True, False]


def test_large_vocabulary_is_gathered_alike(monkeypatch):
    config = ModelConfig(units=5, embedding=3)
    weights = initial_weights(config, 11, seed=0)
    model = build_network(config, 11, weights)
    ids = tf.constant(np.random.default_rng(5).integers(0, 11, (6, 4)), tf.int32)
    results = []
    for limit in (1024, 1):
        monkeypatch.setattr("charrnn.tf.network.TABLE_CHARACTERS", limit)
        monkeypatch.setattr("charrnn.tf.ops.TABLE_CHARACTERS", limit)
        with tf.GradientTape() as tape:
            logits, _ = model((ids, zero_state(config, 4), tf.zeros(2, tf.int32)))
            loss = tf.reduce_sum(tf.sin(logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        results.append([logits, *map(tf.convert_to_tensor, gradients)])
    for product, gather in zip(*results, strict=True):
        np.testing.assert_allclose(product, gather, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "way", "jit"),
    [
        *((name, way, False) for name in DIFFERENTIATED for way in (ByTape, InColumns)),
        ("gru", InColumns, True),
    ],
)
def test_every_way_through_the_loop_gives_the_same(name, way, jit, monkeypatch):
    rng = np.random.default_rng(6)
    layer, run = ours(name, 4, 3, "float64")
    weights = [rng.normal(0, 0.5, weight.shape) for weight in layer.weights]
    x = tf.constant(rng.normal(size=(2, 5, 3)))
    state = start_of(name, rng, (2, 4), "float64")
    in_rows = value_and_gradients(layer, run, x, state, weights)
    monkeypatch.setattr("charrnn.tf.scan.choose_step", lambda cell, z: way)
    other_way = value_and_gradients(layer, run, x, state, weights, jit)
    for other, rows in zip(other_way, in_rows, strict=True):
        np.testing.assert_allclose(other, rows, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "batch", "units", "way"),
    [
        ("lstm", 8, 384, InColumns),
        ("lstm", 32, 363, InColumns),
        ("lstm", 32, 362, ByHand),
        ("lstm", 25, 384, ByHand),
        ("lstm", None, 384, ByHand),
        ("gru", 8, 384, ByHand),
        ("gru", 8, 512, InColumns),
        ("scrn", 8, 1024, ByTape),
    ],
)
def test_columns_are_for_weights_beyond_the_cache_and_full_vectors(name, batch, units, way):
    cell = CELLS[name]()
    z = keras.Input(batch_shape=(7, batch, cell.gates * units))
    assert choose_step(cell, z) is way


@pytest.mark.parametrize("name", cells(CELLS))
def test_compiled_equals_eager(name):
    rng = np.random.default_rng(7)
    layer, run = ours(name, 5, 3, "float32")
    weights = [rng.normal(0, 0.5, weight.shape) for weight in layer.weights]
    x = tf.constant(rng.normal(size=(3, 4, 3)), tf.float32)
    state = start_of(name, rng, (3, 5))
    compiled = value_and_gradients(layer, run, x, state, weights, jit=True)
    eager = value_and_gradients(layer, run, x, state, weights)
    for one, other in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("steps_", [1, 2, 5, 8])
def test_prefix_sums_equal_the_step_by_step_loop(steps_):
    rng = np.random.default_rng(8)
    a, b = (tf.constant(rng.random((steps_, 2, 3))) for _ in range(2))
    first = tf.constant(rng.random((2, 3)))
    expected, h = [], first.numpy()
    for a_t, b_t in zip(a.numpy(), b.numpy(), strict=True):
        h = a_t * h + b_t
        expected.append(h)
    for way in (scan.step_by_step, scan.by_prefix_sums):
        np.testing.assert_allclose(way(a, b, first), expected, atol=1e-12)


@pytest.mark.parametrize("way", ["step_by_step", "by_prefix_sums"])
def test_gradient_of_the_linear_recurrence_is_that_of_a_tape(way, monkeypatch):
    rng = np.random.default_rng(9)
    a, b = (tf.Variable(rng.random((4, 2, 3))) for _ in range(2))
    first = tf.Variable(rng.random((2, 3)))
    monkeypatch.setattr(scan, "step_by_step", getattr(scan, way))
    gradients = []
    for function in (scan.linear_scan, unrolled):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(function(*map(tf.convert_to_tensor, (a, b, first)))))
        gradients.append(tape.gradient(loss, (a, b, first)))
    for ours_, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours_, theirs, atol=1e-12)


def unrolled(a, b, h):
    """The recurrence without a loop."""
    outputs = []
    for t in range(a.shape[0]):
        h = a[t] * h + b[t]
        outputs.append(h)
    return tf.stack(outputs)
