"""Texts: the same from every engine and in any company, ended, ruled, searched and continued."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import untrained

import charrnn
from charrnn.config import Config, SamplingConfig
from charrnn.errors import CharrnnError, CheckpointError, ConfigError
from charrnn.models.language_model import Blend, LanguageModel
from charrnn.network.weights import add_prefix, specify
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.sampling import engines
from charrnn.sampling.filters import Noise
from charrnn.sampling.rules import Ending
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("\n abc")


def model_of(seed=0, vocabulary=LETTERS, spread=1.0, path="checkpoints/toy/best", **settings):
    """A model with weights at random, far from uniform."""
    rng = np.random.default_rng(seed)
    config = Config.of(**{"units": 5, "embedding": 3, **settings})
    weights = {
        name: rng.normal(0, spread, weight.shape).astype(np.float32)
        for name, weight in specify(config.model, vocabulary.size).items()
    }
    tensors = add_prefix("weights", weights)
    return LanguageModel(Checkpoint(config, vocabulary, Progress(), tensors), Path(path))


def fixed(p, vocabulary=LETTERS):
    """A model that gives the characters these probabilities, whatever came before."""
    model = model_of(vocabulary=vocabulary, spread=0.0)
    model.checkpoint.tensors["weights/logits/bias"][:] = np.log([*p, 1.0])
    return model


@pytest.fixture
def model():
    return model_of()


# -- The same text ------------------------------------------------------------------------


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("settings", [{}, {"top_k": 3, "temperature": 0.7}, {"greedy": True}])
def test_both_engines_write_the_same_text(model, settings):
    texts = [
        model.generate("ab", count=3, length=30, seed=4, engine=engine, **settings)
        for engine in ("numpy", "tensorflow")
    ]
    assert texts[0] == texts[1]


def test_the_graph_takes_over_where_it_is_done_first(monkeypatch, tmp_path):
    assert not engines.graph_is_faster(1, 10**6)
    assert not engines.graph_is_faster(2000, 50)
    assert engines.graph_is_faster(2000, 5000)
    monkeypatch.setattr(engines, "NVIDIA", tmp_path)
    assert engines.graph_is_faster(64, 50)
    assert not engines.graph_is_faster(1, 10**6)


def test_a_text_does_not_depend_on_how_many_are_written(model):
    many = model.generate("c", count=5, length=40, seed=9)
    assert len(set(many)) == 5
    for count in (1, 2, 3):
        assert model.generate("c", count=count, length=40, seed=9) == many[:count]
    assert model.generate("c", length=40, seed=9) == many[0]


def test_a_seed_writes_the_same_text_and_another_another(model):
    one, same, other = (model.generate(length=80, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert model.generate(length=80) != model.generate(length=80)


def test_a_longer_text_begins_with_the_shorter_one(model):
    assert model.generate(length=100, seed=1)[:70] == model.generate(length=70, seed=1)


def test_numbers_of_numpy_and_a_single_stop_will_do(model):
    plain = model.generate(length=50, temperature=0.5, stop=("a",), seed=1)
    assert (
        model.generate(length=np.int64(50), temperature=np.float64(0.5), stop="a", seed=1) == plain
    )


def test_a_stream_is_the_generated_text(model):
    assert "".join(model.stream("a", length=90, seed=3)) == model.generate("a", length=90, seed=3)
    with pytest.raises(ConfigError, match="stream writes a single text"):
        model.stream(count=2)


def test_sampling_imports_no_tensorflow(model, tmp_path):
    untrained()
    code = (
        "import sys, charrnn; model = charrnn.load('fox'); model.generate(length=5);"
        "model.score('fox'); model.next('fox'); ''.join(model.stream(length=3));"
        "assert not {'tensorflow', 'keras', 'regex', 'prompt_toolkit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
@pytest.mark.parametrize("settings", [{}, {"top_p": 0.7}, {"top_k": 3, "min_p": 0.5}])
def test_drawn_characters_have_the_stated_frequencies(engine, settings):
    p = np.array([0.1, 0.35, 0.2, 0.3, 0.05])
    kept = {"top_p": [1, 3, 2], "top_k": [1, 3, 2]}
    expected = np.zeros(5)
    places = next((kept[name] for name in settings if name in kept), range(5))
    expected[list(places)] = p[list(places)]
    expected *= 100_000 / expected.sum()
    texts = fixed(p).generate(count=2000, length=50, seed=0, engine=engine, **settings)
    counts = np.array(["".join(texts).count(letter) for letter in LETTERS.characters])
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert ((counts - expected)[possible] ** 2 / expected[possible]).sum() < 25


# -- Controls -----------------------------------------------------------------------------


def test_temperatures_take_turns():
    text = fixed([0.2, 0.2, 0.3, 0.2, 0.1]).generate(temperature=(0, 5.0), length=200, seed=0)
    assert set(text[::2]) == {"a"}
    assert len(set(text[1::2])) == 5


def test_allowed_and_forbidden_characters(model):
    assert set(model.generate(allow="ab", length=200, seed=0)) <= set("ab")
    assert set(model.generate(forbid="ab\n", length=200, seed=0)) <= set(" c")
    assert set(model.generate(allow="abx", forbid="a", length=20, seed=0)) == {"b"}
    for settings in ({"allow": "xyz"}, {"forbid": LETTERS.characters}, {"allow": ""}):
        with pytest.raises(ConfigError, match="leaves none of the characters"):
            model.generate(**settings)


def test_forbidding_renormalises_what_is_left():
    p = np.array([0.1, 0.4, 0.2, 0.3])
    text = fixed([*p, 1e-9]).generate(forbid=" ", length=20_000, seed=0)
    share = text.count("b") / len(text)
    assert share == pytest.approx(0.3 / 0.6, abs=0.015)


def test_repetition_penalty_passes_over_unknown_characters(model):
    assert len(model.generate("a?b", repetition_penalty=1.5, length=10, seed=0)) == 10


def test_repetition_penalty_forgets_beyond_its_window():
    model = fixed([0.2] * 5)
    settings = {"repetition_penalty": 1e5, "repetition_window": 4, "length": 60, "seed": 1}
    text = model.generate(**settings)
    for place in range(4, len(text)):
        assert text[place] not in text[place - 4 : place]


@pytest.mark.parametrize(
    ("settings", "text", "shown"),
    [
        ({"stop": ("lo",)}, "hello lo", "hel"),
        ({"stop": ("lo",), "keep_stop": True}, "hello lo", "hello"),
        ({"stop": ("xx", "l")}, "hello", "he"),
        ({"stop": ("aab",)}, "caaab", "ca"),  # what is held back is given out when it is no stop
        ({"stop": ("aab",)}, "caacaa", "caacaa"),
        ({"stop": ("never",)}, "nev nevr neve", "nev nevr neve"),
        ({"lines": 2}, "one\ntwo\nthree", "one\ntwo"),
        ({"lines": 1}, "\nx", ""),
        ({"words": 2}, "  one two\nthree", "  one two"),
        ({"words": 2, "stop": ("two",)}, "one two three", "one "),
        ({"words": 9}, "one two", "one two"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_endings(settings, text, shown, size):
    ending = Ending(SamplingConfig(**settings))
    pieces = [ending.feed(text[n : n + size]) for n in range(0, len(text), size)]
    assert "".join(pieces) + ending.rest() == shown


def test_a_stop_ends_the_text_before_its_length(model):
    whole = model.generate(length=300, seed=2)
    stop = whole[100:103]
    cut = whole[: whole.index(stop)]
    assert model.generate(length=300, seed=2, stop=(stop,)) == cut
    assert model.generate(length=-1, seed=2, stop=(stop,), keep_stop=True) == cut + stop


def test_texts_stop_each_at_their_own_place(model):
    whole = model.generate(length=200, seed=2, count=4)
    lines = model.generate(length=200, seed=2, count=4, lines=2)
    assert lines == ["\n".join(text.split("\n")[:2]) for text in whole]


@pytest.mark.parametrize("pattern", ["a(b|c)+\n", "(ab ){3}", r"[abc]{5}\n[abc]{2}"])
def test_only_what_can_match_is_written_and_it_does(model, pattern):
    import regex

    for seed in range(5):
        (text,) = model.texts(match=pattern, length=60, seed=seed)
        assert regex.fullmatch(pattern, text.text, partial=True)
        assert text.complete == bool(regex.fullmatch(pattern, text.text))


def test_a_match_that_ends_ends_the_text(model):
    assert model.generate(match="abc", length=50, seed=0) == "abc"
    (cut,) = model.texts(match="(abc){20}", length=10, seed=0)
    assert (cut.text, cut.complete) == ("abcabcabca", False)
    (stuck,) = model.texts(match="abz", length=10, seed=0)  # the model has no z
    assert (stuck.text, stuck.complete) == ("ab", False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"match": "(a"}, r"^`match` '\(a': missing \)"),
        ({"stop": ("",)}, "^`stop` ''"),
        ({"temperature": ()}, "^`temperature`"),
        ({"temperature": (1.0, -1.0)}, r"^`temperature` -1\.0"),
        ({"length": -1, "count": 2}, "^`length` -1"),
        ({"beam": 2, "best_of": 2}, "^`beam` 2 `best_of` 2: give one"),
        ({"beam": 2, "count": 3}, "^`count` 3"),
        ({"engine": "steam"}, "^`engine` 'steam'"),
        ({"temperature": (1.0, "a")}, "^`temperature`"),
    ],
)
def test_bad_settings_get_a_message(model, settings, message):
    with pytest.raises(ConfigError, match=message):
        model.generate(**settings)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "a"])
def test_a_seed_is_a_whole_number_in_its_range(model, seed):
    with pytest.raises(
        ConfigError, match=r"^`seed` .*: must be a whole number from 0 to 2\^64 - 1"
    ):
        model.generate(seed=seed)


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, np.int64(7)])
def test_every_seed_in_the_range_will_do(model, seed):
    assert model.generate(seed=seed, length=9) == model.generate(seed=int(seed), length=9)


def test_what_is_no_text_gets_a_message(model):
    for call in (model.generate, model.score, model.next, model.novelty, model.missing):
        with pytest.raises(ConfigError, match=r"^`\w+` 5: must be a text"):
            call(5)
    with pytest.raises(ConfigError, match=r"^`run` 5: must be a name or a path"):
        charrnn.generate(5)
    with pytest.raises(ConfigError, match=r"^`part` 'whole': must be one of train, validation"):
        model.evaluate(part="whole")


def test_a_misspelt_name_gets_one_kind_of_error_with_the_nearest_name(model):
    calls = {
        "temperature": lambda: model.generate(temprature=1),
        "seed": lambda: model.stream(sead=1),
        "units": lambda: charrnn.train("a.txt", unitz=3),
        "steps": lambda: charrnn.train("a.txt", stpes=3),
        "checkpoints": lambda: charrnn.load("a", chekpoints="b"),
        "which": lambda: charrnn.blend({"a": 1}, wich="last"),
        "part": lambda: charrnn.evaluate("a", prt="test"),
        "encoding": lambda: model.evaluate("a", encodng="utf-8"),
        "top_k": lambda: SamplingConfig(topk=3),
    }
    for name, call in calls.items():
        with pytest.raises(ConfigError, match=f"no such setting; did you mean `{name}`"):
            call()
    with pytest.raises(ConfigError, match=r"^`qqqqq`: no such setting$"):
        model.generate(qqqqq=1)


@pytest.mark.parametrize(
    ("weight", "broken"),
    [("logits/bias", np.inf), ("logits/kernel", np.inf), ("recurrent_1/kernel", np.nan)],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_model_that_computes_no_numbers_writes_nothing(weight, broken):
    model = model_of()
    model.checkpoint.tensors[f"weights/{weight}"][2] = broken
    calls = {
        "drawn": lambda: model.generate(length=5),
        "greedy": lambda: model.generate(length=5, greedy=True),
        "beam": lambda: model.generate(length=5, beam=3),
        "blend": lambda: Blend([model, model_of()], [1, 1]).generate(length=5),
        "score": lambda: model.score("a"),
        "next": model.next,
    }
    for call in calls.values():
        with pytest.raises(
            CheckpointError, match=r"computes values that are not finite.*`which best`"
        ):
            call()


# -- Bytes --------------------------------------------------------------------------------


def byte_model(**settings):
    """A model of the bytes of "à" and a space, in either order."""
    return model_of(vocabulary=Vocabulary("\n \xa0\xc3", byte_level=True), **settings)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("search", [{}, {"beam": 3}, {"best_of": 2}])
def test_bytes_become_characters_at_the_end(direction, search):
    model = byte_model(direction=direction)
    text = model.generate(length=40, seed=1, **search)
    raw = model.generate(length=40, seed=1, raw=True, **search)
    assert text == raw.encode("latin-1").decode("utf-8", "replace")


def test_unknown_characters_of_bytes_are_named_as_the_user_wrote_them():
    assert byte_model().missing("à é") == "é"
    assert byte_model().missing("aà€") == "a€"


def test_what_only_characters_can_do_is_refused_for_bytes():
    model = byte_model()
    for settings in ({"match": "a"}, {"allow": "à"}, {"forbid": "à"}):
        with pytest.raises(ConfigError, match="this model writes bytes"):
            model.generate(**settings)
    with pytest.raises(ConfigError, match="this model writes characters, not bytes"):
        model_of().generate(raw=True)


# -- The likeliest ------------------------------------------------------------------------


def log_probability(model, text, prompt=""):
    return model.score(prompt + text)[len(prompt) :].sum()


def test_log_probabilities_are_those_of_the_model(model):
    for text in model.texts("ab", count=3, length=12, seed=1, top_k=2):
        assert text.log_probability == pytest.approx(log_probability(model, text.text, "ab"), 1e-5)
        assert text.bits_per_char == pytest.approx(-text.log_probability / 12 / math.log(2))


def test_best_of_keeps_the_likeliest(model):
    drawn = model.texts("a", count=6, length=15, seed=1)
    kept = model.texts("a", count=2, best_of=3, length=15, seed=1)
    for text, group in zip(kept, (drawn[:3], drawn[3:]), strict=True):
        assert text.text in {each.text for each in group}
        assert text.log_probability == max(each.log_probability for each in group)


def test_a_wide_beam_finds_the_likeliest_texts_of_all(model):
    every = ["".join(letters) for letters in itertools.product(LETTERS.characters, repeat=3)]
    ranked = sorted(every, key=lambda text: -log_probability(model, text, "b"))
    found = model.texts("b", beam=125, count=4, length=3)
    assert [text.text for text in found] == ranked[:4]
    assert found[0].log_probability == pytest.approx(log_probability(model, ranked[0], "b"), 1e-5)


def test_a_beam_of_one_is_greedy_and_a_wider_one_no_worse(model):
    greedy = model.generate("a", greedy=True, length=20)
    assert model.generate("a", beam=1, length=20) == greedy
    wide = model.texts("a", beam=20, length=20)[0]
    assert wide.log_probability >= log_probability(model, greedy, "a") - 1e-6


def test_a_beam_keeps_the_rules(model):
    assert set(model.generate(beam=3, allow="ab", length=20)) <= set("ab")
    assert model.generate(beam=3, match="c(a|b)c", length=20) in ("cac", "cbc")
    assert "\n" not in model.generate(beam=3, lines=1, length=20)


def test_best_of_prefers_what_is_complete():
    model = model_of(seed=3)
    settings = {"match": "[ab]+c", "length": 4, "seed": 0}
    drawn = model.texts(count=16, **settings)
    assert {text.complete for text in drawn} == {True, False}
    (kept,) = model.texts(best_of=16, **settings)
    assert kept.complete


def test_what_ends_a_text_and_is_not_shown_does_not_count(model):
    whole = model.generate(length=100, seed=2)
    for settings in ({"stop": (whole[20:22],)}, {"lines": 2}, {"words": 2}):
        (text,) = model.texts(length=100, seed=2, **settings)
        assert text.characters == len(text.text)
        expected = log_probability(model, text.text) if text.text else 0
        assert text.log_probability == pytest.approx(expected, 1e-5)
    (found,) = model.texts(beam=4, length=30, stop=("a",))
    assert found.characters == len(found.text)
    assert found.log_probability == pytest.approx(log_probability(model, found.text), 1e-5)


ENDED = [{"stop": ("a",)}, {"stop": ("b", "c")}, {"lines": 1}, {"words": 1}, {"stop": ("ab",)}]


def ways(model, settings, length):
    """Every text of so many characters at most, and how likely it is, all its ends together."""
    drawn = {}
    for letters in itertools.product(LETTERS.characters, repeat=length):
        ending, count, shown = Ending(SamplingConfig(**settings)), 0, ""
        while count < length and not ending.done:
            shown += ending.feed(letters[count])
            count += 1
        drawn["".join(letters[:count])] = shown + ending.rest()
    found = dict.fromkeys(drawn.values(), -np.inf)
    for ids, text in drawn.items():
        found[text] = np.logaddexp(found[text], log_probability(model, ids))
    return found


@pytest.mark.parametrize("settings", ENDED, ids=str)
def test_a_beam_ranks_texts_with_what_ends_them_and_names_each_once(settings):
    model = model_of(6)
    every = ways(model, settings, 3)
    found = model.texts(beam=125, count=4, length=3, **settings)
    assert [text.text for text in found] == sorted(every, key=every.get, reverse=True)[:4]
    for text in found:
        expected = log_probability(model, text.text) if text.text else 0
        assert text.log_probability == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize("settings", ENDED, ids=str)
def test_best_of_ranks_texts_with_what_ends_them(settings):
    model = model_of()
    wholes = model.generate(count=16, length=20, seed=2)
    texts = model.texts(count=16, length=20, seed=2, **settings)
    means = []
    for whole, text in zip(wholes, texts, strict=True):
        drawn = whole[: len(text.text) + text.end[0]]
        assert text.end[0] or drawn == whole
        means.append(log_probability(model, drawn) / len(drawn))
    (kept,) = model.texts(best_of=16, length=20, seed=2, **settings)
    assert kept.number == int(np.argmax(means))


# -- Going on -----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"repetition_penalty": 1.5}, {"temperature": (1, 0.2)}])
@pytest.mark.parametrize("first", [0, 1, 63, 64, 65])
def test_a_text_goes_on_exactly_where_it_ended(model, tmp_path, settings, first):
    whole = model.write("cab", seed=5, length=140, count=2, **settings).texts()
    writing = model.write("cab", seed=5, length=first, count=2, **settings)
    start = writing.texts()
    model.save_state(tmp_path / "state", writing)
    rest = model.write(state=tmp_path / "state", length=140 - first, count=2, **settings).texts()
    for one, two, both in zip(start, rest, whole, strict=True):
        assert one.text + two.text == both.text


def test_a_state_belongs_to_its_model(model, tmp_path):
    writing = model.write(length=3)
    writing.texts()
    model.save_state(tmp_path / "state", writing)
    with pytest.raises(CheckpointError, match="saved from another model"):
        model_of(units=6).write(state=tmp_path / "state")
    other = replace(model.checkpoint, checksum=1)
    with pytest.raises(CheckpointError, match="saved from another model"):
        LanguageModel(other, model.path).write(state=tmp_path / "state")
    with pytest.raises(CheckpointError, match="the state of 1 texts; give the same `count`"):
        model.write(state=tmp_path / "state", count=2)
    (tmp_path / "state").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="damaged state"):
        model.write(state=tmp_path / "state")


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("settings", [{}, {"repetition_penalty": 1.5}])
def test_a_prompt_is_read_after_a_state(tmp_path, direction, settings):
    model = model_of(direction=direction)
    writing = model.write("ab", length=0, seed=5, count=2, **settings)
    assert [text.text for text in writing.texts()] == ["", ""]
    model.save_state(tmp_path / "state", writing)
    more = model.generate("ca", state=tmp_path / "state", length=30, count=2, **settings)
    whole = "abca" if direction == "forward" else "caab"
    assert more == model.generate(whole, length=30, seed=5, count=2, **settings)


@pytest.mark.parametrize("settings", [{"beam": 2}, {"new": True}])
def test_what_starts_from_a_prompt_alone_refuses_a_state(model, tmp_path, settings):
    writing = model.write(length=3)
    writing.texts()
    model.save_state(tmp_path / "state", writing)
    with pytest.raises(ConfigError, match="needs a prompt to start from"):
        model.generate(state=tmp_path / "state", **settings)


@pytest.mark.parametrize("wrong", [-3, 9, 1 << 40])
@pytest.mark.parametrize("name", ["unread", "recent"])
def test_a_state_with_an_id_of_no_character_is_refused(model, tmp_path, name, wrong):
    writing = model.write("ab", length=4, repetition_penalty=1.5)
    writing.texts()
    model.save_state(tmp_path / "state", writing)
    assert model.write(state=tmp_path / "state", length=1).texts()
    ids = getattr(writing, name).astype(np.int64)
    ids[0, -1] = wrong
    setattr(writing, name, ids)
    model.save_state(tmp_path / "state", writing)
    with pytest.raises(CheckpointError, match=f"damaged state: an id in '{name}' is of no char"):
        model.write(state=tmp_path / "state")


def test_a_text_far_on_is_continued_at_once():
    far = Noise(5, 2, 1 << 40)
    assert far.next().shape == (2,)
    near = Noise(5, 2)
    for _ in range(1000):
        near.next()
    assert (Noise(5, 2, 1000).next() == near.next()).all()


# -- Several models -----------------------------------------------------------------------


def test_a_blend_has_the_mean_of_the_distributions():
    models = [model_of(seed) for seed in (1, 2)]
    blend = Blend(models, [1.0, 3.0])
    each = [dict(model.next("ab", n=9)) for model in models]
    for character, p in blend.next("ab", n=9):
        assert p == pytest.approx(0.25 * each[0][character] + 0.75 * each[1][character], rel=1e-5)


def test_a_blend_of_other_characters_writes_those_that_all_models_know():
    models = [model_of(1, Vocabulary("\n abcx")), model_of(2, Vocabulary("\nabcéü"))]
    blend = Blend(models, [1.0, 3.0])
    assert (blend.vocabulary.characters, blend.left_out) == ("\nabc", " xéü")
    assert set(blend.generate("ab", length=300, seed=1)) == set("\nabc")
    each = [dict(model.next("ab", n=9)) for model in models]
    shared = [{c: p for c, p in ps.items() if c in "\nabc"} for ps in each]
    for one in (0, 1):  # among the characters that it shares, each model is as it was
        alone = dict(Blend(models, [(1.0, 1e-12), (1e-12, 1.0)][one]).next("ab", n=9))
        ratio = {c: alone[c] / shared[one][c] for c in alone}
        assert max(ratio.values()) == pytest.approx(min(ratio.values()), rel=1e-5)
    assert len(blend.write("a", length=5, count=3, best_of=2).texts()) == 6


def test_models_that_share_no_character_are_not_blended():
    models = [model_of(1, Vocabulary("ab")), model_of(2, Vocabulary("xy"))]
    with pytest.raises(ConfigError, match="no character that all of them know"):
        Blend(models, [1, 1])


def test_a_blend_of_one_model_is_that_model(model, tmp_path):
    blend = Blend([model, model], [0.3, 0.7])
    assert blend.generate(length=60, seed=1) == model.generate(length=60, seed=1)
    whole = blend.generate(length=20, seed=1)
    writing = blend.write(length=8, seed=1)
    start = writing.texts()[0].text
    blend.save_state(tmp_path / "state", writing)
    assert start + blend.write(state=tmp_path / "state", length=12).texts()[0].text == whole


def test_a_blend_does_what_a_model_does_but_for_its_training_and_its_network(model):
    blend = Blend([model, model], [1, 3])
    assert not isinstance(blend, LanguageModel)
    for place, log_p in enumerate(blend.score("abca")):
        p = dict(blend.next("abca"[:place], n=9))["abca"[place]]
        assert p == pytest.approx(dict(model.next("abca"[:place], n=9))["abca"[place]])
        assert math.exp(log_p) == pytest.approx(p)
    assert blend.missing("axb") == model.missing("axb") == "x"
    assert not hasattr(blend, "evaluate")


def test_a_repetition_penalty_is_the_same_in_a_blend_of_equal_models(model):
    """It divides or multiplies logits, so it depends on where their zero is."""
    settings = {"repetition_penalty": 2.5, "length": 60, "seed": 1}
    text = model.generate(**settings)
    assert text != model.generate(length=60, seed=1)
    for weights in ([1], [0.3, 0.7]):
        assert Blend([model] * len(weights), weights).generate(**settings) == text


def test_a_blend_of_one_model_scores_like_it(model):
    np.testing.assert_allclose(Blend([model], [2.0]).score("ab?c"), model.score("ab?c"))


def test_models_that_are_blended_write_the_same_kind_of_characters(model):
    other = model_of(vocabulary=Vocabulary("\n abc", byte_level=True))
    with pytest.raises(ConfigError, match="one writes bytes and one characters"):
        Blend([model, other], [1, 1])
    with pytest.raises(ConfigError, match="other direction"):
        Blend([model, model_of(direction="backward")], [1, 1])
    with pytest.raises(ConfigError, match="weights must be above 0"):
        Blend([model, model], [1, 0])


# -- What a text is worth -----------------------------------------------------------------


def blend_of(seed):
    """Two models with different weights as one."""
    return Blend([model_of(seed), model_of(seed + 1)], [0.3, 0.7])


@pytest.mark.parametrize("make", [model_of, blend_of])
def test_what_may_come_next_has_the_probabilities_of_scores(make):
    model = make(1)
    for prompt in ("", "ab"):
        p = dict(model.next(prompt, n=99))
        scores = {each: model.score(prompt + each)[-1] for each in LETTERS.characters}
        assert {each: math.log(p[each]) for each in p} == pytest.approx(scores)
        assert sum(p.values()) + math.exp(model.score(f"{prompt}?")[-1]) == pytest.approx(1)


def test_next_characters_are_the_likeliest_first(model):
    every = model.next("a", n=99)
    assert [p for _, p in every] == sorted((p for _, p in every), reverse=True)
    assert model.next("a", n=3) == every[:3]


def test_texts_are_drawn_in_proportion_to_what_may_come_next():
    model = model_of(2)
    p = dict(model.next(n=99))
    texts = model.generate(count=20_000, length=1, seed=0)
    for each in LETTERS.characters:
        assert texts.count(each) / 20_000 == pytest.approx(p[each] / sum(p.values()), abs=0.015)


def test_a_model_without_its_corpus_cannot_tell(model):
    for tell in (lambda: model.novelty("abc"), lambda: model.generate(new=True)):
        with pytest.raises(CharrnnError, match="text of its run is not in the same folder"):
            tell()


def test_numbers_of_a_text_are_plain_data(model):
    (text,) = model.texts(length=5, seed=1)
    assert json.loads(json.dumps(text.log_probability)) == text.log_probability
