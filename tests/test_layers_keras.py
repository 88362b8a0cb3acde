"""The layers against Keras's own with the same weights: outputs, states and gradients."""

import numpy as np
import pytest
from nightly import mostly

from charrnn.layers import GRU, LSTM, RNN
from charrnn.tf.start import keras, tf

BATCH, STEPS, INPUTS, UNITS = 4, 5, 3, 4
PAIRS = {
    "lstm": (LSTM, keras.layers.LSTM, {}),
    "gru": (GRU, keras.layers.GRU, {}),
    "gru, reset before": (GRU, keras.layers.GRU, {"reset_after": False}),
    "simple": (lambda units, **more: RNN("rnn", units, **more), keras.layers.SimpleRNN, {}),
}
MASKS = {
    "none": None,
    "left": [[0, 0, 1, 1, 1]],
    "right": [[1, 1, 1, 0, 0]],
    "middle": [[1, 0, 0, 1, 1]],
    "all": [[0, 0, 0, 0, 0]],
    "mixed": [[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]],
}
pytestmark = pytest.mark.usefixtures("eagerly")


def both(name, **options):
    """Our layer and Keras's, with the same random weights."""
    ours, stock, own = PAIRS[name]
    layers = [make(UNITS, **own, **options) for make in (ours, stock)]
    for layer in layers:
        layer.build((BATCH, STEPS, INPUTS))
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 0.5, each.shape) for each in layers[1].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def inputs(dtype="float32"):
    """Sequences, the same in every test."""
    return tf.constant(np.random.default_rng(2).normal(size=(BATCH, STEPS, INPUTS)), dtype)


def states(layer, dtype="float32"):
    """A state that is not zero."""
    rng = np.random.default_rng(3)
    return [tf.constant(rng.normal(size=(BATCH, UNITS)), dtype) for _ in layer.state_size]


def mask_of(name):
    """A mask [B, T], or None."""
    rows = MASKS[name]
    return None if rows is None else tf.constant(np.resize(rows, (BATCH, STEPS)), tf.bool)


def all_of(layer, x, state=None, **call):
    """What a layer returns, and the gradients of a function of all of it."""
    given = {} if state is None else {"initial_state": state}
    with tf.GradientTape() as tape:
        tape.watch([x, state] if state else [x])
        results = tf.nest.flatten(layer(x, **given, **call))
        loss = tf.add_n([tf.reduce_sum(tf.sin(each * (1 + i))) for i, each in enumerate(results)])
        loss += tf.reduce_sum(
            results[0] * tf.cast(tf.range(BATCH), x.dtype)[(..., *[None] * (results[0].ndim - 1))]
        )
    gradients = tape.gradient(loss, [x, *(state or []), *layer.trainable_weights])
    return [np.asarray(each) for each in [*results, *gradients]]


def check_same(ours, theirs, atol=1e-5):
    """Both lists of arrays agree."""
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, atol=atol, rtol=1e-5)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_same_outputs_states_and_gradients(name, sequences, mask):
    layers = both(name, return_sequences=sequences, return_state=True)
    results = [all_of(layer, inputs(), states(layers[0]), mask=mask_of(mask)) for layer in layers]
    check_same(*results)


@pytest.mark.parametrize(
    ("mask", "training"),
    [
        ("mixed", True),
        pytest.param("mixed", False, marks=pytest.mark.nightly),
        pytest.param("none", True, marks=pytest.mark.nightly),
        pytest.param("none", False, marks=pytest.mark.nightly),
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {"go_backwards": True},
        {"go_backwards": True, "return_sequences": True},
        {"use_bias": False},
        {"use_bias": False, "return_sequences": True, "return_state": True},
        {"return_sequences": True, "zero_output_for_mask": True},
        {"zero_output_for_mask": True, "go_backwards": True},
        {"dtype": "float64", "return_sequences": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", PAIRS)
def test_same_with_every_option(name, options, training, mask):
    layers = both(name, **options)
    x = inputs(options.get("dtype", "float32"))
    results = [all_of(each, x, mask=mask_of(mask), training=training) for each in layers]
    check_same(*results, atol=1e-10 if "dtype" in options else 1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_the_weights_have_keras_s_names_order_and_shapes(name):
    ours, stock = both(name)
    told = [[(each.name, tuple(each.shape)) for each in layer.weights] for layer in (ours, stock)]
    assert told[0] == told[1]


@pytest.mark.parametrize("name", PAIRS)
def test_stateful_layers_go_on_where_they_ended_until_they_are_reset(name):
    layers, results = both(name, stateful=True), []
    for layer in layers:
        x = inputs()
        first, second = layer(x), layer(x)
        layer.reset_state()
        results.append([np.asarray(each) for each in (first, second, layer(x))])
        assert len(layer.weights) == len(layer.trainable_weights)
    check_same(*results)
    assert not np.allclose(results[0][0], results[0][1])
    np.testing.assert_array_equal(results[0][0], results[0][2])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_mixed_policies_return_what_keras_s_do(name, policy):
    layers = both(name, return_sequences=True, return_state=True, dtype=policy)
    ours, theirs = ([*tf.nest.flatten(layer(inputs()))] for layer in layers)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(tf.cast(one, "float32"), tf.cast(other, "float32"), atol=0.03)
    assert {each.dtype for each in layers[0].weights} == {"float32"}


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_seed_starts_the_same_weights(name):
    ours, stock, _ = PAIRS[name]
    started = []
    for make in (ours, stock):
        keras.utils.set_random_seed(5)
        layer = make(UNITS, implementation=1, use_cudnn=False)
        layer.build((None, None, INPUTS))
        started.append(layer.get_weights())
    check_same(*started, atol=0)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("mask", mostly(["none", "right", "mixed"], "mixed".__eq__))
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_merges_the_same(merge, mask, sequences):
    results = []
    for make in (LSTM, keras.layers.LSTM):
        inner = make(UNITS, return_sequences=sequences, return_state=True)
        layer = keras.layers.Bidirectional(inner, merge_mode=merge)
        layer.build((BATCH, STEPS, INPUTS))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(0, 0.5, each.shape) for each in layer.weights])
        state = states(layer.forward_layer) + states(layer.backward_layer)
        results.append(all_of(layer, inputs(), state, mask=mask_of(mask)))
    check_same(*results)


def test_bidirectional_takes_a_backward_layer_of_its_own_and_can_be_rebuilt():
    forth, back = LSTM(UNITS), GRU(UNITS, go_backwards=True)
    layer = keras.layers.Bidirectional(forth, backward_layer=back)
    first = layer(inputs())
    again = keras.layers.Bidirectional.from_config(layer.get_config())
    again.build(inputs().shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(inputs()), first)
    assert isinstance(again.backward_layer, GRU)


@pytest.mark.parametrize("name", PAIRS)
def test_time_distributed_reads_each_sequence_of_a_set(name):
    layers = both(name)
    x = tf.stack([inputs(), inputs() * 2], 1)
    results = [[np.asarray(keras.layers.TimeDistributed(each)(x))] for each in layers]
    check_same(*results)
