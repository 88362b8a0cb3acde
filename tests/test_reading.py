"""Bytes to characters: nothing lost in silence, whatever the size of the chunks."""

import bz2
import codecs
import gzip
import lzma
import os
import re
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import reading
from charrnn.text.reading import Source, read

CHUNKS = (1, 2, 3, 5, 1 << 20)
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".GZ": gzip.compress}
EVERY_BYTE = bytes(range(256))
BINARY_HEAD = b"\x7fELF\2\1\1" + bytes(9) + b"\3\0>\0\1\0\0\0"


@pytest.fixture(autouse=True)
def chunk_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read in chunks of this size."""
    size: int = getattr(request, "param", reading.CHUNK_BYTES)
    monkeypatch.setattr(reading, "CHUNK_BYTES", size)
    return size


def in_chunks(function: Any) -> Any:
    """Run a test once for each size of the chunks."""
    return pytest.mark.parametrize("chunk_bytes", CHUNKS, indirect=True)(function)


def text_of(data: bytes, name: str = "a.txt", **settings: Any) -> str:
    """The characters of a file that holds the data."""
    Path(name).write_bytes(data)
    return "".join(read(Source(Path(name)), TextConfig(**settings)))


def refusal(data: bytes, name: str = "a.txt", **settings: Any) -> str:
    """The message of the error that the data provokes."""
    with pytest.raises(CorpusError) as caught:
        text_of(data, name, **settings)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    return message


@in_chunks
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "aé漢😀\n" * 3),
        ("utf-8-sig", "aé漢😀\n" * 3),
        ("utf-16", "aé漢😀\n" * 3),
        ("utf-16-be", "aé漢😀\n" * 3),
        ("utf-32", "aé漢😀\n" * 3),
        ("gb18030", "aé漢😀\n" * 3),
        ("shift_jis", "かな漢字 abc\n" * 3),
        ("iso2022_jp", "かな漢字 abc\n" * 3),
        ("latin-1", "aé\xff\n" * 3),
    ],
)
def test_text_comes_out_as_it_was_encoded(encoding: str, text: str) -> None:
    assert text_of(text.encode(encoding), encoding=encoding) == text


@in_chunks
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-8-sig", codecs.BOM_UTF8),
        ("utf-16", codecs.BOM_UTF16_BE),
        ("utf-16", codecs.BOM_UTF16_LE),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_a_byte_order_mark_is_dropped_at_the_start_alone(encoding: str, mark: bytes) -> None:
    plain = "utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-16-le"
    body = "a\ufeffb".encode(encoding if encoding == "utf-8" else plain)
    if encoding == "utf-8-sig":
        body = "a\ufeffb".encode()
    assert text_of(mark + body, encoding=encoding) == "a\ufeffb"


@in_chunks
def test_a_file_of_nothing_but_a_mark_is_empty() -> None:
    assert text_of(codecs.BOM_UTF8) == ""
    assert text_of(b"") == ""


@in_chunks
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"\r\n\r\n", "\n\n"),
        (b"a\rb\r", "a\rb\r"),
        (b"\r\r\n\r", "\r\n\r"),
        (b"\n\r", "\n\r"),
        (b"\r", "\r"),
        (b"\xef\xbb\xbf\r\n", "\n"),
    ],
)
def test_crlf_becomes_lf_and_a_lone_cr_stays(data: bytes, text: str) -> None:
    assert text_of(data) == text


@in_chunks
def test_newlines_are_kept_when_asked() -> None:
    assert text_of(b"\xef\xbb\xbfa\r\nb\rc\n", keep_newlines=True) == "a\r\nb\rc\n"


@in_chunks
def test_bytes_are_read_as_they_are() -> None:
    data = codecs.BOM_UTF8 + EVERY_BYTE + b"\r\n"
    assert text_of(data, bytes=True).encode("latin-1") == data


UNDECODABLE = [
    ("utf-8", "aé漢😀".encode() + b"\xff" + b"rest"),
    ("utf-8", b"\x80"),
    ("utf-8", "漢".encode() + b"\xe6\xbc" + b"a"),
    ("utf-8", "a😀".encode()[:-1]),
    ("utf-8", codecs.BOM_UTF8 + b"ab\xffcd"),
    ("utf-8", b"abc\xed\xa0\x80"),
    ("utf-8-sig", codecs.BOM_UTF8 + b"ab\xffcd"),
    ("utf-8-sig", b"ab\xffcd"),
    ("utf-16", "ab".encode("utf-16") + b"\x01\xdc" + b"c\0"),
    ("utf-16", "ab😀".encode("utf-16")[:-2]),
    ("utf-16-be", "abc".encode("utf-16-be") + b"\x01"),
    ("utf-32", "ab".encode("utf-32") + b"\x01\x02\x03\x7f"),
    ("gb18030", "漢a字".encode("gb18030") + b"\xff" + b"a"),
    ("gb18030", "漢😀".encode("gb18030")[:-1]),
    ("gb18030", "漢".encode("gb18030") + b"\x81\x30\x81\x20"),
    ("shift_jis", "かa".encode("shift_jis") + b"\x82\x20" + b"a"),
    ("shift_jis", "かな".encode("shift_jis")[:-1]),
    ("iso2022_jp", "かな".encode("iso2022_jp") + b"a\xffb"),
    ("ascii", b"abc\xe9"),
    ("cp1252", b"abc\x81"),
]


@in_chunks
@pytest.mark.parametrize(("encoding", "data"), UNDECODABLE)
def test_an_undecodable_byte_is_named_with_its_offset(encoding: str, data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as oracle:
        data.decode(encoding)
    offset = len(data) - len(oracle.value.object) + oracle.value.start
    message = refusal(data, encoding=encoding)
    assert f"byte 0x{data[offset]:02x} at offset {offset} is not {encoding};" in message
    assert "`encoding`" in message
    assert "`bytes`" in message


@in_chunks
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_missing_byte_order_mark_is_an_error_that_names_the_file(encoding: str) -> None:
    message = refusal("plain text".encode(f"{encoding}-le"), encoding=encoding)
    assert f"not {encoding}" in message  # with an offset as of Python 3.13
    assert "`encoding" in message


@in_chunks
def test_a_nul_means_a_binary_file() -> None:
    message = refusal(b"MZ\x02\0\x01 and text")
    assert "binary" in message
    assert "`bytes`" in message
    assert "`encoding`" in message


@in_chunks
@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_files_are_read_through(suffix: str) -> None:
    data = "the same text, ünpacked\r\n".encode() * 5
    assert text_of(PACKERS[suffix](data), f"a.txt{suffix}") == text_of(data)
    assert text_of(PACKERS[suffix](EVERY_BYTE), f"a{suffix}", bytes=True).encode("latin-1") == (
        EVERY_BYTE
    )


@pytest.mark.parametrize("suffix", PACKERS)
def test_two_compressed_streams_in_one_file_are_both_read(suffix: str) -> None:
    assert text_of(PACKERS[suffix](b"one ") + PACKERS[suffix](b"two"), f"a{suffix}") == "one two"


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_follows_a_compressed_stream_is_not_lost(suffix: str) -> None:
    one, two = (PACKERS[suffix](text * 9) for text in (b"one ", b"two "))
    for place in range(3):
        damaged = two[:place] + bytes([two[place] ^ 1]) + two[place + 1 :]
        refusal(one + damaged, f"a{suffix}")
    refusal(one + b"no stream", f"a{suffix}")
    refusal(one + two[:3], f"a{suffix}")
    padded = one + bytes(4) + two + bytes(8)
    assert text_of(padded, f"a{suffix}") == "one " * 9 + "two " * 9


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_highly_compressed_file_is_unpacked_piece_by_piece(suffix: str) -> None:
    with_pieces = Source(Path(f"a{suffix}"))
    with_pieces.path.write_bytes(PACKERS[suffix](b"x" * (1 << 22)))  # type: ignore[union-attr]
    sizes = [len(chunk) for chunk in read(with_pieces, TextConfig())]
    assert sum(sizes) == 1 << 22
    assert max(sizes) <= reading.CHUNK_BYTES


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_compressed_file_cut_short_is_refused_wherever_it_is_cut(suffix: str) -> None:
    packed = PACKERS[suffix](bytes(range(32, 127)) * 3)
    for kept in range(1, len(packed)):
        refusal(packed[:kept], f"a{suffix}")


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_damaged_compressed_file_never_gives_another_text(suffix: str) -> None:
    text = bytes(range(32, 127)) * 3
    packed = PACKERS[suffix](text)
    refusals = []
    for place in range(len(packed)):
        damaged = packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :]
        try:
            assert text_of(damaged, f"a{suffix}").encode() == text  # a date in the header
        except CorpusError as error:
            refusals.append(str(error))
    assert len(refusals) >= len(packed) - 10
    assert all(message.startswith(f"a{suffix}: ") for message in refusals)


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_file_that_only_looks_compressed_is_refused(suffix: str) -> None:
    refusal(b"not compressed at all", f"a{suffix}")


def test_a_file_that_cannot_be_opened_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("folder").mkdir()
    for name, reason in (("missing.txt", "No such file"), ("folder", "Is a directory")):
        with pytest.raises(CorpusError, match=f"^{re.escape(name)}: cannot be read: {reason}"):
            list(read(Source(Path(name)), TextConfig()))

    def forbidden(_: Source) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Source, "open", forbidden)
    assert "Permission denied" in refusal(b"text")


def test_a_disk_that_fails_halfway_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(3)

    monkeypatch.setattr(Source, "open", lambda _: Failing(b"abcdef"))
    assert "Input/output error" in refusal(b"abcdef")


@in_chunks
def test_standard_input_is_read_like_a_file_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = BytesIO(b"\xef\xbb\xbfpiped\r\ntext")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer))
    assert "".join(read(Source(None), TextConfig())) == "piped\ntext"
    assert "".join(read(Source(None), TextConfig())) == ""


def test_an_error_in_standard_input_calls_it_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(b"ab\xff")))
    with pytest.raises(CorpusError, match=r"^standard input: byte 0xff at offset 2 "):
        list(read(Source(None), TextConfig()))


# -- Advice ----------------------------------------------------------------------------------

SAMPLES = (
    "plain text\n",
    "привет, мир\n",
    "学而时习之，不亦说乎？\n",
    "x",
    "tab\there\n",
    "😀 ok\n",
)


@pytest.mark.parametrize("text", SAMPLES)
@pytest.mark.parametrize("right", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("wrong", ["utf-8", "utf-16", "utf-32", "ascii"])
def test_utf_16_and_32_without_a_mark_are_recognized(wrong: str, right: str, text: str) -> None:
    message = refusal((text * 9).encode(right), encoding=wrong)
    assert message.endswith(f"; it looks like {right}: give `encoding {right}`")


@pytest.mark.parametrize("right", ["utf-16", "utf-32"])
def test_utf_16_and_32_with_a_mark_are_recognized(right: str) -> None:
    message = refusal("привет".encode(right), encoding="utf-8")
    assert message.endswith(f"; it looks like {right}: give `encoding {right}`")


@pytest.mark.parametrize(
    "data", [BINARY_HEAD, b"caf\xe9", b"text\0", b"hello\0world\0", b"\x89PNG\0\0"]
)
def test_what_is_in_neither_is_not_called_so(data: bytes) -> None:
    assert "looks like utf" not in refusal(data)


CURLY = "“It’s late,” she said – and left…\n"


@pytest.mark.parametrize("text", [CURLY, "plain\n" * 9999 + CURLY, "déjà vu, “señor”\n" * 3])
def test_quotes_of_windows_1252_are_recognized(text: str) -> None:
    """Read as latin-1, they would be invisible control characters."""
    assert "; it looks like windows-1252: give" in refusal(text.encode("windows-1252"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("学而时习之，不亦说乎？\n", "gb18030"), ("いろはにほへと\n", "shift_jis"), ("é", "latin-1")],
)
def test_other_encodings_are_not_called_windows_1252(text: str, encoding: str) -> None:
    assert "looks like windows" not in refusal(text.encode(encoding) * 9)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_of_two_marks_at_the_start_the_second_is_text(encoding: str) -> None:
    plain = "utf-8" if encoding.startswith("utf-8") else f"{encoding}-le"
    assert text_of("\ufeff\ufeffa".encode(plain), encoding=encoding) == "\ufeffa"


# -- Files that do not hold still --------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", *PACKERS])
@pytest.mark.parametrize("change", [b"more", None])
def test_a_file_that_changes_while_it_is_read_is_refused(suffix: str, change: bytes | None) -> None:
    path = Path(f"a.txt{suffix}")
    path.write_bytes(PACKERS.get(suffix, bytes)(bytes(range(32, 127)) * 9))
    chunks = read(Source(path), TextConfig(bytes=True))
    next(chunks)
    with path.open("ab") as file:
        file.write(PACKERS.get(suffix, bytes)(change or b""))
    os.utime(path, (1, 1))
    with pytest.raises(CorpusError, match=rf"^{re.escape(path.name)}: has changed while"):
        list(chunks)


def test_a_file_that_is_replaced_meanwhile_is_read_as_it_was() -> None:
    path = Path("a.txt")
    path.write_bytes(b"old")
    chunks = read(Source(path), TextConfig(bytes=True))
    assert next(chunks) == "old"
    Path("b.txt").write_bytes(b"new text")
    Path("b.txt").replace(path)
    assert list(chunks) == []


def test_an_endless_device_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STREAM_BYTES", 1 << 20)
    for settings in ({"bytes": True}, {"encoding": "latin-1"}):
        with pytest.raises(CorpusError, match=r"^/dev/zero: (has not ended|holds NUL)"):
            list(read(Source(Path("/dev/zero")), TextConfig(**settings)))
    monkeypatch.setattr(reading, "CHUNK_BYTES", 1 << 10)
    assert len(text_of(b"a" * (1 << 20) + b"b")) == (1 << 20) + 1  # a file has an end


def test_an_endless_standard_input_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return b"y\n" * 9

    monkeypatch.setattr(reading, "STREAM_BYTES", 1 << 10)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Endless()))
    with pytest.raises(CorpusError, match=r"^standard input: has not ended after 1,024 bytes; "):
        list(read(Source(None), TextConfig()))
