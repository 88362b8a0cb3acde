"""Other ways to evaluate: random windows from the zero state, and weights that go on learning."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_sampling import model_of

from charrnn.config import Config
from charrnn.errors import CheckpointError, ConfigError, DivergedError
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import initial_weights
from charrnn.text.batches import Streams
from charrnn.text.corpus import Part
from charrnn.tf import evaluation
from charrnn.tf.evaluation import DynamicEvaluator, Evaluator
from charrnn.tf.network import build_network, get_weights
from charrnn.types import Score

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


class Dynamic(DynamicEvaluator):
    """An evaluator with what it has measured on a text."""

    def __init__(self, network, ids: np.ndarray) -> None:  # type: ignore[no-untyped-def]
        super().__init__(network, CONFIG)
        self.measured = self.measure(ids)

    def score_text(self, ids: np.ndarray, unknown: int | None = None) -> Score:
        return self.score(ids, self.measured, unknown)


def test_the_weights_are_put_back(network) -> None:  # type: ignore[no-untyped-def]
    before = get_weights(network)
    evaluator = Dynamic(network, text(400))
    first = evaluator.score_text(text(200, seed=1))
    for name, weight in get_weights(network).items():
        np.testing.assert_array_equal(weight, before[name])
    assert evaluator.score_text(text(200, seed=1)) == first


def test_at_rate_zero_it_is_the_static_score(network, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(evaluation, "RATE", 0.0)
    ids = text(150)
    score = Dynamic(network, text(300)).score_text(ids, unknown=3)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(ids, unknown=3)
    assert score.nats_per_char == pytest.approx(static.nats_per_char, rel=1e-5)
    assert replace(score, nats_per_char=0.0) == replace(static, nats_per_char=0.0)


def test_a_text_that_repeats_is_learnt_on_the_way(network, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(evaluation, "RATE", 1e-2)
    ids = cycle(1500)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(ids)
    score = Dynamic(network, text(400)).score_text(ids)
    assert score.nats_per_char < 0.8 * static.nats_per_char


def test_no_character_is_scored_by_weights_that_have_seen_it(network) -> None:  # type: ignore[no-untyped-def]
    """The first window's loss is the static one, whatever follows."""
    ids = text(evaluation.LEARNT_WINDOW + 1)
    score = Dynamic(network, text(400)).score_text(ids)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(ids)
    assert score.nats_per_char == pytest.approx(static.nats_per_char, rel=1e-5)


def test_a_step_is_the_paper_s(network) -> None:  # type: ignore[no-untyped-def]
    """θ - η g / max(√m, φ mean(√m)) after one window, where the pull back is still zero."""
    evaluator = Dynamic(network, text(200))
    before = get_weights(network)
    window = Streams(text(20), 1, 19).window(0)
    state = tuple(np.zeros((1, 7), np.float32) for _ in range(2))
    _, gradients, _ = evaluator._differentiate(*window, state)
    evaluator._learn(*window, state, list(before.values()), *evaluator.measured)
    for variable, gradient, scale in zip(
        network.trainable_variables, gradients, evaluator.measured[0], strict=True
    ):
        step = evaluation.RATE * gradient.numpy() / scale.numpy()
        np.testing.assert_allclose(variable.numpy(), before[variable.path] - step, atol=1e-6)


def test_a_text_shorter_than_a_window_is_scored(network, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert Dynamic(network, text(9)).score_text(text(5)).characters == 4


def test_what_the_measured_text_lacks_takes_no_leap(network) -> None:  # type: ignore[no-untyped-def]
    """Weights whose gradient was zero or nearly so take steps of the size of the others'."""
    rare = np.concatenate([cycle(300), [5], cycle(300), [5], cycle(300)]).astype(np.uint8)
    static = Evaluator(network, CONFIG, VOCABULARY_SIZE).score(rare)
    evaluator = Dynamic(network, cycle(400))
    assert evaluator.score_text(rare).nats_per_char < static.nats_per_char
    smallest = min(float(np.min(scale)) for scale in evaluator.measured[0])
    assert smallest > 0.01 * np.mean(
        np.concatenate([np.ravel(each) for each in evaluator.measured[0]])
    )


def test_a_network_of_many_characters_learns_on_the_way() -> None:
    """Without the table of inputs, gradients of embeddings name their rows."""
    size = 300
    weights = initial_weights(CONFIG, size, seed=1)
    network = build_network(CONFIG, size, weights)
    evaluator = Dynamic(network, text(400))
    assert evaluator.score_text(text(100)).characters == 99


def test_each_window_is_measured_after_the_one_before_it(network, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """m of every second window of a text is the mean over them, each with its own state."""
    ids = text(1 + 5 * evaluation.LEARNT_WINDOW)
    monkeypatch.setattr(evaluation, "MEASURED_WINDOWS", 3)  # 0, 2 and 4
    evaluator = Dynamic(network, ids)
    pairs = [
        ids[max(0, n - 1) * evaluation.LEARNT_WINDOW : (n + 1) * evaluation.LEARNT_WINDOW + 1]
        for n in (0, 2, 4)
    ]
    alone = [last_gradients(evaluator, pair) for pair in pairs]
    for found, *expected in zip(evaluator._mean_squares(ids), *alone, strict=True):
        np.testing.assert_allclose(found, np.mean(np.square(expected), 0), rtol=1e-4, atol=1e-9)


def last_gradients(evaluator: Dynamic, ids: np.ndarray) -> list[np.ndarray]:
    """Of the last window of ids that are read from the zero state on."""
    state = tuple(np.zeros((1, 7), np.float32) for _ in range(2))
    for window in Streams(ids, 1, evaluation.LEARNT_WINDOW):
        _, gradients, state = evaluator._differentiate(*window, state)
    return [gradient.numpy() for gradient in gradients]


def test_weights_that_leave_the_finite_numbers_give_no_score(network, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(evaluation, "RATE", np.inf)
    evaluator = Dynamic(network, text(200))
    with pytest.raises(DivergedError, match="did not stay finite"):
        evaluator.score_text(text(200))
    assert np.isfinite(network.trainable_variables[0].numpy()).all()


# -- A model in hand ---------------------------------------------------------------------


def test_a_score_that_is_no_number_is_an_error() -> None:
    Path("a.txt").write_text("abcab", encoding="utf-8")
    model = model_of()
    model.checkpoint.tensors["weights/logits/bias"][2] = np.inf
    for cold in (None, 3):
        with pytest.raises(CheckpointError, match="computes values that are not finite"):
            model.evaluate("a.txt", cold=cold)


@pytest.mark.parametrize("cold", [2.0, "5", True])
def test_windows_are_whole_numbers_of_characters(cold: object) -> None:
    Path("a.txt").write_text("abcab", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"`cold`.*must be a whole number"):
        model_of().evaluate("a.txt", cold=cold)


def test_models_of_one_shape_share_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scores with its own weights; TensorFlow never frees what it has compiled."""
    Path("a.txt").write_text("abcab" * 8, encoding="utf-8")
    made: list = []
    evaluation.shared_evaluator.cache_clear()
    evaluation.shared_dynamic_evaluator.cache_clear()
    monkeypatch.setattr(evaluation, "compile_function", counted(evaluation.compile_function, made))
    stub = SimpleNamespace(part=lambda *_: Part(text(300) % 3, []))
    monkeypatch.setattr(LanguageModel, "corpus", lambda model: stub)
    scores = {
        (seed, kind, time): model_of(seed).evaluate("a.txt", dynamic=kind)
        for time in (0, 1)
        for seed in (0, 1)
        for kind in (False, True)
    }
    assert len(made) == 3
    for (seed, kind, time), score in scores.items():
        assert score == scores[seed, kind, 1 - time]
        assert score != scores[1 - seed, kind, time]


def counted(function, calls: list):  # type: ignore[no-untyped-def]
    """The function, which notes its calls."""
    return lambda *arguments: calls.append(arguments) or function(*arguments)
