"""The setting `match`: what is written can become a full match, drawn as if all were tried."""

import hashlib
import itertools
import threading
import time

import numpy as np
import pytest
from commands import charrnn, untrained
from test_sampling import LETTERS, fixed, model_of

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.models.language_model import Blend
from charrnn.sampling import rules, writing
from charrnn.sampling.filters import NEVER, Filters, Past, draw
from charrnn.sampling.rules import Matching, allowed_next, either
from charrnn.text.vocabulary import Vocabulary

CATASTROPHE = r"(?:\w|\w\w)*\."


# -- The draw ------------------------------------------------------------------------------

FILTERED = [
    {},
    {"temperature": 0.3},
    {"temperature": 3.0},
    {"greedy": True},
    {"top_k": 3},
    {"top_p": 0.8},
    {"min_p": 0.2, "temperature": 0.7},
    {"top_k": 9, "top_p": 0.9, "repetition_penalty": 1.3},
    {"repetition_penalty": 4.0},
    {"no_repeat": 2},
    {"no_repeat": 1, "repetition_penalty": 1.3},
]


@pytest.mark.parametrize("settings", FILTERED, ids=str)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_draw_is_the_same_as_if_all_characters_were_tried(settings, share):
    rng, filters = np.random.default_rng(1), Filters(SamplingConfig(**settings))
    for spread in (0.0, 0.5, 3.0) * 40:
        logits = np.round(rng.normal(0, spread, (1, 40)), 1)  # so that some are equal
        logits[:, rng.random(40) < 0.1] = NEVER
        leads, noise = rng.random(40) < share, rng.random(1, np.float32)
        past = Past(0, rng.integers(0, 40, (1, 6)))
        found = allowed_next(
            logits, noise, filters, past, lambda new, leads=leads: bool(leads[new])
        )
        assert not (found & ~leads).any()
        allowed = np.where(leads, logits, NEVER)
        assert found.any() == (allowed > NEVER).any()
        if found.any():
            drawn = [
                draw(filters(np.where(mask, logits, NEVER), past), noise)
                for mask in (found, leads[None])
            ]
            assert drawn[0] == drawn[1]


def test_few_characters_are_tried_where_a_few_are_likely():
    logits = -np.arange(5000.0)[None]
    tried = []
    for noise in (0.1, 0.5, 0.9, 0.99):
        may_follow = lambda new: bool(tried.append(new)) or True  # noqa: E731
        allowed_next(logits, np.array([noise]), Filters(SamplingConfig()), Past(), may_follow)
    assert len(tried) < 4 * 32


@pytest.mark.parametrize("settings", [{}, {"top_p": 0.7}, {"repetition_penalty": 1.5}])
def test_texts_are_those_of_trying_all(settings, monkeypatch):
    models = [model_of(3), Blend([model_of(1), model_of(2)], [1, 2])]
    given = {"match": "[ab ]+c\n?", "length": 20, "count": 4, "seed": 1, **settings}
    texts = [model.generate(**given) for model in models]
    monkeypatch.setattr(rules, "FIRST", 1 << 20)
    assert [model.generate(**given) for model in models] == texts


def test_an_added_filter_sees_all_that_may_follow():
    filters = Filters(SamplingConfig())
    filters.ordered = False
    tried = []
    allowed_next(
        np.array([[9.0, *[0.0] * 30]]),
        np.array([0.5]),
        filters,
        Past(),
        lambda n: not tried.append(n),
    )
    assert len(tried) == 31


# -- What cannot be written ----------------------------------------------------------------


@pytest.mark.parametrize("search", [{}, {"beam": 2}, {"best_of": 3}, {"count": 2}])
def test_a_pattern_that_nothing_can_begin_is_refused(search):
    model = model_of()
    with pytest.raises(ConfigError, match=r"^`match` 'Q\.\*': .* it needs 'Q'$"):
        model.generate(match="Q.*", **search)
    with pytest.raises(ConfigError, match=r"needs 'a'$"):
        model.generate(match="ab", forbid="a", **search)
    with pytest.raises(ConfigError, match=r"can begin it$"):
        model.generate(match=r"[^\x00-\u0fff]", **search)  # none of those looked for
    assert model.write(match="Q?", **search).texts()[0].complete


@pytest.mark.parametrize("search", [{}, {"beam": 2}, {"best_of": 3}])
def test_what_a_text_lacks_is_named(search):
    (text,) = model_of().texts(match="ab[xyz]", length=9, **search)
    assert (text.text, text.complete, text.wanted) == ("ab", False, "xyz")
    (cut,) = model_of().texts(match="ab[xyz]", length=2, **search)
    assert (cut.complete, cut.wanted) == (False, "")


def test_characters_are_listed_in_words():
    assert [either(each) for each in ("Q", "ab", "abc")] == ["'Q'", "'a' or 'b'", "'a', 'b' or 'c'"]


def test_the_command_says_what_a_pattern_lacks():
    untrained()
    refused = charrnn("sample", "--match", "Quick.*")
    assert (refused.status, refused.out) == (1, "")
    assert "needs 'Q'" in refused.err
    for many in ((), ("--count", 2)):
        short = charrnn("sample", "--match", "the (Q|Z)", *many)
        assert short.status == 0
        assert "--match: a text ends too early: next comes 'Q' or 'Z'" in short.err


# -- A pattern that takes too long ---------------------------------------------------------


def test_a_pattern_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(rules, "PATIENCE_SECONDS", 0.05)
    model = fixed([0.1, 0.5, 0.1, 0.1, 0.2])
    for search in ({"count": 2}, {"beam": 3}):
        with pytest.raises(ConfigError, match=r"^`match` .* takes more than 0.05 seconds after \d"):
            model.generate(match=CATASTROPHE, length=200, seed=1, **search)
    with pytest.raises(ConfigError, match="takes more"):
        Matching(CATASTROPHE, "a.").complete("a" * 200 + " .")


def test_a_text_goes_on_where_its_pattern_took_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "PATIENCE_SECONDS", 0.05)
    model = fixed([0.1, 0.1, 0.2, 0.3, 0.3])
    given, pieces = {"length": 200, "seed": 1}, []
    begun = model.write("a", match=CATASTROPHE, **given)
    with pytest.raises(ConfigError):
        pieces.extend(begun)
    model.save_state(tmp_path / "state", begun)
    assert len(pieces) == begun.position
    rest = model.write(state=tmp_path / "state", length=3).texts()
    text = "".join(piece for (piece,) in pieces)
    state = model.write("a" + text, seed=1)
    np.testing.assert_array_equal(begun.unread, state.unread)
    assert len(rest[0].text) == 3


# -- Going on ------------------------------------------------------------------------------


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
@pytest.mark.parametrize("pattern", ["abc", "abz", "(ab){3}", "z?"])
def test_a_text_goes_on_where_nothing_more_matched(pattern, engine, tmp_path):
    model = model_of()
    given = {"match": pattern, "seed": 1, "engine": engine}
    ended = model.write("c", length=50, **given)
    (text,) = ended.texts()
    cut = model.write("c", length=len(text.text), **given)  # nothing is tried after its last
    cut.texts()
    rest = []
    for number, each in enumerate((ended, cut)):
        model.save_state(tmp_path / str(number), each)
        rest.append(model.write(state=tmp_path / str(number), length=40, engine=engine).texts())
    assert ended.position == len(text.text)
    assert rest[0] == rest[1]


def test_no_character_is_drawn_for_a_text_that_is_stuck(monkeypatch):
    drawn, original = [], writing.draw
    monkeypatch.setattr(writing, "draw", lambda w, n: drawn.append(len(w)) or original(w, n))
    patterns = ("ab", "(ab|abc)")
    for pattern, count in itertools.product(patterns, (1, 4)):
        drawn.clear()
        texts = model_of().texts(match=pattern, count=count, length=9, seed=1)
        assert sum(drawn) == sum(len(text.text) for text in texts)


def test_a_pattern_is_kept_to_by_many_characters():
    vocabulary = Vocabulary(LETTERS.characters + "".join(map(chr, range(0x4E00, 0x4E00 + 500))))
    text = model_of(vocabulary=vocabulary).generate(match="[ab]{5} [\u4e00-\u4e05]+", length=12)
    assert Matching("[ab]{5} [\u4e00-\u4e05]+", vocabulary.characters).complete(text)


# -- What ends a text that matches -------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"lines": 1}, {"top_p": 0.95}, {"beam": 3}])
def test_a_line_s_end_ends_a_text_that_matches_already(settings):
    """So texts are as long as the model makes them, not as long as the pattern lets them."""
    model = fixed([0.3, 1e-9, 0.3, 0.2, 0.2])
    texts = model.texts(match="[abc]{1,7}", count=3 if "beam" in settings else 200, **settings)
    lengths = [len(text.text) for text in texts]
    assert all(text.complete and "\n" not in text.text for text in texts)
    assert min(lengths) == 1
    if "beam" not in settings:
        # Of the texts, 0.3 end after each character, and what is left after the seventh.
        assert np.mean(np.array(lengths) == 1) == pytest.approx(0.3, abs=0.1)
        assert np.mean(np.array(lengths) == 7) == pytest.approx(0.7**6, abs=0.1)


def test_a_stop_s_beginning_ends_a_text_that_matches_already():
    model = fixed([1e-9, 0.4, 0.2, 0.2, 0.2])
    texts = model.generate(match="[abc]+", stop=(" a",), length=30, count=50)
    assert np.mean([len(text) for text in texts]) < 5
    assert all(set(text) <= set("abc") for text in texts)


def test_a_line_s_end_that_the_pattern_has_is_written():
    model = fixed([0.5, 1e-9, 0.5, 1e-9, 1e-9])
    assert {len(text) for text in model.generate(match=r"[a\n]{6}", count=20)} == {6}


@pytest.mark.parametrize(
    "pattern", ["(?=.*e)[a-z ]{4}", "(?!a)b", "(?>a|b)c", "a*+b", "a++", "a?+a", "a{2}+", "[b]++"]
)
def test_what_cannot_be_followed_is_refused(pattern):
    with pytest.raises(ConfigError, match="cannot be followed while a text is written"):
        model_of().write(match=pattern)


@pytest.mark.parametrize(
    "pattern", [r"a\++", "[+]+", "[*+]*", r"(?:a)+", "[](?=]+a", "b{2}[a]+", "a+?"]
)
def test_what_only_looks_so_is_not(pattern):
    Matching(pattern, "ab+*(?=")


def test_the_time_of_other_threads_does_not_count(monkeypatch):
    monkeypatch.setattr(rules, "PATIENCE_SECONDS", 0.5)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            hashlib.sha256(bytes(1 << 22)).digest()  # without Python's lock

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        begin = time.thread_time()
        with pytest.raises(ConfigError, match="takes more than"):
            Matching(CATASTROPHE, "a.").complete("a" * 200 + " .")
        assert time.thread_time() - begin > 0.8 * rules.PATIENCE_SECONDS
    finally:
        stop.set()
