"""The layers as parts of Keras models: every cell, every option, saved, loaded and trained."""

import re
import warnings

import numpy as np
import pytest
from apart import run_apart
from nightly import cells

from charrnn.cells import CELLS, Cell, arrays
from charrnn.errors import ConfigError
from charrnn.layers import GRU, LSTM, RNN
from charrnn.layers.running import halves_pay
from charrnn.tf.start import keras, tf

B, T, D, U = 3, 5, 2, 4
pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    pytest.mark.filterwarnings("ignore:Even though the .* option is set:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning"),  # NumPy 2, while saving
]


def sequences(*shape, seed=0):
    """Random numbers [B, T, D], or of another shape."""
    return np.random.default_rng(seed).normal(size=shape or (B, T, D)).astype("float32")


def trained(model, x, y, **compiling):
    """The losses of a few steps."""
    model.compile(keras.optimizers.Adam(0.01), "mse", **compiling)
    return model.fit(x, y, epochs=3, batch_size=2, verbose=0).history["loss"]


@pytest.mark.parametrize("sequences_", [False, True])
@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("make", [LSTM, GRU])
def test_shapes_are_what_the_layer_says_beforehand(make, sequences_, state):
    layer = make(U, return_sequences=sequences_, return_state=state)
    told = layer.compute_output_shape((B, T, D))
    symbolic = layer(keras.Input((T, D), batch_size=B))
    results = layer(sequences())
    shapes = [tuple(each.shape) for each in tf.nest.flatten(results)]
    outputs = (B, T, U) if sequences_ else (B, U)
    assert shapes == [outputs, *([(B, U)] * len(layer.state_size) * state)]
    assert shapes == [tuple(each.shape) for each in keras.tree.flatten(symbolic)]
    assert tuple(told) == (tuple(shapes) if state else shapes[0])


@pytest.mark.parametrize("name", cells(CELLS))
def test_every_cell_computes_its_equations_step_by_step(name):
    layer = RNN(name, U, return_sequences=True, return_state=True)
    layer.build((B, T, D))
    rng, x = np.random.default_rng(1), sequences()
    layer.set_weights([rng.normal(0, 0.5, each.shape) for each in layer.weights])
    cell = CELLS[name]()
    weights = cell.prepare(arrays, {each.name: each.numpy() for each in layer.weights})
    kernel, bias = weights.pop("kernel"), weights.pop("bias")
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [1, 0, 0, 0, 0]], bool)
    state = tuple(np.zeros((B, U), np.float32) for _ in cell.state_names)
    expected = []
    for t in range(T):
        after = cell.step(arrays, x[:, t] @ kernel + bias, state, weights)
        state = tuple(np.where(mask[:, t, None], *pair) for pair in zip(after, state, strict=True))
        expected.append(state[0])
    outputs, *last = layer(x, mask=mask)
    np.testing.assert_allclose(outputs, np.stack(expected, 1), atol=1e-5)
    for ours, theirs in zip(last, state, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", cells(CELLS))
def test_every_cell_learns_in_fit_and_all_its_weights_move(name):
    keras.utils.set_random_seed(0)
    layer = RNN(name, U, return_sequences=True)
    model = keras.Sequential([keras.Input((T, D)), layer, keras.layers.Dense(1)])
    before = layer.get_weights()
    losses = trained(model, sequences(2, T, D), sequences(2, T, 1, seed=1))
    assert losses[-1] < losses[0]
    for old, new in zip(before, layer.get_weights(), strict=True):
        assert not np.array_equal(old, new)


@pytest.mark.parametrize("name", cells(CELLS))
def test_the_gradient_is_the_same_with_and_without_training(name):
    layer, x = RNN(name, U, return_sequences=True), tf.constant(sequences())
    results, mask = [], np.array([[1, 1, 1, 1, 0]] * B, bool)
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x, training=training, mask=mask)))
        results.append(tape.gradient(loss, [x, *layer.trainable_weights]))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def gradient(layer, x, power=2):
    """The gradient of a sum of powers of what a layer returns, for what it reads."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) ** power)
    return tape.gradient(loss, x)


@pytest.mark.parametrize("name", ["lstm", "mingru"])
def test_a_second_derivative_is_refused_and_never_wrong(name):
    layer, x = RNN(name, U), tf.constant(sequences())
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(gradient(layer, x) ** 2)
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        tape.gradient(loss, x)


@pytest.mark.compiled
def test_a_gradient_is_the_same_where_another_tape_looks_on():
    layer, x = LSTM(U), tf.constant(sequences())
    with tf.GradientTape() as tape:
        tape.watch(x)
        seen = gradient(layer, x)
    np.testing.assert_array_equal(seen, gradient(layer, x))


def test_a_cell_of_the_user_s_own_is_a_layer_too(monkeypatch):
    class Leaky(Cell):
        """h_t = 0.9 h_{t-1} + 0.1 z_t"""

        name, summary, source = "leaky_of_mine", "a leaky average", "nobody"

        def weights(self, inputs, units):
            weights = super().weights(inputs, units)
            return {name: weights[name] for name in ("kernel", "bias")}

        def step(self, ops, z, state, weights):
            return (0.9 * state[0] + 0.1 * z,)

    monkeypatch.setattr(CELLS, "_items", CELLS.present | {"leaky_of_mine": Leaky})
    layer = RNN("leaky_of_mine", U)
    x = sequences()
    outputs, expected = layer(x), 0
    kernel, bias = layer.get_weights()
    for t in range(T):
        expected = 0.9 * expected + 0.1 * (x[:, t] @ kernel + bias)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_padding_by_a_mask_changes_nothing_and_is_seen_from_an_embedding_on():
    model = keras.Sequential(
        [
            keras.layers.Embedding(6, D, mask_zero=True),
            GRU(U, return_sequences=True),
            keras.layers.Bidirectional(LSTM(U)),
        ]
    )
    short, padded = np.array([[1, 2, 3]]), np.array([[1, 2, 3, 0, 0]])
    np.testing.assert_allclose(model(short), model(padded), atol=1e-6)


def functional(make, steps=None):
    """A model with an initial state from outside, and a mask from an embedding."""
    ids = keras.Input((steps,), dtype="int32")
    layer = make(U)
    start = [keras.Input((U,)) for _ in layer.state_size]
    x = keras.layers.Embedding(6, D, mask_zero=True)(ids)
    return keras.Model([ids, *start], layer(x, initial_state=start))


@pytest.mark.parametrize("make", [LSTM, GRU, lambda units: RNN("scrn", units)])
def test_an_initial_state_in_a_functional_model_leaves_the_mask_alone(make, tmp_path):
    model = functional(make)
    start = [sequences(1, U, seed=n) for n in range(len(model.inputs) - 1)]
    short, padded = np.array([[1, 2, 3]]), np.array([[1, 2, 3, 0, 0]])
    expected = model([short, *start])
    np.testing.assert_allclose(model([padded, *start]), expected, atol=1e-6)
    zeros = [np.zeros_like(each) for each in start]
    assert not np.allclose(model([short, *zeros]), expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded([padded, *start]), model([padded, *start]))


def test_bidirectional_layers_take_an_initial_state_beside_a_mask():
    ids, start = keras.Input((None,), dtype="int32"), [keras.Input((U,)) for _ in range(4)]
    x = keras.layers.Embedding(6, D, mask_zero=True)(ids)
    model = keras.Model([ids, *start], keras.layers.Bidirectional(LSTM(U))(x, initial_state=start))
    given = [sequences(1, U, seed=n) for n in range(4)]
    short, padded = np.array([[1, 2, 3]]), np.array([[1, 2, 3, 0, 0]])
    np.testing.assert_allclose(model([short, *given]), model([padded, *given]), atol=1e-6)


def test_an_encoder_hands_its_state_to_a_decoder_and_both_learn(tmp_path):
    x, y = keras.Input((None, D)), keras.Input((None, D))
    _, *state = LSTM(U, return_state=True)(x)
    decoded = LSTM(U, return_sequences=True)(y, initial_state=state)
    model = keras.Model([x, y], keras.layers.Dense(1)(decoded))
    data = [sequences(4, T, D), sequences(4, 3, D, seed=1)]
    losses = trained(model, data, sequences(4, 3, 1, seed=2))
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(data), model(data))


@pytest.mark.parametrize("name", cells(CELLS))
def test_every_cell_comes_back_from_a_file(name, tmp_path):
    model = keras.Sequential([keras.Input((None, D)), RNN(name, U, return_sequences=True)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(sequences()), model(sequences()))
    assert loaded.layers[0].get_config() == model.layers[0].get_config()


FULL = {
    "use_bias": False,
    "kernel_initializer": "he_normal",
    "kernel_regularizer": keras.regularizers.L2(0.1),
    "recurrent_constraint": keras.constraints.MaxNorm(1.0),
    "activity_regularizer": keras.regularizers.L1(0.1),
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "seed": 3,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "stateful": True,
    "zero_output_for_mask": True,
    "name": "mine",
    "dtype": "float64",
    "trainable": False,
}


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: LSTM(U, unit_forget_bias=False, **options),
        lambda **options: GRU(U, reset_after=False, activation="relu", **options),
        lambda **options: RNN("rnn", U, activation="relu", **options),
    ],
)
def test_a_configuration_makes_the_same_layer(make):
    layer = make(**FULL)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.recurrent_constraint.max_value == 1.0
    copied = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copied.get_config() == layer.get_config()
    assert (again.go_backwards, again.stateful, again.trainable) == (True, True, False)


def test_regularizers_add_to_the_loss_and_constraints_hold():
    told = {
        "kernel_regularizer": keras.regularizers.L2(0.5),
        "recurrent_regularizer": "l1",
        "bias_regularizer": "l2",
        "activity_regularizer": "l2",
        "kernel_constraint": "non_neg",
        "recurrent_constraint": keras.constraints.MaxNorm(0.1),
        "bias_constraint": "non_neg",
    }
    layer, stock = LSTM(U, **told), keras.layers.LSTM(U, **told)
    model, other = (keras.Sequential([keras.Input((T, D)), each]) for each in (layer, stock))
    stock.set_weights(layer.get_weights())
    x = sequences()
    model(x), other(x)
    assert float(sum(model.losses)) == pytest.approx(float(sum(other.losses)), rel=1e-5)
    trained(model, sequences(4, T, D), sequences(4, U))
    kernel, recurrent, bias = layer.get_weights()
    assert kernel.min() >= 0
    assert bias.min() >= 0
    assert np.linalg.norm(recurrent, axis=0).max() <= 0.1 + 1e-6


def test_a_cell_s_own_bound_holds_and_its_own_start_is_drawn_from_keras_s_seed():
    keras.utils.set_random_seed(1)
    layer = RNN("indrnn", U)
    layer.build((B, T, D))
    first = layer.get_weights()
    layer.weights[1].assign([0.5, 2.0, -2.0, 0.0])
    bounded = layer.weights[1].constraint(layer.weights[1])
    np.testing.assert_allclose(bounded, [0.5, 0.999, -0.999, 0.0])
    keras.utils.set_random_seed(1)
    again = RNN("indrnn", U)
    again.build((B, T, D))
    for one, other in zip(first, again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("make", [LSTM, GRU, lambda *a, **k: RNN("peephole", *a, **k)])
def test_dropout_acts_in_training_alone_and_follows_its_seed(make, kind):
    x = sequences()
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        layer = make(U, return_sequences=True, seed=7, **{kind: 0.5})
        runs.append([layer(x, training=True), layer(x, training=True), layer(x), layer(x)])
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)
    first, second, plain, again = runs[0]
    assert not np.allclose(first, second)
    assert not np.allclose(first, plain)
    np.testing.assert_array_equal(plain, again)
    assert len(layer.variables) == len(layer.weights) + 1


def test_dropout_leaves_out_the_same_inputs_at_every_step():
    layer = RNN("rnn", U, dropout=0.5, seed=1, return_sequences=True, use_bias=False)
    layer.build((B, T, D))
    layer.set_weights([np.full((D, U), 0.01), np.zeros((U, U))])
    kept = np.asarray(layer(np.ones((B, T, D), "float32"), training=True))
    np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :1], kept.shape))
    assert len(np.unique(kept)) > 1


@pytest.mark.compiled
@pytest.mark.parametrize(
    "compiling",
    [{}, {"jit_compile": True}, {"run_eagerly": True}],
    ids=str,
)
def test_fit_learns_the_same_however_it_is_compiled(compiling):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((None, D)), LSTM(U)])
    x, y = sequences(5, T, D), sequences(5, U, seed=1)  # the last batch is smaller
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Model doesn't support `jit_compile=True`")
        losses = trained(model, x, y, **compiling)
    np.testing.assert_allclose(losses, model_losses(x, y), rtol=1e-4)
    predicted = model.predict(x, batch_size=2, verbose=0)
    np.testing.assert_allclose(predicted, model(x), atol=1e-6)


def model_losses(x, y):
    """The losses of Keras's own layer."""
    keras.utils.set_random_seed(3)
    return trained(keras.Sequential([keras.Input((None, D)), keras.layers.LSTM(U)]), x, y)


@pytest.mark.parametrize("mask", [None, [[1, 1, 0, 1, 0]] * 9])
def test_halves_of_a_batch_give_what_the_whole_gives(mask, monkeypatch):
    layer, x = GRU(U, return_sequences=True, return_state=True), tf.constant(sequences(9, T, D))
    mask = None if mask is None else np.array(mask, bool)
    results = []
    for number, pays in enumerate((False, True)):
        cut = []
        monkeypatch.setattr(
            "charrnn.layers.running.halves_pay", lambda *a, p=pays, c=cut: c.append(1) or p
        )
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, mask=mask, training=number > 0)
            loss = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in outputs])
        results.append([*outputs, *tape.gradient(loss, [x, *layer.trainable_weights])])
        assert cut
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.compiled
def test_batches_of_other_sizes_may_follow_one_another_outside_of_a_graph():
    layer, x = RNN("rnn", U), tf.constant(sequences(4, T, D))
    for size in (4, 2):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x[:size], training=True))
        assert np.all(tape.gradient(loss, x)[:size] != 0)


@pytest.mark.parametrize(
    ("cores", "size", "pays"), [(2, 32, True), (1, 32, False), (2, 4, False), (2, 1024, False)]
)
def test_a_batch_is_cut_where_there_are_cores_and_it_is_neither_small_nor_large(
    cores, size, pays, monkeypatch
):
    monkeypatch.setattr("charrnn.layers.running.cores", lambda: cores)
    assert halves_pay(size, 128) is pays
    assert halves_pay(None, 128) is (cores > 1)  # an open size is taken to be a usual one


@pytest.mark.parametrize("make", [LSTM, GRU])
def test_the_stock_layers_for_cudnn_give_the_same(make, monkeypatch):
    results, x = [], tf.constant(sequences())
    layer = make(U, return_sequences=True, return_state=True, go_backwards=True)
    for here in (False, True):
        monkeypatch.setattr("charrnn.layers.running.on_cudnn", lambda plan, here=here: here)
        with tf.GradientTape() as tape:
            outputs = layer(x, initial_state=[sequences(B, U)] * len(layer.state_size))
            loss = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in outputs])
        results.append([*outputs, *tape.gradient(loss, layer.trainable_weights)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


WRONG = {
    "cell": lambda: RNN("no such cell", U),
    "cell of a list": lambda: RNN(["lstm"], U),
    "activation": lambda: LSTM(U, activation="relu"),
    "recurrent_activation": lambda: GRU(U, recurrent_activation="tanh"),
    "recurrent_dropout": lambda: RNN("mingru", U, recurrent_dropout=0.5),
    "dropout": lambda: RNN("rnn", U, dropout=1.5),
    "dropout of a word": lambda: RNN("rnn", U, dropout="much"),
    "units": lambda: LSTM(0),
    "units of a truth": lambda: LSTM(True),
    "activation of None": lambda: LSTM(U, activation=None),
    "recurrent_activation of None": lambda: GRU(U, recurrent_activation=None, reset_after=False),
    "activation of a lambda": lambda: LSTM(U, activation=lambda x: x),
}


@pytest.mark.parametrize("setting", WRONG)
def test_what_there_is_not_is_refused_by_name(setting):
    with pytest.raises(ConfigError) as caught:
        WRONG[setting]()
    assert caught.value.setting == setting.split()[0]
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "call", "told"),
    [
        (LSTM, {"mask": np.ones((B, T - 1), bool)}, "`mask` has the shape (3, 4)"),
        (LSTM, {"mask": np.ones((B, T, 1), bool)}, "`mask` has the shape (3, 5, 1)"),
        (GRU, {"initial_state": [np.zeros((B, U + 1))]}, "`initial_state` has the shape (3, 5)"),
        (GRU, {"initial_state": [np.zeros((B + 1, U))]}, "for these sequences (3, 4)"),
    ],
)
def test_a_mask_or_a_state_of_another_shape_is_refused(make, call, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        make(U)(sequences(), **call)


def test_a_stateful_layer_refuses_a_batch_of_another_size():
    layer = GRU(U, stateful=True)
    layer(sequences())
    with pytest.raises(
        ConfigError, match="a stateful layer keeps its batch size, 3, and here are 2"
    ):
        layer(sequences(2, T, D))


SERVED = """
import sys
import numpy as np
import tensorflow as tf

x, saved = np.load(sys.argv[1]), [tf.saved_model.load(path) for path in sys.argv[2:]]
for serve in (saved[0].serve, saved[1].signatures["serving_default"]):
    found = serve(tf.constant(x))
    np.savez(sys.argv[1] + ".npz" if serve is saved[0].serve else sys.argv[1] + "2.npz", **found)
assert not [name for name in sys.modules if name.startswith("charrnn")]
"""


@pytest.mark.graphs
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "names", [("peephole", "minlstm"), pytest.param(tuple(CELLS), marks=pytest.mark.nightly)]
)
def test_layers_serve_in_a_process_without_charrnn(tmp_path, names):
    """As Keras's layers do: exported by Keras, or saved by TensorFlow without any fit."""
    x, batch = keras.Input((T, D)), keras.Input((T, D), batch_size=B)
    layers = {name: RNN(name, U, return_sequences=True) for name in names}
    served = [keras.Model(x, {name: layer(x) for name, layer in layers.items()})]
    states = {name: RNN(name, U, stateful=True) for name in names}
    served += [keras.Model(batch, {name: layer(batch) for name, layer in states.items()})]
    served[0].export(tmp_path / "exported", verbose=False)
    tf.saved_model.save(served[1], tmp_path / "saved")
    np.save(tmp_path / "x.npy", sequences())
    paths = [tmp_path / name for name in ("x.npy", "exported", "saved")]
    run_apart(SERVED, *paths, cwd=tmp_path).check_returncode()
    for model, name in zip(served, ("x.npy.npz", "x.npy2.npz"), strict=True):
        found = np.load(tmp_path / name)
        for cell, expected in model(sequences()).items():
            np.testing.assert_allclose(found[cell], expected, atol=1e-6, err_msg=cell)


@pytest.mark.compiled
@pytest.mark.parametrize(
    "name",
    ["peephole", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("lstm", "minlstm"))],
)
def test_what_surrounds_a_layer_is_compiled_for_any_batch(name):
    layer = RNN(name, U, return_sequences=True)
    layer.build((None, T, D))

    def gradient(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    compiled = tf.function(gradient, jit_compile=True)
    of_any_size = tf.TensorSpec((None, T, D))
    open_batch = tf.function(gradient, jit_compile=True, input_signature=[of_any_size])
    for function, batch in ((compiled, 4), (compiled, 9), (open_batch, 3), (open_batch, 8)):
        x = sequences(batch, T, D)
        for found, expected in zip(function(tf.constant(x)), gradient(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_sequences_of_other_features_are_refused():
    layer = LSTM(U)
    layer(sequences())
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
        layer(sequences(B, T, D + 1))


@pytest.mark.parametrize("make", [LSTM, GRU, lambda units: RNN("rnn", units)])
def test_units_may_be_numpy_s(make):
    layer = make(np.int64(U))
    assert type(layer.get_config()["units"]) is int


@pytest.mark.parametrize("pair", [(LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU)])
def test_a_configuration_is_one_of_keras_s_layer_too(pair):
    ours, theirs = (make(U, name="same").get_config() for make in pair)
    assert ours == theirs
    assert pair[0].from_config(theirs).get_config() == ours


def test_a_state_of_too_many_parts_is_refused():
    with pytest.raises(ConfigError, match=r"2 parts \(h, c\)"):
        LSTM(U)(sequences(), initial_state=[np.zeros((B, U))] * 3)


def test_a_stateful_layer_needs_a_batch_size():
    with pytest.raises(ConfigError, match="batch size"):
        LSTM(U, stateful=True)(keras.Input((T, D)))


def test_sequences_have_three_axes():
    with pytest.raises(ValueError, match="ndim=3"):
        LSTM(U)(sequences(B, D))
