"""Characters and ids: sorted by code point, one id more for the unknown."""

import json

import numpy as np
import pytest

from charrnn.text.vocabulary import REPLACEMENT, Vocabulary, code_points

TEXTS = [
    "a",
    "hello, world\n",
    "\0\x7f\x80ÿ",
    "漢字かな交じり",
    "😀 astral 𝔘",
    "é e\u0301",
    "\ud800x\udfff",
]


@pytest.mark.parametrize("text", TEXTS)
def test_encoding_then_decoding_gives_the_text_back(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert ids.shape == (len(text),)
    assert vocabulary.decode(ids) == text


@pytest.mark.parametrize("text", TEXTS)
def test_ids_follow_the_code_points(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    assert list(vocabulary.characters) == sorted(set(text), key=ord)
    assert vocabulary.encode(vocabulary.characters).tolist() == list(range(vocabulary.size - 1))


def test_code_points_are_those_of_ord() -> None:
    for text in TEXTS:
        assert code_points(text).tolist() == [ord(character) for character in text]


def test_the_order_and_the_number_of_the_characters_given_do_not_matter() -> None:
    assert Vocabulary.of("banana") == Vocabulary.of("nab") == Vocabulary.of(iter("abn"))


@pytest.mark.parametrize("outside", ["!", "~", "c", "\0", "😀"])
def test_a_character_outside_becomes_the_unknown_and_shows_as_a_replacement(outside: str) -> None:
    vocabulary = Vocabulary.of("abde")
    ids = vocabulary.encode(f"a{outside}e")
    assert ids.tolist() == [0, vocabulary.unknown, 3]
    assert vocabulary.unknown == vocabulary.size - 1
    assert vocabulary.decode(ids) == f"a{REPLACEMENT}e"


def test_a_replacement_character_of_the_text_is_a_character_like_any_other() -> None:
    vocabulary = Vocabulary.of("a" + REPLACEMENT)
    assert vocabulary.encode(REPLACEMENT).tolist() == [1]
    assert vocabulary.unknown == 2


def test_no_text_has_no_ids() -> None:
    assert Vocabulary.of("ab").encode("").shape == (0,)
    assert Vocabulary.of("ab").decode([]) == ""


def test_missing_names_each_outsider_once_and_sorted() -> None:
    assert Vocabulary.of("abc").missing("zebra, a cab z") == " ,erz"
    assert Vocabulary.of("abc").missing("cab") == ""


@pytest.mark.parametrize("byte_level", [False, True])
def test_json_brings_the_vocabulary_back(byte_level: bool) -> None:
    vocabulary = Vocabulary.of('\0\n"\\é漢😀' if not byte_level else "\0\n\xff", byte_level)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


def test_a_byte_level_vocabulary_reads_a_prompt_as_utf_8_bytes() -> None:
    every_byte = Vocabulary.of(map(chr, range(256)), byte_level=True)
    assert every_byte.encode(every_byte.from_user("é😀")).tolist() == list("é😀".encode())
    assert Vocabulary.of("é").from_user("é") == "é"


def test_a_byte_level_prompt_keeps_bytes_that_the_shell_could_not_decode() -> None:
    argument = b"caf\xe9".decode("utf-8", "surrogateescape")  # as Python decodes sys.argv
    assert Vocabulary.of("a", byte_level=True).from_user(argument) == "caf\xe9"
