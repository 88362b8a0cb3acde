"""The training step: a batch in halves is the whole batch; clipping and decay are as they say."""

from pathlib import Path

import numpy as np
import pytest

from charrnn import checkpoints
from charrnn.checkpoints import Checkpoint, Progress
from charrnn.config import Config
from charrnn.evaluation import Evaluator
from charrnn.language_model import LanguageModel
from charrnn.model.backend import tf
from charrnn.model.network import build_network, zero_state
from charrnn.model.weights import set_weights, specify
from charrnn.text.streams import Batch
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import step
from charrnn.training.step import Trainer

VOCABULARY = Vocabulary("\nabcde")
SIZES = {"units": 6, "layers": 2, "embedding": 5, "seq_length": 4, "dropout": 0}

pytestmark = pytest.mark.usefixtures("eagerly")


def weights_of(config):
    """Weights that make the state matter."""
    rng = np.random.default_rng(1)
    shapes = specify(config.model, VOCABULARY.size).items()
    return {name: rng.normal(0, 0.5, each.shape).astype(np.float32) for name, each in shapes}


def after_steps(config, count=2, alike=False):
    """The last outcome, and the tensors by name, after steps on a batch with gaps.

    `alike`: every sequence of the batch is the same.
    """
    rng = np.random.default_rng(2)
    size = config.training.batch_size, config.training.seq_length
    ids = rng.integers(0, VOCABULARY.size, (2, *size), dtype=np.int32)
    mask = (rng.random(size) < 0.8).astype(np.float32)
    state = [rng.normal(size=part.shape) for part in zero_state(config.model, size[0])]
    if alike:
        ids, mask = np.repeat(ids[:, :1], size[0], 1), np.ones_like(mask)
        state = [np.repeat(part[:1], size[0], 0) for part in state]
    trainer = Trainer(config, VOCABULARY.size)
    set_weights(trainer.model, weights_of(config))
    state = tuple(tf.constant(part, tf.float32) for part in state)
    for number in range(count):
        state, outcome = trainer.step(Batch(*ids, mask), state, number, 0.01)
    return outcome, trainer.tensors(state)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_halves_side_by_side_are_the_whole_batch(batch_size, monkeypatch):
    config = Config.of(**SIZES, batch_size=batch_size)
    outcomes, tensors = [], []
    for limit in (0, 1 << 20):
        monkeypatch.setattr(step, "HALVES_UP_TO", limit)
        assert Trainer(config, VOCABULARY.size).parts == (2 if limit and batch_size > 1 else 1)
        outcome, after = after_steps(config)
        outcomes.append(outcome)
        tensors.append(after)
    np.testing.assert_allclose(*outcomes, rtol=1e-5)
    assert tensors[0].keys() == tensors[1].keys()
    for name, whole in tensors[0].items():
        np.testing.assert_allclose(tensors[1][name], whole, atol=1e-5, err_msg=name)


def test_each_half_has_dropout_masks_of_its_own():
    config = Config.of(**SIZES | {"dropout": 0.5}, batch_size=2)
    _, tensors = after_steps(config, alike=True)
    first, second = tensors["state/2/h"]
    assert np.abs(first - second).max() > 0.01


@pytest.mark.parametrize("clip_norm", [0.01, 1000.0])
def test_the_gradient_that_the_optimizer_sees_has_at_most_the_clip_norm(clip_norm):
    outcome, tensors = after_steps(Config.of(**SIZES, batch_size=3, clip_norm=clip_norm), count=1)
    momenta = [value for name, value in tensors.items() if "momentum" in name]
    seen = np.sqrt(sum((value**2).sum() for value in momenta)) / (1 - 0.9)
    assert seen == pytest.approx(min(clip_norm, outcome.gradient_norm), rel=1e-4)


def test_weights_decay_and_biases_do_not():
    decayed, kept = (
        after_steps(Config.of(**SIZES, batch_size=3, weight_decay=decay), count=1)[1]
        for decay in (0.5, 0)
    )
    for name, value in kept.items():
        if name.startswith("weights/"):
            same = np.array_equal(decayed[name], value)
            assert same == name.endswith("bias"), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_evaluation_is_numpy_s_sum_character_by_character(cell):
    """On more than one stream and many windows of each."""
    config = Config.of(**SIZES, cell=cell)
    weights = weights_of(config)
    model = build_network(config.model, VOCABULARY.size)
    set_weights(model, weights)
    tensors = checkpoints.prefixed("weights", weights)
    oracle = LanguageModel(Checkpoint(config, VOCABULARY, Progress(end=1), tensors), Path("last"))
    text = "".join(np.random.default_rng(3).choice(list("\nabcde"), 1500))
    ids = VOCABULARY.encode("\n" + text)
    evaluator = Evaluator(model, config.model, VOCABULARY.size)
    assert evaluator.streams(ids).batch_size > 1
    score = evaluator.score(ids)
    assert score.nats_per_char == pytest.approx(-oracle.score(text).mean(), abs=2e-6)
