"""examples/ctc.py: what is sent and heard, how paths become texts, and that it runs."""

import numpy as np
import pytest
from examples_in_hand import load_example, run_example

pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config"),
]
ctc = load_example("ctc")
PATHS = ["---s--oo---ss--", "---e---e---", "eee", "e-e", "-", "aab-bb-a", "ab--c", "--"]


def one_hot(path):
    """Logits [1, T, symbols] of a network that is nearly sure of this path."""
    return np.array([[[9.0 * (s == symbol) for s in ctc.SYMBOLS] for symbol in path]], "float32")


def sent_clearly(text, unit):
    chance = np.random.default_rng(0)
    return ctc.hear(ctc.send(text, unit, 0, 700, 0.01, chance))


def test_a_text_is_keyed_as_the_international_code_says():
    assert ctc.key("sos") == "101010" + "00" + "111011101110" + "00" + "10101"
    assert len(ctc.key("paris")) == 50 - 7  # the standard word, without the space after it


def test_no_two_letters_have_one_code():
    assert len(set(ctc.MORSE.values())) == len(ctc.MORSE) == 26


def test_a_recording_is_silent_before_and_after_the_text():
    samples = ctc.send("sos", 0.05, 0, 700, 0, np.random.default_rng(1))
    (loud,) = np.nonzero(np.abs(samples) > 0.01)
    assert len(samples) == ctc.SECONDS * ctc.RATE
    assert abs((loud[-1] - loud[0]) / ctc.RATE - len(ctc.key("sos")) * 0.05) < 0.01


@pytest.mark.parametrize("pitch", [400, 700, 1200])
def test_a_tone_is_found_at_any_pitch(pitch):
    chance = np.random.default_rng(0)
    heard = ctc.hear(ctc.send("t" * 8, 0.09, 0, pitch, 0.05, chance)).ravel()
    assert np.quantile(heard, 0.9) - np.quantile(heard, 0.1) > 1.5


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("strategy", ["greedy", "beam_search"])
def test_both_decoders_fold_repeats_and_drop_blanks(path, strategy):
    assert ctc.decode(one_hot(path), strategy) == [ctc.fold(path)]


def test_a_run_of_one_symbol_is_one_letter():
    assert [*map(ctc.fold, PATHS)] == ["sos", "ee", "e", "ee", "", "abba", "abc", ""]


def test_a_beam_finds_a_text_whose_paths_are_likely_only_together():
    """The best path is blank twice; "e" has three paths that together are likelier."""
    logits = np.full((1, 2, len(ctc.SYMBOLS)), -20.0, "float32")
    logits[0, :, 0], logits[0, :, ctc.SYMBOLS.index("e")] = np.log(0.6), np.log(0.4)
    assert ctc.decode(logits, "greedy") == [""]
    assert ctc.decode(logits, "beam_search") == ["e"]


def test_the_loss_is_minus_the_logarithm_of_the_sum_over_paths():
    import keras

    logits = np.log(np.full((1, 2, len(ctc.SYMBOLS)), 1 / len(ctc.SYMBOLS), "float32"))
    loss = keras.losses.CTC()(ctc.to_labels(["e"]), logits)
    assert float(loss) == pytest.approx(-np.log(3 / len(ctc.SYMBOLS) ** 2), rel=1e-4)


@pytest.mark.parametrize("unit", [0.05, 0.07, 0.09])
def test_thresholds_read_what_is_sent_clearly(unit):
    assert ctc.read_by_rule(sent_clearly("quiz", unit), unit) == "quiz"


def test_a_recording_holds_its_text_and_there_are_steps_enough_for_it():
    sounds, texts, units, noises = ctc.record(20, np.random.default_rng(0))
    assert sounds.shape == (20, ctc.SECONDS * ctc.RATE // ctc.FRAME // ctc.STEP, ctc.STEP)
    assert len(texts) == len(units) == len(noises) == 20
    assert all(2 * len(text) < sounds.shape[1] for text in texts)


@pytest.mark.parametrize(
    ("a", "b", "edits"), [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3)]
)
def test_the_edit_distance_counts_insertions_deletions_and_replacements(a, b, edits):
    assert ctc.distance(a, b) == ctc.distance(b, a) == edits


@pytest.mark.nightly
def test_it_runs_and_prints_its_figures():
    tiny = ("--recordings", "4", "--held-out", "4", "--epochs", "1", "--units", "4")
    printed = run_example("ctc", *tiny)
    for name in ("best path", "thresholds", "CTC, best path", "CTC, beam search", "TIMIT"):
        assert name in printed
