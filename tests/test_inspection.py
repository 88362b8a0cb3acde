"""What units follow: features of a text, and correlations that are more than chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_sampling import LETTERS, model_of

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.models.units import (
    FEATURES,
    correlations,
    features_in_reading_order,
    find_units,
    read_features,
    read_states,
)
from charrnn.sampling.writing import first_ids
from charrnn.text.vocabulary import Vocabulary

LINES = [
    'He said, "Go (at once) to 12\nOxford Street!" and left.',
    "\n\n    if x[0] == 5:\n\treturn “Yes”\n\n",
    "She read: «Il pleut, dit-il» (in 1885).\n",
    "说：「好（很好）」。\n",
]
TEXT = "".join(LINES[n] for n in np.random.default_rng(7).integers(0, len(LINES), 120))


def told(name, text):
    """The feature, a digit for each character."""
    return "".join(str(int(value)) for value in FEATURES[name](text))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("inside quotes", 'a "bc" d "e"', "001110000110"),
        ("inside quotes", 'a "b\n\nc "d" e', "0000000011000"),
        ("inside quotes", "«a “b” c» d", "11111111000"),
        ("inside quotes", "don't “be", "000000000"),
        ("inside brackets", "f(x[1]) ]) (", "011111000000"),
        ("inside brackets", "（很好）", "1110"),
        ("position in the line", "ab\nc\n\nd", "1201001"),
        ("position in the word", "ab, cd3e", "12001201"),
        ("capital letters", "aBÉ Ω1", "011010"),
        ("digits", "a1 23", "01011"),
        ("indentation", "  a b\n\tc\n d", "12222044011"),
    ],
)
def test_features(name, text, expected):
    assert told(name, text) == expected


def test_a_position_is_counted_up_to_a_line_s_usual_width():
    assert FEATURES["position in the line"]("x" * 200).max() == 80


@given(st.text('ab("[«\n\n ])» A1\t\u0301你', max_size=60), st.booleans())
def test_features_tell_of_every_character_and_only_of_what_has_been_read(text, backward):
    for name, values in read_features(text, backward).items():
        assert (values.shape, values.dtype) == ((len(text),), np.float32), name
        assert (values >= 0).all()
    for name in set(FEATURES) - {"inside quotes", "inside brackets"}:  # these count once closed
        for end in range(0, len(text), 7):
            part = read_features(text[end:] if backward else text[:end], backward)[name]
            whole = read_features(text, backward)[name]
            np.testing.assert_array_equal(part, whole[end:] if backward else whole[:end])


def test_a_text_read_backward_has_its_brackets_the_other_way_round():
    values = read_features("a (b “c”)\nd", backward=True)
    assert "".join(str(int(each)) for each in values["inside brackets"]) == "00011111100"
    assert list(values["position in the line"]) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1]


def test_the_bytes_of_a_character_share_its_features():
    vocabulary = Vocabulary.of(map(chr, range(256)), byte_level=True)
    features = features_in_reading_order(vocabulary, "É1 你\udcff", backward=False)
    assert list(features["capital letters"]) == [1, 1, 0, 0, 0, 0, 0, 0]
    assert list(features["position in the word"]) == [1, 1, 0, 0, 1, 1, 1, 0]
    turned = features_in_reading_order(vocabulary, "É1", backward=True)
    assert list(turned["digits"]) == [1, 0, 0]


def slow_noise(count, units, kept, seed=3):
    """Values that change slowly and follow nothing."""
    rng = np.random.default_rng(seed)
    values = np.zeros((count, units), np.float32)
    for n in range(1, count):
        values[n] = kept * values[n - 1] + rng.normal(0, 1, units)
    return values


def blocks_of(values, size=100):
    """The values as they come while a text is read in several places."""
    for start in range(size):
        places = np.arange(start, len(values), size)
        yield places, values[places]


def followed(values, features, most=5):
    return find_units(blocks_of(values), {"layers.1.h": values.shape[1]}, features, most)


FEATURES_OF_TEXT = read_features(TEXT)


@pytest.mark.parametrize("feature", sorted(FEATURES))
@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_feature_is_found_and_named_with_its_unit_and_strength(feature, sign):
    values = slow_noise(len(TEXT), 20, kept=0.0)
    planted = FEATURES_OF_TEXT[feature]
    values[:, 13] += sign * 3 * (planted - planted.mean()) / planted.std()
    (found,) = followed(values, FEATURES_OF_TEXT)
    assert (found.state, found.unit, found.feature) == ("layers.1.h", 13, feature)
    r = np.corrcoef(values[:, 13], planted)[0, 1]
    assert found.correlation == pytest.approx(r, abs=0.05)
    assert abs(found.correlation) <= abs(r) + 1e-6


@pytest.mark.parametrize("kept", [0.0, 0.9, 0.99, 0.999])
def test_nothing_is_found_in_noise_however_slow(kept):
    assert followed(slow_noise(len(TEXT), 200, kept), FEATURES_OF_TEXT) == []


def test_what_holds_in_one_half_alone_is_not_found():
    values = slow_noise(len(TEXT), 3, kept=0.0)
    planted = FEATURES_OF_TEXT["digits"] * 20
    values[: len(TEXT) // 2, 0] += planted[: len(TEXT) // 2]
    values[:, 1] += planted
    values[: len(TEXT) // 2, 2] += planted[: len(TEXT) // 2]
    values[len(TEXT) // 2 :, 2] -= planted[len(TEXT) // 2 :]
    assert [each.unit for each in followed(values, FEATURES_OF_TEXT)] == [1]


def test_the_strongest_come_first_and_only_so_many_of_a_feature():
    rng = np.random.default_rng(0)
    columns = [
        (strength * FEATURES_OF_TEXT[name] / FEATURES_OF_TEXT[name].std())
        for name, strength in [("digits", 1), ("digits", 3), ("capital letters", 2), ("digits", 5)]
    ]
    values = (np.stack(columns, 1) + rng.normal(size=(len(TEXT), 4))).astype(np.float32)
    found = followed(values, FEATURES_OF_TEXT, most=2)
    assert [(each.unit, each.feature) for each in found] == [
        (3, "digits"),
        (1, "digits"),
        (2, "capital letters"),
    ]


def test_correlations_are_pearson_s_and_a_constant_has_none():
    values = slow_noise(len(TEXT), 4, kept=0.0) * 1e-3 + 5
    features = np.stack([FEATURES_OF_TEXT["digits"], np.ones(len(TEXT), np.float32)], 1)
    values[:, 0] += features[:, 0]
    values[:, 1] = 0.1
    r = correlations(blocks_of(values), features)
    halves = np.array_split(np.arange(len(TEXT)), [len(TEXT) // 2])
    weakest = min(np.corrcoef(values[half, 0], features[half, 0])[0, 1] for half in halves)
    assert r[0, 0] == pytest.approx(weakest, abs=1e-3)
    assert not r[1].any()
    assert not r[:, 1].any()


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_states_are_read_in_several_places_as_if_in_one(direction):
    model = model_of(cell="lstm", layers=2, direction=direction, spread=0.3)
    text = "".join(np.random.default_rng(1).choice(list("abc \n"), 1003))
    ids = first_ids(model.vocabulary, text, model.backward)
    blocks = list(read_states(model.engine("numpy", SamplingConfig()), ids))
    places, values = (np.concatenate(each) for each in zip(*blocks, strict=True))
    np.testing.assert_array_equal(np.sort(places), np.arange(len(text)))
    names = [name for name in model.states("a") if name[-1] in "hc"]
    states = model.states(text)
    expected = np.concatenate([states[name] for name in names], 1)[:: -1 if model.backward else 1]
    np.testing.assert_allclose(values, expected[places], atol=1e-4)


def test_a_model_names_its_units_as_states_does():
    model = model_of(cell="lstm", layers=2, units=6, vocabulary=Vocabulary("\n aB"))
    text = "".join(np.random.default_rng(1).choice(list("aB \n"), 3000))
    found = model.units_worth_looking_at(text, most=2)
    assert found
    features, states = read_features(text), model.states(text)
    for each in found:
        r = np.corrcoef(states[each.state][:, each.unit], features[each.feature])[0, 1]
        assert each.correlation == pytest.approx(r, abs=0.05)
        assert abs(each.correlation) >= 0.4


def test_a_short_text_tells_nothing_and_what_is_no_text_is_refused():
    model = model_of(vocabulary=LETTERS)
    assert model.units_worth_looking_at("abc" * 300) == []
    with pytest.raises(ConfigError, match=r"^`text` 5: must be a text"):
        model.units_worth_looking_at(5)
