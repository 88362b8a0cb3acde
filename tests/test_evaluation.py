"""Other ways to evaluate: random windows from the zero state, and weights that go on learning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from charrnn import dynamic, evaluation
from charrnn.config import Config
from charrnn.dynamic import DynamicEvaluator
from charrnn.evaluation import Evaluator
from charrnn.model.network import build_network, get_weights
from charrnn.network.weights import initial_weights
from charrnn.text.streams import Streams

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.graphs]

VOCABULARY_SIZE = 6
CONFIG = Config.of(units=7, embedding=3, cell="coupled").model


@pytest.fixture
def network():  # type: ignore[no-untyped-def]
    weights = initial_weights(CONFIG, VOCABULARY_SIZE, seed=1)
    return build_network(CONFIG, VOCABULARY_SIZE, weights)


def text(length: int, seed: int = 0) -> np.ndarray:
    """Random ids [N]."""
    return np.random.default_rng(seed).integers(0, 5, length).astype(np.uint8)


def cycle(length: int) -> np.ndarray:
    """Ids [N] that repeat, so that there is something to learn."""
    return (np.arange(length) % 5).astype(np.uint8)


# -- Cold windows ------------------------------------------------------------------------


def test_cold_windows_know_nothing_of_what_stands_before_them(network) -> None:  # type: ignore[no-untyped-def]
    """One window as long as the text is the text from the zero state."""
    ids = text(33)
    evaluator = Evaluator(network, CONFIG, VOCABULARY_SIZE)
    whole = evaluator.score(ids)
    assert evaluator.streams(ids).batch_size == 1
    cold = evaluator.score_cold(ids, 32)
    assert cold.nats_per_char == pytest.approx(whole.nats_per_char, rel=1e-5)
    one = evaluator.score_cold(ids, 1).nats_per_char
    alone = [evaluator.score(ids[place : place + 2]).nats_per_char for place in range(32)]
    assert min(alone) <= one <= max(alone)


def test_cold_windows_are_always_the_same_and_as_many_as_the_text_has(network) -> None:  # type: ignore[no-untyped-def]
    ids = text(9_001)
    evaluator = Evaluator(network, CONFIG, VOCABULARY_SIZE)
    score = evaluator.score_cold(ids, 16, unknown=4)
    assert score == evaluator.score_cold(ids, 16, unknown=4)
    assert 9_000 <= score.characters < 9_000 + 64 * 16
    assert score.unknown == pytest.approx(score.characters / 5, rel=0.2)


def test_long_cold_windows_are_read_a_few_at_a_time(network, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Their logits fit in memory, and no more is read than the text has."""
    monkeypatch.setattr(evaluation, "LOGITS_IN_MEMORY", 2 * 100 * VOCABULARY_SIZE)
    evaluator = Evaluator(network, CONFIG, VOCABULARY_SIZE)
    assert evaluator.score_cold(text(401), 100).characters == 400
    assert evaluator.score_cold(text(401), 400).characters == 400


# -- Dynamic evaluation ------------------------------------------------------------------


def test_the_weights_are_put_back(network) -> None:  # type: ignore[no-untyped-def]
    before = get_weights(network)
    evaluator = DynamicEvaluator(network, CONFIG, text(400))
    first = evaluator.score(text(200, seed=1))
    for name, weight in get_weights(network).items():
        np.testing.assert_array_equal(weight, before[name])
    assert evaluator.score(text(200, seed=1)) == first


def test_at_rate_zero_it_is_the_static_score(network, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(dynamic, "RATE", 0.0)
    ids = text(150)
    score = DynamicEvaluator(network, CONFIG, text(300)).score(ids, unknown=3)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(ids, unknown=3)
    assert score.nats_per_char == pytest.approx(static.nats_per_char, rel=1e-5)
    assert replace(score, nats_per_char=0.0) == replace(static, nats_per_char=0.0)


def test_a_text_that_repeats_is_learnt_on_the_way(network, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(dynamic, "RATE", 1e-2)
    ids = cycle(1500)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(ids)
    score = DynamicEvaluator(network, CONFIG, text(400)).score(ids)
    assert score.nats_per_char < 0.8 * static.nats_per_char


def test_no_character_is_scored_by_weights_that_have_seen_it(network) -> None:  # type: ignore[no-untyped-def]
    """The first window's loss is the static one, whatever follows."""
    ids = text(dynamic.WINDOW + 1)
    score = DynamicEvaluator(network, CONFIG, text(400)).score(ids)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(ids)
    assert score.nats_per_char == pytest.approx(static.nats_per_char, rel=1e-5)


def test_a_step_is_the_paper_s(network) -> None:  # type: ignore[no-untyped-def]
    """θ - η g / (√m + ε) after one window, where the pull back is still zero."""
    evaluator = DynamicEvaluator(network, CONFIG, text(200))
    before = get_weights(network)
    window = Streams(text(20), 1, 19).window(0)
    state = tuple(np.zeros((1, 7), np.float32) for _ in range(2))
    _, gradients, _ = evaluator._differentiate(*window, state)
    evaluator._learn(*window, state)
    for variable, gradient, root in zip(
        network.trainable_variables, gradients, evaluator._roots, strict=True
    ):
        step = dynamic.RATE * gradient.numpy() / (root.numpy() + dynamic.EPSILON)
        np.testing.assert_allclose(variable.numpy(), before[variable.path] - step, atol=1e-6)


def test_a_text_shorter_than_a_window_is_scored(network, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert DynamicEvaluator(network, CONFIG, text(9)).score(text(5)).characters == 4
