"""A corpus on disk: what goes in comes out, the split and the vocabulary are what they say."""

import hashlib
import itertools
import json
import os
import sys
import zlib
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import damage
import numpy as np
import pytest

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import corpus as corpora
from charrnn.text import corpus as spool
from charrnn.text import reading
from charrnn.text.corpus import (
    FILES,
    LIST,
    TEXT,
    Corpus,
    encode_corpus,
    fingerprint,
    open_corpus,
    split,
)
from charrnn.text.reading import Source
from charrnn.text.vocabulary import REPLACEMENT, Vocabulary

TEXTS = ["ab", "the quick brown fox\n" * 9, "aé漢😀𝔘\r" * 7, "".join(map(chr, range(1, 400)))]
RUN = Path("run")


def sources_of(*texts: str | bytes) -> tuple[Source, ...]:
    """A source for each text."""
    paths = [Path(f"{number}.txt") for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return tuple(map(Source, paths))


def encode(*texts: str | bytes, vocabulary: Vocabulary | None = None, **settings: Any) -> Corpus:
    """The texts encoded in the run's folder."""
    RUN.mkdir(exist_ok=True)
    settings = {"keep_newlines": True, **settings}
    return encode_corpus(sources_of(*texts), TextConfig(**settings), RUN, vocabulary)


def decode(corpus: Corpus, ids: np.ndarray | None = None) -> str:
    """The characters of the ids, by default of all."""
    return corpus.vocabulary.decode((corpus.ids if ids is None else ids).tolist())


def distinct(count: int) -> str:
    """That many different characters, none of them a surrogate."""
    points = itertools.chain(range(0x20, 0xD800), range(0xE000, 0x20000))
    return "".join(map(chr, itertools.islice(points, count)))


@pytest.fixture(params=[1, 3, 7, None], ids=lambda size: f"blocks of {size or 'the default'}")
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in chunks and translate in blocks that are smaller than any text."""
    if request.param is not None:
        monkeypatch.setattr(reading, "CHUNK_BYTES", request.param)
        monkeypatch.setattr(spool, "BLOCK", 4 * request.param)
        monkeypatch.setattr(corpora, "BLOCK", 4 * request.param)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("text", TEXTS)
def test_decoding_the_ids_gives_the_text_back(text: str) -> None:
    corpus = encode(text, val_fraction=0)
    assert decode(corpus) == text
    assert corpus.info.length == len(text) == len(corpus.train)
    assert corpus.info.unknown == corpus.info.folded == 0


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        (["the end", "Once"], "the end\nOnce"),
        (["a\n", "b"], "a\nb"),
        (["a\r\n", "b\r\n"], "a\nb\n"),
        (["one\r", "", "\ntwo", "é"], "one\r\ntwo\né"),
        (["", "a", "", "", "b", ""], "a\nb"),
        (["\n", "\nb"], "\n\nb"),
        (["ab"], "ab"),
    ],
)
def test_each_source_begins_on_a_line_of_its_own(texts: list[str], whole: str) -> None:
    corpus = encode(*texts, val_fraction=0, keep_newlines=False)
    assert decode(corpus) == whole
    places = [str(Path(f"{n}.txt").absolute()) for n in range(len(texts))]
    assert corpus.info.sources == tuple(places)
    assert decode(encode(*texts, bytes=True, val_fraction=0)) == (
        whole if "\r\n" not in texts[0] else "a\r\nb\r\n"
    ).encode().decode("latin-1")


@pytest.mark.usefixtures("small_blocks")
def test_all_byte_values_come_back_at_byte_level() -> None:
    data = b"\xef\xbb\xbf" + bytes(range(256)) * 2 + b"\r\n"
    corpus = encode(data, bytes=True, val_fraction=0)
    assert decode(corpus).encode("latin-1") == data
    assert corpus.vocabulary.byte_level
    assert corpus.ids.dtype == np.uint8


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("text", TEXTS)
def test_the_corpus_opens_again_as_it_was_written(text: str) -> None:
    written = encode(text)
    opened = open_corpus(RUN)
    assert opened.info == written.info
    assert opened.vocabulary == written.vocabulary
    assert (opened.ids == written.ids).all()
    assert isinstance(opened.ids, np.memmap)
    assert sorted(path.name for path in RUN.iterdir()) == ["corpus.ids", "corpus.json"]


@pytest.mark.usefixtures("small_blocks")
def test_the_vocabulary_is_the_training_part_sorted_by_code_point() -> None:
    corpus = encode("zyxé😀漢ba" + "c", val_fraction=0.1)
    assert corpus.vocabulary.characters == "abxyzé漢😀"
    assert corpus.train.max() < corpus.vocabulary.unknown


@pytest.mark.usefixtures("small_blocks")
def test_what_only_the_rest_has_is_unknown_and_counted() -> None:
    corpus = encode("abababab" + "Xa" + "YX", val_fraction=0.2, test_fraction=0.1)
    assert corpus.vocabulary.characters == "ab"
    assert corpus.info.unknown == 3
    assert decode(corpus) == f"abababab{REPLACEMENT}a{REPLACEMENT}{REPLACEMENT}"


@pytest.mark.usefixtures("small_blocks")
def test_nothing_is_unknown_where_the_rest_brings_nothing_new() -> None:
    corpus = encode("abc" * 10)
    assert corpus.info.unknown == 0
    assert corpus.vocabulary.unknown not in corpus.ids


@pytest.mark.usefixtures("small_blocks")
def test_min_count_folds_the_rare_and_counts_them() -> None:
    corpus = encode("aaaabbbbccd" + "e", val_fraction=0.05, min_count=3)
    assert corpus.vocabulary.characters == "ab"
    assert corpus.info.folded == 2  # c and d; e is not of the training part
    assert corpus.info.unknown == 4
    assert decode(corpus) == "aaaabbbb" + REPLACEMENT * 4


def test_min_count_counts_the_training_part_alone() -> None:
    corpus = encode("aaaaaaaab" + "b", min_count=2)
    assert corpus.vocabulary.characters == "a"
    assert corpus.info.folded == 1
    assert encode("aab" * 20, min_count=2).info.folded == 0


def test_a_min_count_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(CorpusError, match="`min_count` 9: no character occurs so often"):
        encode("abcabc", min_count=9)


@pytest.mark.parametrize(
    ("count", "dtype"),
    [
        (2, np.uint8),
        (256, np.uint8),
        (257, np.uint16),
        (65_536, np.uint16),
        (65_537, np.uint32),
    ],
)
def test_ids_are_as_narrow_as_the_characters_allow(count: int, dtype: type) -> None:
    text = distinct(count)[::-1]
    corpus = encode(text, val_fraction=0)
    assert corpus.ids.dtype == dtype
    assert corpus.info.dtype == np.dtype(dtype).name
    assert (corpus.ids == np.arange(count)[::-1]).all()
    assert corpus.vocabulary.characters == distinct(count)


@pytest.mark.parametrize("block", [4, 12, 1000])
def test_ids_already_written_survive_each_widening(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BLOCK", block)
    monkeypatch.setattr(corpora, "BLOCK", block)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 150)
    text = distinct(700) + "the start again: " + distinct(10)
    assert decode(encode(text, val_fraction=0)) == text


def test_one_chunk_may_widen_twice() -> None:
    text = "ab" + distinct(65_600)
    assert decode(encode("ab\n", text, val_fraction=0)) == "ab\n" + text


def test_the_unknown_fits_where_it_is_the_256th_id() -> None:
    train, rest = distinct(255), chr(0x4E00) * 28
    corpus = encode(train + rest)
    assert len(corpus.train) == 254
    assert corpus.ids.dtype == np.uint8
    assert decode(corpus, corpus.train) == train[:254]
    assert (corpus.validation == corpus.vocabulary.unknown).all()


@pytest.mark.parametrize("length", [*range(2, 60), 99, 101, 1009, 1_115_394])
def test_training_is_the_first_nine_tenths_as_nanogpt_cuts_them(length: int) -> None:
    parts = split(np.broadcast_to(np.uint8(0), length), None, TextConfig(), TEXT)
    end = max(2, int(0.9 * length))
    assert parts == [[(0, end)], [(end, length)] if end < length else [], []]


@pytest.mark.parametrize(("val", "test"), [(0.1, 0.1), (0, 0), (0.5, 0.25), (0, 0.3), (0.98, 0.01)])
def test_the_parts_follow_each_other_and_are_the_whole(val: float, test: float) -> None:
    text = "to be or not to be, that is the question"
    corpus = encode(text, val_fraction=val, test_fraction=test)
    parts = (corpus.train, corpus.validation, corpus.part("test").ids)
    assert np.concatenate(parts).tolist() == corpus.ids.tolist()
    assert len(corpus.train) >= 2
    assert len(corpus.part("test").ids) == pytest.approx(test * len(text), abs=1)
    assert (len(corpus.part("test").ids) == 0) == (test == 0)


LINES = "".join(f"{number:04d} and a name\n" for number in range(1000))


def lines_of(corpus: Corpus, part: str) -> list[str]:
    return decode(corpus, corpus.part(part).ids).splitlines(keepends=True)


@pytest.mark.parametrize("shares", [(0.1, 0.0), (0.1, 0.1), (0.3, 0.2)])
def test_of_a_list_whole_lines_from_all_over_it_are_held_out(shares: tuple[float, float]) -> None:
    corpus = encode(LINES, val_fraction=shares[0], test_fraction=shares[1])
    assert corpus.info.kind == LIST
    parts = {name: lines_of(corpus, name) for name in ("train", "validation", "test")}
    assert sorted(itertools.chain(*parts.values())) == LINES.splitlines(keepends=True)
    assert parts["train"] == sorted(parts["train"])
    for name, share in zip(("validation", "test"), shares, strict=True):
        numbers = [int(line[:4]) for line in parts[name]]
        assert len(numbers) == pytest.approx(1000 * share, abs=10)
        held_out, _ = np.histogram(numbers, 10, (0, 1000))
        assert (abs(held_out - 100 * share) <= 5).all()
        beginning, _ = np.histogram(numbers[: len(numbers) // 2], 2, (0, 1000))
        assert not share or beginning.min() > 0.25 * beginning.sum()


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_block_begins_after_a_line_s_end(direction: str) -> None:
    corpus = encode(LINES, test_fraction=0.1)
    for name in ("train", "validation", "test"):
        ids, edges = corpus.part(name, direction)
        assert len(edges) > 5
        assert all(decode(corpus, ids[[each]]) == "\n" for each in edges)
        starts = decode(corpus, ids)
        for edge in edges:  # the lines on both sides of an edge are no neighbours
            before, after = (starts[:edge].rfind("\n", 0, edge), starts.find("\n", edge + 1))
            line = starts[before + 1 : edge], starts[edge + 1 : after if after > 0 else None]
            one, other = (
                int(each[::-1][:4] if direction == "backward" else each[:4]) for each in line
            )
            assert abs(one - other) > 1


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([LINES], LIST),
        (["春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n" * 99], LIST),
        (["ann\nbob\nvan der berg\n" * 99], LIST),
        ([LINES.replace("7 and a name\n", "7 and a name\n\n")], TEXT),
        (
            [
                "It was a dark and stormy night, and the rain\nfell in torrents, except at times,\n"
                * 99
            ],
            TEXT,
        ),
        (["one long line of a book " * 999], TEXT),
        (["a\nb\n"], TEXT),
        (["a book\n" * 9, "another\n" * 9], FILES),
    ],
)
def test_a_list_and_files_are_told_from_a_running_text(texts: list[str], kind: str) -> None:
    assert encode(*texts).info.kind == kind


def test_the_user_can_overrule_how_the_text_is_split() -> None:
    last = encode(LINES, split="last")
    assert decode(last) == LINES
    assert not last.part("train").edges
    running = LINES.replace("7 and a name\n", "7 and a name\n\n")
    spread = encode(running, split="spread")
    assert spread.part("train").edges
    assert all(line[:-1] for line in lines_of(spread, "validation")[:1])


def test_blocks_begin_after_blank_lines_where_there_are_some() -> None:
    poems = "".join(f"{number:03d} a line\n{number:03d} another\n\n" for number in range(300))
    corpus = encode(poems, split="spread")
    held_out = decode(corpus, corpus.validation).strip().split("\n\n")
    assert len(held_out) > 10
    assert all(poem.count("\n") == 1 and poem[:3] == poem[11:14] for poem in held_out)


@pytest.mark.parametrize("text", ["", "a", "é", "\ufeff"])
def test_a_corpus_under_two_characters_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(CorpusError, match=r"^0\.txt: .* at least 2"):
        encode(text)


def test_two_characters_are_a_corpus() -> None:
    assert decode(encode("ab")) == "ab"
    assert decode(encode("\n", "b")) == "\nb"


@pytest.mark.usefixtures("small_blocks")
def test_with_a_vocabulary_given_the_ids_are_its_own() -> None:
    vocabulary = Vocabulary.of("abcdefg")
    corpus = encode("gag!bag?", vocabulary=vocabulary)
    assert corpus.vocabulary == vocabulary
    assert corpus.ids.tolist() == [6, 0, 6, 7, 1, 0, 6, 7]
    assert (corpus.info.unknown, corpus.info.folded) == (2, 0)


@pytest.mark.parametrize(
    ("count", "dtype"), [(255, np.uint8), (256, np.uint16), (300, np.uint16), (65_536, np.uint32)]
)
def test_a_large_vocabulary_given_widens_the_ids_of_a_small_text(count: int, dtype: type) -> None:
    vocabulary = Vocabulary.of(distinct(count))
    text = vocabulary.characters[0] + vocabulary.characters[-1] + "\U0010ffff"
    corpus = encode(text, vocabulary=vocabulary)
    assert corpus.ids.tolist() == [0, count - 1, count]
    assert corpus.ids.dtype == dtype
    assert corpus.info.unknown == 1


def test_the_fingerprint_is_that_of_the_characters() -> None:
    text = "aé漢😀\n" * 5
    corpus = encode(text)
    assert corpus.info.fingerprint == hashlib.sha256(text.encode()).hexdigest()


def test_the_fingerprint_does_not_depend_on_chunks_or_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, config = "aé漢😀\r\n" * 5, TextConfig()
    expected = fingerprint(sources_of(text), config)
    for size in (1, 2, 3, 5, 8):
        monkeypatch.setattr(reading, "CHUNK_BYTES", size)
        assert fingerprint(sources_of(text), config) == expected
        assert fingerprint(sources_of(text[:12], text[12:]), config) == expected
        assert encode(text, keep_newlines=False).info.fingerprint == expected


def test_the_fingerprint_has_the_line_breaks_that_are_put_between_files() -> None:
    now = fingerprint(sources_of("the end", "Once"), TextConfig())
    assert now == hashlib.sha256(b"the end\nOnce").hexdigest()


@pytest.mark.parametrize("changed", ["abd", "ab", "abc ", "acb", ""])
def test_the_fingerprint_changes_with_the_text(changed: str) -> None:
    config = TextConfig()
    assert fingerprint(sources_of(changed), config) != fingerprint(sources_of("abc"), config)


def test_stamps_tell_a_touched_source() -> None:
    sources = sources_of("abc")
    assert encode("abc").info.stamps == corpora.stamps(sources)
    before = corpora.stamps((*sources, Source(None)))
    assert before == corpora.stamps(sources)
    os.utime("0.txt", ns=(1, 1))
    assert corpora.stamps(sources) != before


def test_the_stamps_are_those_of_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sources, whole = sources_of("abc"), corpora.renumber

    def after_a_change(*arguments: Any) -> Any:
        Path("0.txt").write_bytes(b"abcd")
        return whole(*arguments)

    monkeypatch.setattr(corpora, "renumber", after_a_change)
    RUN.mkdir()
    corpus = encode_corpus(sources, TextConfig(val_fraction=0), RUN)
    assert decode(corpus) == "abc"
    assert corpus.info.stamps != corpora.stamps(sources)


def test_standard_input_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(b"piped text")))
    RUN.mkdir()
    corpus = encode_corpus([Source(None)], TextConfig(val_fraction=0), RUN)
    assert decode(corpus) == "piped text"
    assert corpus.info.sources == ("-",)
    assert corpus.info.stamps == ()


@pytest.mark.parametrize("size", [-1, 1])
def test_an_ids_file_of_another_size_is_refused(size: int) -> None:
    data = encode("some text").ids.tobytes()
    (RUN / "corpus.ids").write_bytes(data[:size] if size < 0 else data + b"\0")
    with pytest.raises(CorpusError, match=r"corpus\.ids: missing or cut short.*`init_from`"):
        open_corpus(RUN)


@pytest.mark.usefixtures("small_blocks")
def test_any_altered_byte_is_noticed() -> None:
    data = encode("some text").ids.tobytes()
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1
        (RUN / "corpus.ids").write_bytes(altered)
        with pytest.raises(CorpusError, match=r"corpus\.ids: altered.*`init_from`"):
            open_corpus(RUN)
    (RUN / "corpus.ids").write_bytes(data)
    assert decode(open_corpus(RUN))[:4] == "some"


def rewrite(**changes: Any) -> None:
    """Change what the record says of the corpus, with a checksum that fits."""
    given = json.loads((RUN / "corpus.json").read_bytes())
    del given["checksum"]
    given["corpus"] |= changes
    (RUN / "corpus.json").write_bytes(damage.summed(given))


def test_an_id_of_no_character_is_refused() -> None:
    """It would be read as the row of another character, or of none."""
    corpus = encode("abab" * 5)
    ids = corpus.ids.copy()
    for wrong in (3, 255):
        ids[7] = wrong
        (RUN / "corpus.ids").write_bytes(ids.tobytes())
        rewrite(checksum=zlib.crc32(ids.data))
        with pytest.raises(CorpusError, match=r"corpus\.ids: altered \(it has an id of no"):
            open_corpus(RUN)
    ids[7] = corpus.vocabulary.unknown
    (RUN / "corpus.ids").write_bytes(ids.tobytes())
    rewrite(checksum=zlib.crc32(ids.data))
    assert decode(open_corpus(RUN))[7] == REPLACEMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "int8"},
        {"dtype": "float32"},
        {"dtype": "U9"},
        {"length": -1},
        {"length": True},
        {"train_end": 1},
        {"train_end": 99},
        {"val_end": 3},
        {"unknown": -1},
        {"sources": [3]},
        {"sources": "0.txt"},
        {"stamps": [[1]]},
        {"stamps": [[1, "2"]]},
        {"stamps": {"1": 2}},
        {"checksum": None},
        {"more": 1},
    ],
)
def test_a_record_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    encode("abab" * 5)
    rewrite(**changes)
    with pytest.raises(CorpusError, match=r"corpus\.json: damaged: .*`init_from`"):
        open_corpus(RUN)


@pytest.mark.parametrize("name", ["corpus.ids", "corpus.json"])
def test_a_missing_file_is_named(name: str) -> None:
    encode("some text")
    (RUN / name).unlink()
    with pytest.raises(CorpusError, match=f"{name}: missing"):
        open_corpus(RUN)


def test_a_record_cut_short_anywhere_is_refused() -> None:
    encode("some text")
    record = (RUN / "corpus.json").read_bytes()
    for kept in range(len(record)):
        (RUN / "corpus.json").write_bytes(record[:kept])
        with pytest.raises(CorpusError, match=r"corpus\.json: damaged"):
            open_corpus(RUN)


def test_any_altered_byte_of_the_record_is_noticed() -> None:
    encode("some text")
    path = RUN / "corpus.json"
    record = path.read_bytes()
    for place in range(len(record)):
        path.write_bytes(record[:place] + bytes([record[place] ^ 1]) + record[place + 1 :])
        with pytest.raises(CorpusError, match=r"corpus\.json: damaged.*`init_from`"):
            open_corpus(RUN)


@pytest.mark.parametrize("record", ["null", "1", '"text"', "[]", "{}", '{"checksum": 0}'])
def test_a_record_of_something_else_is_refused(record: str) -> None:
    encode("some text")
    (RUN / "corpus.json").write_text(record)
    with pytest.raises(CorpusError, match=r"corpus\.json: damaged"):
        open_corpus(RUN)


@pytest.mark.parametrize("texts", [["good", b"\xff"], ["a"], [b"a\0b"]])
def test_a_text_that_is_refused_leaves_no_file_behind(texts: list[str | bytes]) -> None:
    with pytest.raises(CorpusError):
        encode(*texts)
    assert list(RUN.iterdir()) == []


def test_a_min_count_that_is_refused_leaves_no_file_behind() -> None:
    with pytest.raises(CorpusError):
        encode("abc", min_count=5)
    assert list(RUN.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    "step", ["pathlib.Path.replace", "charrnn.text.corpus.rewrite", "os.fsync"]
)
def test_a_full_disk_or_an_interrupt_leaves_no_file_behind(
    step: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(step, fail)  # replace is first called when the ids are widened
    with pytest.raises(type(error)):
        encode(distinct(300))
    assert list(RUN.iterdir()) == []


def test_encoding_again_replaces_the_corpus() -> None:
    encode("an older and longer text" + distinct(300))
    assert decode(encode("new", val_fraction=0)) == "new"
    assert decode(open_corpus(RUN)) == "new"
