"""One text: every id decoded once, and counted and scored if its character is shown."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from commands import charrnn
from test_sampling import byte_model, fixed, log_probability, model_of

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.models.language_model import Blend
from charrnn.runs import checkpoints
from charrnn.sampling import writing
from charrnn.sampling.rules import Ending
from charrnn.sampling.track import Decoder, TextFormat, Track, repeats_itself
from charrnn.text.vocabulary import Vocabulary

BYTES = Vocabulary("".join(map(chr, range(256))), byte_level=True)


def track_of(vocabulary=BYTES, **settings):
    config = SamplingConfig(**settings)
    return Track(TextFormat(vocabulary, config))


# -- From ids to characters ---------------------------------------------------------------


@pytest.mark.parametrize("errors", ["replace", "surrogateescape"])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_the_ids_of_a_character_are_those_that_decode_to_it(seed, backward, errors):
    rng, turn = np.random.default_rng(seed), -1 if backward else 1
    likely = [*"a é€😀\u2003".encode(), 0xED, 0xA0, 0xE0, 0xF4, 0x80, 0xFF]
    data = bytes(rng.choice(likely, 40).tolist())
    decoder = Decoder(BYTES, backward, errors)
    decoded = [*map(decoder.take, data[::turn]), decoder.rest()]
    text = "".join(characters for characters, _ in decoded)[::turn]
    widths = [width for _, widths in decoded for width in widths][::turn]
    assert text == data.decode("utf-8", errors)
    assert sum(widths) == len(data)
    for number, end in enumerate(np.cumsum(widths), 1):
        assert data[:end].decode("utf-8", errors) == text[:number]


def test_what_is_held_back_comes_before_a_character_that_was_cut_off():
    track = track_of(stop=("ab",))
    assert [track.take(id_) for id_ in b"xa\xc3"] == ["x", "", ""]
    assert track.rest() == "a\ufffd"
    assert track.characters == 3


# -- What is counted ----------------------------------------------------------------------

ENDS = [
    {"stop": ("à",)},
    {"stop": ("à",), "keep_stop": True},
    {"stop": ("àà", " à")},
    {"stop": ("\ufffd",)},
    {"stop": ("\ufffd",), "keep_stop": True},
    {"lines": 2},
    {"words": 1},
]


def score_of_bytes(model, data):
    """The sum of the log-probabilities of bytes, given as the characters of a raw text."""
    text = data.encode("latin-1").decode("utf-8", "surrogateescape")
    return model.score(text).sum() if text else 0.0


def ids_of(model, text, whole):
    """The ids that were drawn for the shown text, from all ids of the text without an end."""
    for count in range(len(whole) + 1):
        drawn = whole[len(whole) - count :] if model.backward else whole[:count]
        if drawn.encode("latin-1").decode("utf-8", "replace") == text.text:
            return drawn
    raise AssertionError(f"{text.text!r} does not belong to {whole!r}")


@pytest.mark.parametrize("settings", ENDS)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_ids_whose_text_is_shown_are_counted_and_scored(direction, settings):
    model = byte_model(direction=direction)
    given = {"length": 30, "count": 12, "seed": 1}
    wholes = model.generate(raw=True, **given)
    texts = model.texts(**given, **settings)
    for text, whole in zip(texts, wholes, strict=True):
        ids = ids_of(model, text, whole)
        assert text.characters == len(ids)
        assert text.log_probability == pytest.approx(score_of_bytes(model, ids), 1e-4, 1e-6)
    assert any(text.characters < 30 for text in texts)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("settings", [{"words": 1}, {"words": 2}, {"lines": 1}, {"stop": ("à",)}])
def test_a_text_of_bytes_ends_where_its_characters_say_so(settings, direction):
    """At any space of Unicode, whether its bytes are shown as they are or searched."""
    vocabulary = Vocabulary("\n \x80\x83\xa0\xc3\xe2", byte_level=True)
    model = model_of(vocabulary=vocabulary, direction=direction, spread=0.3)
    for search in ({"count": 9, "seed": 1}, {"beam": 20, "count": 9}):
        given = {"length": 30, **search}
        raws = model.texts(raw=True, **given, **settings)
        assert "beam" in search or any(len(text.text) < 30 for text in raws)
        texts = model.texts(**given, **settings)
        decoded = [raw.text.encode("latin-1").decode("utf-8", "replace") for raw in raws]
        if "beam" not in search:
            assert [text.text for text in texts] == decoded
        for text in decoded:
            ending = Ending(SamplingConfig(**settings), model.backward)
            written = text[::-1] if model.backward else text
            assert ending.feed(written) + ending.rest() == written
            assert not ending.done


@pytest.mark.parametrize("settings", ENDS)
def test_raw_bytes_are_counted_one_by_one(settings):
    model = byte_model()
    for text in model.texts(count=9, length=40, raw=True, seed=1, **settings):
        assert text.characters == len(text.text)
        assert text.log_probability == pytest.approx(score_of_bytes(model, text.text), 1e-4, 1e-6)


@pytest.mark.parametrize("settings", [{"stop": ("à",)}, {"stop": ("\n",)}, {"words": 2}])
def test_a_search_over_bytes_counts_bytes(settings):
    model = byte_model()
    given = {"beam": 4, "count": 4, "length": 12, **settings}
    for text, raw in zip(model.texts(**given), model.texts(raw=True, **given), strict=True):
        assert text.characters == len(raw.text)
        assert text.log_probability == pytest.approx(score_of_bytes(model, raw.text), 1e-4, 1e-6)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("end", [[], ["--words", 5]])
def test_as_many_raw_bytes_are_written_as_were_asked_for(direction, end):
    checkpoints.save(Path("bytes.safetensors"), byte_model(direction=direction).checkpoint)
    given = ("--length", 4, "--allow", "\n", "--raw", "--no-echo", "--output", "raw", *end)
    assert charrnn("sample", "bytes.safetensors", *given).status == 0
    assert Path("raw").read_bytes() == b"\n" * 4


@pytest.mark.parametrize(("direction", "stop"), [("forward", "\ufffd"), ("backward", "à")])
def test_the_best_of_several_texts_of_bytes_is_the_likeliest_for_its_length(direction, stop):
    """What ended the text counts too, as often as it has ids."""
    model = byte_model(direction=direction)
    given = {"length": 30, "stop": (stop,), "seed": 5}
    texts = model.texts(count=12, **given)
    wholes = model.generate(raw=True, count=12, length=30, seed=5)
    means = []
    for text, whole in zip(texts, wholes, strict=True):
        count = len(ids_of(model, text, whole)) + text.end[0]
        ids = whole[-count:] if model.backward else whole[:count]
        means.append(score_of_bytes(model, ids) / count)
    (kept,) = model.texts(best_of=12, **given)
    assert kept.number == int(np.argmax(means))


def test_an_endless_text_keeps_no_more_than_its_stop_needs():
    track = track_of(stop=("abab",))
    for id_ in b"aba\xc3\xa0" * 500:
        track.take(id_, -1.0)
        assert len(track._log_ps) <= 4
        assert len(track._widths) <= 4
    assert (track.characters, track.log_probability) == (2500, -2500)


def test_a_copy_goes_on_apart_from_its_track():
    track = track_of(stop=("ab",))
    assert track.take(ord("a"), -1.0) == ""
    other = track.copy()
    assert other.take(ord("b"), -2.0) == ""
    assert (other.done, other.characters, other.log_probability) == (True, 0, 0)
    assert track.take(ord("c"), -4.0) == "ac"
    assert (track.done, track.characters, track.log_probability) == (False, 2, -5)


# -- Rest ---------------------------------------------------------------------------------


def sizes_of(writing, monkeypatch):
    """The batch sizes that the writing's engine is given, one after the other."""
    read, sizes = writing.engine.read, []
    monkeypatch.setattr(writing.engine, "read", lambda ids: sizes.append(ids.shape[1]) or read(ids))
    return sizes


SETTINGS = [
    {"lines": 2},
    {"stop": ("ab", "c"), "repetition_penalty": 1.5},
    {"words": 3, "temperature": (1, 0.5)},
    {"match": "[abc ]+\n"},
]


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_texts_are_the_same_after_the_engine_goes_on_without_others(engine, settings, monkeypatch):
    monkeypatch.setattr(writing, "REBUILD_CHARACTERS", 1)
    model = model_of(seed=3)
    given = {"length": 30, "seed": 5, "engine": engine, **settings}
    many = model.write("c", count=8, **given)
    sizes = sizes_of(many, monkeypatch)
    texts = [text.text for text in many.texts()]
    for count in (1, 2, 5):
        fewer = model.texts("c", count=count, **given)
        assert [text.text for text in fewer] == texts[:count]
    distinct = sorted(set(sizes), reverse=True)
    assert sizes == sorted(sizes, reverse=True)
    assert len(distinct) > 1
    assert all(2 * after <= before for before, after in pairwise(distinct))


def test_scores_are_the_same_after_the_engine_goes_on_without_others():
    model = model_of(seed=3)
    for text in model.texts("c", count=8, length=30, seed=5, lines=2):
        expected = log_probability(model, text.text, "c")
        assert text.log_probability == pytest.approx(expected, 1e-5, 1e-6)


def test_a_text_that_is_done_is_not_drawn_for_any_more(monkeypatch):
    drawn = []

    def draw(log_w, noise):
        drawn.append(len(log_w))
        return original(log_w, noise)

    original = writing.draw
    monkeypatch.setattr(writing, "draw", draw)
    texts = model_of(seed=3).texts(count=8, length=30, seed=5, lines=1)
    assert sum(drawn) == sum(min(30, len(text.text) + 1) for text in texts)


@pytest.mark.usefixtures("eagerly")
def test_a_graph_is_not_built_anew_for_a_few_characters(monkeypatch):
    for engine, blended in (("tensorflow", False), ("numpy", True), ("tensorflow", True)):
        model = Blend([fixed([0.2] * 5)] * 2, [1, 1]) if blended else fixed([0.2] * 5)
        many = model.write(count=8, length=30, lines=1, seed=1, engine=engine)
        select, selected = many.engine.select, []
        monkeypatch.setattr(
            many.engine, "select", lambda rows, s=select, n=selected: n.append(rows) or s(rows)
        )
        many.texts()
        assert bool(selected) == (engine == "numpy")


def test_a_state_of_texts_that_end_apart_is_refused(tmp_path):
    model = model_of()
    many = model.write(count=2, length=5, lines=1)
    many.texts()
    with pytest.raises(ConfigError, match="only where nothing but their length ends them"):
        model.save_state(tmp_path / "state", many)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("text", "circles"),
    [
        ("x" * 60, True),
        ("x" * 59, False),
        ("a long beginning, " + "the " * 15 + "th", True),
        ("a line of forty characters, no more or less\n" * 3, True),
        ("a line of forty characters, no more or less\n" * 2, False),
        ("".join(map(str, range(100))), False),
        ("", False),
    ],
)
def test_a_text_repeats_itself_where_its_end_has_come_three_times(text: str, circles: bool) -> None:
    assert repeats_itself(text) == circles
