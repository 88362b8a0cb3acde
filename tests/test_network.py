"""Whole networks, eagerly: every cell and every option of the stack trains, saves and samples."""

from itertools import chain

import numpy as np
import pytest
from nightly import CELLS as ALWAYS
from nightly import mostly

from charrnn.cells import CELLS
from charrnn.config import Config, SamplingConfig
from charrnn.network.weights import add_prefix, initial_weights, specify
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.sampling.graph import GraphEngine
from charrnn.sampling.writing import Writing
from charrnn.text.batches import Batch
from charrnn.text.vocabulary import Vocabulary
from charrnn.tf.network import (
    build_network,
    drop_recurrent,
    get_weights,
    output_dropout,
    set_weights,
    zero_state,
)
from charrnn.tf.start import tf
from charrnn.training.step import Trainer

VOCABULARY = Vocabulary("\nabcde")
SIZES = {"units": 6, "layers": 2, "embedding": 5, "batch_size": 3, "seq_length": 4}
STACKS = {
    "units": {"units": (6, 4, 3), "layers": 3},
    "one-hot": {"embedding": 0},
    "layer_norm": {"layer_norm": True},
    "residual": {"residual": True, "layers": 3},
    "residual layer_norm": {"residual": True, "layer_norm": True},
    "tie_embeddings": {"tie_embeddings": True, "embedding": 6},
    "skip_connections": {"skip_connections": True, "units": (6, 4)},
    "skip_connections tied": {"skip_connections": True, "tie_embeddings": True, "embedding": 12},
    "all": {"skip_connections": True, "residual": True, "layer_norm": True, "layers": 3},
    "recurrent_dropout": {"recurrent_dropout": 0.3},
    "variational": {"variational": True, "dropout": 0.3},
    "activation": {"cell": "gru_classic", "activation": "leaky_relu"},
    "gates": {"cell": "gru_classic", "recurrent_activation": "hard_sigmoid"},
    "lstm gates": {"cell": "lstm", "recurrent_activation": "hard_sigmoid"},
}
CASES = [{"cell": name, "layers": 1} for name in CELLS] + list(STACKS.values())


pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(
    params=mostly(CASES, lambda case: case.get("cell") in ALWAYS or "layers" in case),
    ids=lambda case: " ".join(f"{k}={v}" for k, v in case.items()),
)
def config(request):
    return Config.of(**SIZES | request.param)


def batch_of(config, seed=0):
    rng = np.random.default_rng(seed)
    size = config.training.batch_size, config.training.seq_length
    ids = rng.integers(0, VOCABULARY.size - 1, (2, *size), dtype=np.int32)
    return Batch(*ids, np.ones(size, np.float32))


def network(config, weights=None):
    """The model with its first weights, or the ones given."""
    weights = weights or initial_weights(config.model, VOCABULARY.size, seed=1)
    return build_network(config.model, VOCABULARY.size, weights)


def logits_of(model, config, training=False, seed=0):
    ids = tf.constant(batch_of(config).inputs.T)
    state = zero_state(config.model, config.training.batch_size)
    return np.asarray(model((ids, state, tf.constant([0, seed])), training=training)[0])


def test_three_steps_lower_the_loss(config):
    trainer = Trainer(config, VOCABULARY.size)
    set_weights(trainer.model, initial_weights(config.model, VOCABULARY.size, seed=1))
    state = zero_state(config.model, config.training.batch_size)
    losses = [trainer.step(batch_of(config), state, 0, 0.01)[1].loss_nats for _ in range(4)]
    assert losses[3] < losses[0]


def test_every_weight_is_there_in_its_shape_and_has_a_gradient(config):
    model = network(config)
    expected = specify(config.model, VOCABULARY.size)
    assert {name: weight.shape for name, weight in get_weights(model).items()} == {
        name: weight.shape for name, weight in expected.items()
    }
    state = zero_state(config.model, config.training.batch_size)
    with tf.GradientTape() as tape:
        logits, _ = model((tf.constant(batch_of(config).inputs.T), state, tf.zeros(2, tf.int32)))
        loss = tf.reduce_sum(logits**2)
    gradients = tape.gradient(loss, model.trainable_variables)
    for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert np.asarray(tf.convert_to_tensor(gradient)).any(), weight.path


def test_a_checkpoint_brings_the_network_back(config, tmp_path):
    weights = initial_weights(config.model, VOCABULARY.size, seed=1)
    tensors = add_prefix("weights", weights)
    checkpoints.save(tmp_path / "a", Checkpoint(config, VOCABULARY, Progress(end=1), tensors))
    stored = checkpoints.load(tmp_path / "a")
    assert stored.config == config
    expected = logits_of(network(config), config)
    np.testing.assert_array_equal(
        logits_of(network(stored.config, stored.weights), config), expected
    )


def test_texts_do_not_depend_on_how_many_are_written(config):
    engine, texts = GraphEngine(network(config), config.model), {}
    for count in (1, 3):
        options = SamplingConfig(count=count, length=5)
        writing = Writing(engine, VOCABULARY, options, seed=4).begin("ab")
        texts[count] = [text.text for text in writing.texts()]
    assert [len(text) for text in chain(*texts.values())] == [5] * 4
    assert texts[1][0] == texts[3][0]
    assert len(set(texts[3])) == 3


def test_layers_have_the_units_asked_for():
    state = zero_state(Config.of(units=(6, 4, 3)).model, 2)
    assert [part.shape[1] for part in state] == [6, 6, 4, 4, 3, 3]


def test_tied_embeddings_have_no_matrix_of_their_own():
    config = Config.of(**SIZES | STACKS["tie_embeddings"])
    weights = initial_weights(config.model, VOCABULARY.size, seed=1)
    assert "logits/kernel" not in weights
    untied = Config.of(**SIZES | {"embedding": 6})
    kernel = {"logits/kernel": weights["embedding/embeddings"].T}
    expected = logits_of(network(untied, weights | kernel), untied)
    np.testing.assert_allclose(logits_of(network(config, weights), config), expected, atol=1e-6)


def test_residual_layers_that_write_nothing_change_nothing():
    shallow = Config.of(**SIZES | {"layers": 1})
    deep = Config.of(**SIZES | {"layers": 3, "residual": True})
    weights = initial_weights(deep.model, VOCABULARY.size, seed=1)
    for name in weights:
        if name.startswith(("recurrent_2", "recurrent_3")):
            weights[name] = weights[name] * 0
    np.testing.assert_allclose(
        logits_of(network(deep, weights), deep), logits_of(network(shallow, weights), shallow)
    )


def test_layer_norm_makes_the_scale_of_a_layer_s_output_irrelevant():
    config = Config.of(**SIZES | {"cell": "indrnn", "layers": 1, "layer_norm": True})
    weights = initial_weights(config.model, VOCABULARY.size, seed=1)
    larger = weights | {"recurrent_1/kernel": 1000 * weights["recurrent_1/kernel"]}
    larger["recurrent_1/bias"] = 1000 * weights["recurrent_1/bias"]
    features = [logits_of(network(config, each), config) for each in (weights, larger)]
    np.testing.assert_allclose(*features, atol=0.05)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_is_a_function_of_its_seed_and_of_training(option):
    plain = {"dropout": 0.0, "recurrent_dropout": 0.0}
    config = Config.of(**SIZES | plain | {option: 0.5})
    model = network(config)
    first, again, other = (logits_of(model, config, True, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    exact = logits_of(network(Config.of(**SIZES | plain)), config)
    np.testing.assert_array_equal(logits_of(model, config), exact)


@pytest.mark.parametrize("variational", [False, True])
def test_variational_dropout_has_one_mask_for_all_time_steps(variational):
    config = Config.of(dropout=0.5, variational=variational).model
    drop_outputs = output_dropout(config, tf.constant([0, 1]))
    kept = np.asarray(drop_outputs(tf.ones((8, 3, 16)), 0)) != 0
    assert 0.2 < kept.mean() < 0.8
    assert (kept == kept[:1]).all() == variational
    assert not (kept == kept[:, :1]).all()


def test_recurrent_dropout_keeps_the_mean_of_the_product():
    config, weights = Config.of(recurrent_dropout=0.3).model, tf.ones((200, 200))
    dropped = np.asarray(drop_recurrent(config, tf.constant([0, 1]), weights, layer=1))
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=0.02)
