"""Every filter draws with the probabilities it states, alone and with the others."""

import numpy as np
import pytest
from test_sampling import model_of

from charrnn.config import SamplingConfig
from charrnn.config.settings import setting
from charrnn.errors import ConfigError
from charrnn.plugins import Table
from charrnn.sampling import filters
from charrnn.sampling.filters import (
    FILTERS,
    Filters,
    Past,
    draw,
    log_softmax,
    register,
    repetition_penalty,
    sampling_config,
)

DRAWS = 100_000
LOGITS = np.log([[0.4, 0.05, 0.25, 0.1, 0.2]])
NOTHING = np.zeros((1, 0), np.int32)


def probabilities(recent=NOTHING, logits=LOGITS, **settings):
    """What the settings make of the logits."""
    log_w = Filters(sampling_config(settings))(logits, Past(0, recent))
    return np.exp(log_softmax(log_w))[0]


def frequencies(recent=NOTHING, **settings):
    """How often each character comes in many draws."""
    log_w = Filters(SamplingConfig(**settings))(LOGITS, Past(0, recent))
    noise = np.random.default_rng(0).random(DRAWS, np.float32)
    drawn = draw(np.repeat(log_w, DRAWS, 0), noise)
    return np.bincount(drawn, minlength=5)


def normalised(*weights):
    return np.array(weights) / sum(weights)


CASES = [
    ({}, [0.4, 0.05, 0.25, 0.1, 0.2]),
    ({"temperature": 0.5}, [0.16, 0.0025, 0.0625, 0.01, 0.04]),
    ({"temperature": 2.0}, [0.4**0.5, 0.05**0.5, 0.5, 0.1**0.5, 0.2**0.5]),
    ({"temperature": 0.0}, [1, 0, 0, 0, 0]),
    ({"temperature": 1e-6}, [1, 0, 0, 0, 0]),
    ({"greedy": True, "temperature": 3.0}, [1, 0, 0, 0, 0]),
    ({"top_k": 2}, [0.4, 0, 0.25, 0, 0]),
    ({"top_k": 9}, [0.4, 0.05, 0.25, 0.1, 0.2]),
    ({"top_p": 0.6}, [0.4, 0, 0.25, 0, 0]),  # 0.65: the one that crosses belongs to it
    ({"top_p": 0.3}, [0.4, 0, 0, 0, 0]),
    ({"top_p": 0.9}, [0.4, 0, 0.25, 0.1, 0.2]),
    ({"min_p": 0.4}, [0.4, 0, 0.25, 0, 0.2]),
    ({"min_p": 1.0}, [0.4, 0, 0, 0, 0]),
    # The k best are 0.4, 0.25 and 0.2 of 0.85; 0.4 + 0.25 is 0.76 of it.
    ({"top_k": 3, "top_p": 0.75}, [0.4, 0, 0.25, 0, 0]),
    ({"temperature": 0.5, "top_k": 4, "min_p": 0.2}, [0.16, 0, 0.0625, 0, 0.04]),
    ({"temperature": 0.5, "top_p": 0.8}, [0.16, 0, 0.0625, 0, 0]),
    ({"temperature": 2.0, "top_k": 3, "top_p": 0.99, "min_p": 0.75}, [0.4**0.5, 0, 0.5, 0, 0]),
]


@pytest.mark.parametrize(("settings", "weights"), CASES, ids=lambda each: str(each)[:60])
def test_probabilities_are_those_stated(settings, weights):
    np.testing.assert_allclose(probabilities(**settings), normalised(*weights), atol=1e-12)


@pytest.mark.parametrize(("settings", "weights"), CASES, ids=lambda each: str(each)[:60])
def test_frequencies_of_100_000_draws_agree(settings, weights):
    expected = DRAWS * normalised(*weights)
    counts = frequencies(**settings)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 25  # four degrees of freedom at most: one in 20,000


def test_repetition_penalty_divides_what_is_positive_and_multiplies_the_rest():
    logits = np.array([[2.0, -1.0, 0.5, 3.0, -2.0]])
    recent = np.array([[0, 1, 0]])
    expected = [[1.0, -2.0, 0.5, 3.0, -2.0]]
    np.testing.assert_allclose(repetition_penalty(logits, 2.0, Past(0, recent)), expected)
    p = probabilities(recent, logits, repetition_penalty=2.0)
    np.testing.assert_allclose(p, normalised(*np.exp([1.0, -2.0, 0.5, 3.0, -2.0])))


def test_repetition_penalty_is_drawn_as_stated():
    recent = np.array([[0, 3]])
    expected = DRAWS * normalised(0.4**2, 0.05, 0.25, 0.1**2, 0.2)
    counts = frequencies(recent, repetition_penalty=2.0)  # log-probabilities are negative
    assert ((counts - expected) ** 2 / expected).sum() < 25


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-6, 1.0, 100.0, 1e6])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_no_temperature_warns(temperature, scale):
    with np.errstate(over="warn", invalid="raise", divide="raise"):
        p = probabilities(logits=scale * np.array([[3.0, -2.0, 1.0]]), temperature=temperature)
    assert p.sum() == pytest.approx(1)
    assert p.argmax() == 0


def test_a_great_temperature_is_nearly_uniform():
    np.testing.assert_allclose(probabilities(temperature=100.0), 0.2, atol=0.005)


def test_equals_are_told_apart_by_their_place():
    equal = np.zeros((1, 5))
    assert probabilities(logits=equal, top_k=2).tolist() == [0.5, 0.5, 0, 0, 0]
    np.testing.assert_allclose(probabilities(logits=equal, top_p=0.5), [1 / 3] * 3 + [0, 0])
    assert probabilities(logits=equal, greedy=True).tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("noise", [0.0, 0.999999940395])
def test_the_ends_of_the_noise_draw_what_is_possible(noise):
    log_w = np.array([[-np.inf, 0.0, -np.inf, 0.0, -np.inf]])
    (drawn,) = draw(log_w, np.array([noise], np.float32))
    assert drawn in (1, 3)


def test_rows_are_independent():
    logits = np.log(np.random.default_rng(1).dirichlet(np.ones(6), 4))
    settings = {"top_k": 4, "top_p": 0.8, "min_p": 0.1, "temperature": 0.7}
    apply = Filters(SamplingConfig(**settings, repetition_penalty=1.3))
    recent = np.array([[0, 1], [2, 2], [3, 5], [4, 0]])
    whole = apply(logits, Past(0, recent))
    for row in range(4):
        alone = apply(logits[row : row + 1], Past(0, recent[row : row + 1]))
        np.testing.assert_array_equal(whole[row], alone[0])


# -- Filters that a user adds --------------------------------------------------------------


@pytest.fixture
def own_table(monkeypatch):
    """A table of filters to which a test may add."""
    table = Table("filter")
    for name, each in FILTERS.present.items():
        table.add(name, each)
    monkeypatch.setattr(filters, "FILTERS", table)
    return table


def add_floor(name="floor"):
    """A filter that keeps what is at least so likely."""

    @register(name, setting(0.0, "Least probability of a character.", low=0, below=1))
    def floor(log_w, p, past):
        return filters.keep(log_w, np.exp(log_softmax(log_w)) >= p)

    return floor


def test_a_filter_that_is_added_acts_after_the_others(own_table):
    add_floor()
    np.testing.assert_allclose(probabilities(floor=0.15), normalised(0.4, 0, 0.25, 0, 0.2))
    # Of 0.4, 0.25 and 0.2 the last is 0.24 of the whole: only the first reaches 0.45.
    np.testing.assert_allclose(probabilities(floor=0.45, top_k=3), [1, 0, 0, 0, 0])
    np.testing.assert_allclose(probabilities(top_k=3), probabilities(floor=0.0, top_k=3))


def test_a_filter_s_setting_has_its_limits(own_table):
    add_floor()
    with pytest.raises(ConfigError, match=r"^`floor` 2.0: must be below 1$"):
        sampling_config({"floor": 2.0})
    with pytest.raises(ConfigError, match=r"^`floor` 'x': must be of type float$"):
        sampling_config({"floor": "x"})


def test_a_filter_that_nobody_added_is_an_unknown_setting():
    with pytest.raises(ConfigError, match=r"^`floor`: no such setting"):
        sampling_config({"floor": 0.5, "top_k": 3})


@pytest.mark.parametrize("name", [*FILTERS.present, "length", "floor"])
def test_a_name_that_is_taken_is_refused(own_table, name):
    add_floor()
    message = f"^`filter` '{name}': there is a (filter|setting) of this name already"
    with pytest.raises(ConfigError, match=message):
        add_floor(name)
    assert own_table.get(name) is FILTERS.get(name) or name == "floor"


def test_any_setting_may_have_values_that_take_turns(own_table):
    add_floor()
    apply = Filters(SamplingConfig(filters={"floor": (0.0, 0.3)}))
    kept = [np.isfinite(apply(LOGITS, Past(position, NOTHING))).sum() for position in range(4)]
    assert kept == [5, 1, 5, 1]


def test_filters_that_are_added_act_in_the_order_of_their_names(own_table):
    for name, wanted in (("later", 2), ("earlier", 4)):

        @register(name, setting(0, "Leave so many."))
        def leave(log_w, count, past, wanted=wanted):
            assert np.isfinite(log_w).sum() == {4: 5, 2: 4}[wanted]
            return filters.keep(log_w, filters.ranks(log_w) < wanted)

    both = {"later": 1, "earlier": 1}
    for settings in (both, dict(reversed(both.items()))):
        assert (probabilities(**settings) > 0).sum() == 2


@pytest.mark.parametrize("name", ["seed", "engine", "state", "prompt"])
def test_a_name_that_means_something_else_is_refused(own_table, name):
    with pytest.raises(ConfigError, match=f"^`filter` '{name}': there is a setting of this name"):
        add_floor(name)


def test_a_setting_without_a_type_is_refused(own_table):
    with pytest.raises(
        ConfigError, match=r"^`filter` 'odd': the default of its setting must be a number or a text"
    ):
        register("odd", setting(None, "Nothing."))(lambda log_w, value, past: log_w)


def test_the_field_that_holds_the_values_of_added_filters_is_no_setting():
    with pytest.raises(ConfigError, match=r"^`filters`: no such setting"):
        sampling_config({"filters": {"top_k": 3}})


# -- No sequence twice -------------------------------------------------------------------------


def sequences(text, size):
    return [text[place : place + size] for place in range(len(text) - size + 1)]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "settings",
    [{"greedy": True}, {"temperature": 0.5, "count": 3}, {"beam": 3, "count": 3}, {"best_of": 2}],
    ids=str,
)
def test_no_sequence_is_written_twice(size, settings):
    length = {1: 2, 2: 8}.get(size, 20)
    settings = {"count": 1, "length": length, "forbid": "\n", "seed": 1, **settings}
    for text in model_of(spread=2.0).generate("ab", no_repeat=size, **settings):
        found = sequences(f"ab{text}", size)
        assert len(found) == len(set(found))


def test_greedy_texts_repeat_themselves_otherwise():
    found = sequences(model_of(spread=2.0).generate("ab", greedy=True, length=60, forbid="\n"), 5)
    assert len(set(found)) < len(found) / 2


def test_a_text_repeats_itself_where_nothing_else_is_left():
    assert len(model_of().generate("a", no_repeat=1, length=30, seed=1)) == 30


def test_a_text_that_goes_on_remembers_its_sequences(tmp_path):
    model, settings = model_of(spread=2.0), {"greedy": True, "no_repeat": 3, "forbid": "\n"}
    first = model.write("ab", length=9, **settings)
    (text,) = first.texts()
    model.save_state(tmp_path / "state", first)
    rest = model.generate(state=tmp_path / "state", length=9, **settings)
    assert text.text + rest == model.generate("ab", length=18, **settings)
