"""The training step: a batch in parts is the whole batch; clipping and decay are as they say."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from nightly import mostly

from charrnn.config import MOST_PARTS, Config
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import add_prefix, specify
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.text.batches import Batch
from charrnn.text.vocabulary import Vocabulary
from charrnn.tf.evaluation import Evaluator
from charrnn.tf.network import build_network, set_weights, zero_state
from charrnn.tf.parts import choose_parts, cut
from charrnn.tf.start import tf
from charrnn.training.step import Trainer

VOCABULARY = Vocabulary("\nabcde")
SIZES = {"units": 6, "layers": 2, "embedding": 5, "seq_length": 4, "dropout": 0}

pytestmark = pytest.mark.usefixtures("eagerly")


def weights_of(config):
    """Weights that make the state matter."""
    rng = np.random.default_rng(1)
    shapes = specify(config.model, VOCABULARY.size).items()
    return {name: rng.normal(0, 0.5, each.shape).astype(np.float32) for name, each in shapes}


def after_steps(config, count=2, alike=False, mask=None, before=None):
    """The last outcome, and the tensors by name, after steps on a batch with gaps.

    `alike`: every sequence of the batch is the same. `mask`: which targets count.
    `before`: the trainer is made with these settings, and changed before the first step.
    """
    rng = np.random.default_rng(2)
    size = config.training.batch_size, config.training.seq_length
    ids = rng.integers(0, VOCABULARY.size, (2, *size), dtype=np.int32)
    gaps = (rng.random(size) < 0.8).astype(np.float32)
    mask = gaps if mask is None else mask
    state = [rng.normal(size=part.shape) for part in zero_state(config.model, size[0])]
    if alike:
        ids, mask = np.repeat(ids[:, :1], size[0], 1), np.ones_like(mask)
        state = [np.repeat(part[:1], size[0], 0) for part in state]
    trainer = Trainer(before or config, VOCABULARY.size)
    if before:
        trainer.change(config)
    set_weights(trainer.model, weights_of(config))
    state = tuple(tf.constant(part, tf.float32) for part in state)
    for number in range(count):
        state, outcome = trainer.step(Batch(*ids, mask), state, number, 0.01)
    return outcome, trainer.tensors(state)


@pytest.mark.parametrize("batch_size", mostly([1, 2, 3, 8, 9], lambda size: size < 4))
def test_parts_side_by_side_are_the_whole_batch(batch_size):
    every = range(1, min(8, batch_size + 1) + 1)  # even one more than there are sequences
    (whole, expected), *others = (
        after_steps(Config.of(**SIZES, batch_size=batch_size, parts=parts)) for parts in every
    )
    for outcome, tensors in others:
        np.testing.assert_allclose(outcome, whole, rtol=1e-5)
        assert tensors.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(tensors[name], value, atol=1e-5, err_msg=name)


def test_a_trainer_that_is_changed_is_one_that_was_made_so():
    rates = {"dropout": 0.3, "recurrent_dropout": 0.2, "weight_decay": 0.3}
    config, before = Config.of(**SIZES | rates), Config.of(**SIZES | {"dropout": 0.6})
    _, expected = after_steps(config)
    _, tensors = after_steps(config, before=before)
    for name, value in expected.items():
        np.testing.assert_array_equal(tensors[name], value, err_msg=name)
    _, others = after_steps(before)
    assert not np.array_equal(others["weights/logits/kernel"], expected["weights/logits/kernel"])


@pytest.mark.nightly
def test_the_most_parts_there_may_be_have_masks_of_their_own_too():
    sizes = {"batch_size": 2 * MOST_PARTS, "parts": MOST_PARTS}
    outcome, tensors = after_steps(Config.of(**SIZES | {"dropout": 0.5}, **sizes), alike=True)
    assert outcome.finite
    states = tensors["state/2/h"][::2]
    assert len(np.unique(states.round(6), axis=0)) == MOST_PARTS


@pytest.mark.parametrize("parts", range(1, 9))
def test_a_batch_is_cut_into_as_many_parts_as_asked_for_and_it_has_sequences(parts):
    for batch_size in (1, 5, 8, 100):
        config = Config.of(**SIZES, batch_size=batch_size, parts=parts)
        assert Trainer(config, VOCABULARY.size).parts == min(parts, batch_size)
        edges = [len(part) for (part,) in cut((np.zeros(batch_size),), min(parts, batch_size))]
        assert sum(edges) == batch_size
        assert max(edges) - min(edges) <= 1


def test_each_part_has_dropout_masks_of_its_own():
    config = Config.of(**SIZES | {"dropout": 0.5}, batch_size=4, parts=4)
    _, tensors = after_steps(config, alike=True)
    states = tensors["state/2/h"]
    for one, other in itertools.combinations(states, 2):
        assert np.abs(one - other).max() > 0.01


@pytest.mark.parametrize(
    ("cores", "batch_size", "units", "parts"),
    [
        (1, 16, 384, 1),
        (2, 16, 384, 2),
        (2, 2, 384, 2),
        (2, 1, 384, 1),
        (2, 64, 1024, 2),
        (2, 64, 1025, 1),  # its time steps are large: nearly all is in the products
        (8, 16, 384, 2),  # at least 8 sequences a part
        (8, 64, 384, 8),
        (8, 64, 4096, 8),
        (8, 64, 4097, 1),
        (64, 1000, 8, 32),
    ],
)
def test_parts_are_chosen_by_cores_and_sizes(cores, batch_size, units, parts):
    config = Config.of(units=(8, units), batch_size=batch_size)
    assert choose_parts(config, cores) == parts


@pytest.mark.parametrize("parts", [1, 2])
def test_every_target_weighs_the_same_however_many_its_window_has(parts):
    """The gradients of two halves of a window add up to the whole window's."""
    config = Config.of(**SIZES, batch_size=3, parts=parts, clip_norm=1e6)
    first = np.zeros((3, SIZES["seq_length"]), np.float32)
    first[:, :1] = 1
    (one, seen), (other, rest), (whole, together) = (
        after_steps(config, count=1, mask=mask) for mask in (first, 1 - first, np.ones_like(first))
    )
    momenta = [name for name in together if "momentum" in name]
    for name in momenta:
        added = seen[name] + rest[name]
        np.testing.assert_allclose(added, together[name], atol=1e-7, err_msg=name)
    assert momenta
    share = first.mean()
    mean = share * one.loss_nats + (1 - share) * other.loss_nats
    assert whole.loss_nats == pytest.approx(mean, rel=1e-6)


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
    model = build_network(config.model, VOCABULARY.size, weights)
    tensors = add_prefix("weights", weights)
    oracle = LanguageModel(Checkpoint(config, VOCABULARY, Progress(end=1), tensors), Path("last"))
    text = "".join(np.random.default_rng(3).choice(list("\nabcde"), 1500))
    ids = VOCABULARY.encode("\n" + text)
    evaluator = Evaluator(model, config.model, VOCABULARY.size)
    assert evaluator.streams(ids).batch_size > 1
    score = evaluator.score(ids)
    assert score.nats_per_char == pytest.approx(-oracle.score(text).mean(), abs=2e-6)
