"""What of a text is copied, and texts that are new, from a run's own training text."""

from pathlib import Path

import numpy as np
import pytest

from charrnn.config import Config
from charrnn.errors import ConfigError
from charrnn.models.language_model import Blend, LanguageModel
from charrnn.network.weights import initial_weights
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.sampling import search
from charrnn.text.corpus import encode_corpus
from charrnn.text.sources import select

CAT = "the cat sat on the mat and looked at the moon.\n"


def model_with(text, folder=Path("checkpoints/toy"), **settings):
    """A model that gives every character the same probability, beside a training text."""
    folder.mkdir(parents=True)
    source = Path("source.txt")
    source.write_bytes(text.encode())
    config = Config.of(units=2, embedding=2, **settings)
    corpus = encode_corpus(select([source]).sources, config.text, folder)
    weights = initial_weights(config.model, corpus.vocabulary.size, 0)
    tensors = {f"weights/{name}": np.zeros_like(weight) for name, weight in weights.items()}
    checkpoint = Checkpoint(config, corpus.vocabulary, Progress(), tensors)
    return LanguageModel(checkpoint, folder / "best.safetensors")


@pytest.fixture
def names():
    """A model of the letters a and b and the line's end, and the names that it knows."""
    return model_with("ab\nba\naa\nbb\nab\nb\n" * 9 + "a\n")  # the last is not trained on


# -- What is copied -----------------------------------------------------------------------


def test_novelty_finds_what_is_copied():
    model = model_with(CAT * 3)
    copied = "sat on the mat and looked"
    found = model.novelty(f"xxxxx{copied}zzzzz")
    assert found.longest == copied
    assert found.copied_share == pytest.approx(6 / 16)
    assert model.novelty("on the mat").copied_share == 0
    assert model.novelty("on the mat").longest == "on the mat"
    assert model.novelty("").longest == ""
    assert model.novelty(CAT.strip()).copied_share == 1


@pytest.mark.parametrize("backward", [False, True])
def test_what_is_copied_may_begin_in_the_prompt(backward, monkeypatch):
    monkeypatch.setattr(LanguageModel, "backward", backward)
    model = model_with(CAT * 3)
    halves = ["the cat sat on the m", "at and looked"]
    text, prompt = halves if backward else halves[::-1]
    found = model.novelty(text, prompt)
    assert found.longest == "".join(halves)
    assert found.copied_share == 1
    assert model.novelty("", prompt).longest == ""


def test_what_only_the_prompt_has_copied_does_not_count():
    model = model_with(CAT * 3)
    found = model.novelty("zzz mat zzz", CAT)
    assert found.longest == " mat "[:4] + " "
    assert found.copied_share == 0
    assert model.novelty("zz", CAT).longest == ""


def test_the_training_text_is_read_once(monkeypatch):
    model = model_with(CAT * 3)
    opened = []
    read = LanguageModel.corpus
    monkeypatch.setattr(LanguageModel, "corpus", lambda self: opened.append(1) or read(self))
    for _ in range(3):
        model.novelty("the cat")
        model.generate(count=3, length=4, new=True)
    assert opened == [1]


# -- New ones -----------------------------------------------------------------------------


def test_whole_lines_are_found_in_every_part(names):
    (text,) = names.training_texts()
    for line in ("ab", "ba", "b", "a", "aa\nbb", "ab\nba\naa"):
        assert text.has_lines(line)
    for line in ("bba", "abb", "a\nb", "b\naa", "aab", "ba\nab"):
        assert not text.has_lines(line)


def test_lines_are_found_at_both_ends_and_before_a_carriage_return():
    for number, text in enumerate(("ab\nba\naa", "ab\r\nba\r\naa")):
        folder = Path(f"checkpoints/{number}")
        (found,) = model_with(text, folder, keep_newlines=True).training_texts()
        assert [found.has_lines(line) for line in ("ab", "ba", "aa", "a")] == [True] * 3 + [False]


@pytest.mark.parametrize("settings", [{"lines": 1, "length": 4}, {"length": 4}])
@pytest.mark.parametrize("best_of", [1, 2])
def test_new_texts_are_the_first_that_are_new_and_differ(names, settings, best_of):
    every = names.generate(count=300, seed=3, best_of=best_of, **settings)
    (known,) = names.training_texts()
    lines = [text.strip("\n") for text in every]
    good = [
        text
        for place, text in enumerate(every)
        if lines[place] and lines[place] not in lines[:place] and not known.has_lines(lines[place])
    ]
    for count in (1, 5, 10):
        given = {"count": count, "best_of": best_of, **settings}
        assert names.generate(new=True, seed=3, **given) == good[:count]


def test_a_new_text_tells_how_to_write_it_again(names):
    for text in names.texts(count=5, new=True, lines=1, length=4, seed=3):
        again = names.texts(count=text.number + 1, lines=1, length=4, seed=text.seed)
        assert again[-1] == text


def test_a_line_begins_with_what_the_prompt_has_of_it(names):
    for prompt in ("b", "aa\nb"):  # b, ba, bb are known
        texts = names.generate(prompt, count=9, new=True, lines=1, length=3, seed=0)
        assert not {"", "a", "b"} & set(texts)
        assert len(set(texts)) == 9


def test_a_backward_line_ends_with_what_the_prompt_has_of_it(names, monkeypatch):
    monkeypatch.setattr(LanguageModel, "backward", True)
    texts = names.generate("b\naa", count=9, new=True, lines=1, length=3, seed=0)
    assert not {"", "a", "b"} & set(texts)


def test_where_nothing_new_comes_it_says_so_in_the_end(names, monkeypatch):
    monkeypatch.setattr(search, "TRIES", 5)
    why = r"^`new`: only 0 of 10 texts are new and differ; raise `temperature`"
    with pytest.raises(ConfigError, match=why):
        names.generate(count=2, new=True, length=1)


def test_a_blend_s_new_texts_are_in_none_of_its_corpora(names):
    other = model_with("b\naa\naba\n" * 20, Path("checkpoints/other"))
    texts = Blend([names, other], [1, 1]).generate(count=7, new=True, lines=1, length=3, seed=0)
    assert len(set(texts)) == 7  # of the eight of three letters all but aba
    assert not {"", "a", "b", "aa", "ab", "ba", "bb", "aba"} & set(texts)


def test_new_goes_with_neither_a_beam_nor_a_stream(names):
    with pytest.raises(ConfigError, match="give one of the two"):
        names.generate(beam=3, new=True)
    with pytest.raises(ConfigError, match="stream writes a single text"):
        names.stream(new=True)


def test_bytes_are_compared_as_bytes():
    model = model_with("é\nà\n" * 20, bytes=True)
    known = {each.encode().decode("latin-1") for each in "éà"}
    given = {"length": 2, "seed": 1, "raw": True}
    assert known < set(model.generate(count=400, **given))
    texts = model.generate(count=10, new=True, **given)
    assert not known & set(texts)
    assert len(set(texts)) == 10
    (text,) = model.generate(count=1, length=2, new=True, seed=1)
    assert text not in ("é", "à")


@pytest.mark.parametrize("byte_level", [False, True])
def test_an_unknown_character_is_no_copy(byte_level):
    """Of two unknown characters, none is known to be the other."""
    model = model_with("the cat\n" * 99 + "xéy\n", bytes=byte_level, min_count=2, val_fraction=0)
    found = model.novelty("xüy")
    assert len(found.longest) <= 1
    assert model.novelty("the catü").longest == "the cat"
