"""One file of a corpus: its bytes, and from these its characters, losing nothing in silence."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import pydoc_data
import stat
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from charrnn.config import TextConfig
from charrnn.errors import CorpusError

PACKED_BYTES = 1 << 16
PADDING = b"\0"
"""May stand after a stream."""
CHUNK_BYTES = 1 << 16
STREAM_BYTES = 1 << 32
"""What a pipe or a device may send. They need not have an end, and the disk has one."""
BYTE_ORDER_MARK = "\ufeff"
HEAD_BYTES = 4096
LOOKS_LIKE = "it looks like {0}: give `encoding {0}`"
WINDOWS_QUOTES = set(b"\x82\x84\x85\x91\x92\x93\x94\x96\x97")
"""The quotes, dashes and the ellipsis of windows-1252."""
MARKS = {  # UTF-32's little-endian mark begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Unpacked(io.RawIOBase):
    """The uncompressed bytes of a file: of all its streams, while Python's own readers stop without
    an error at padding (findings/lzma-stream-padding.sh) or at what is no stream.

    Reading raises EOFError where the file is cut short, OSError or LZMAError where it is damaged.
    """

    def __init__(
        self, path: Path, start: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
    ) -> None:
        self._file = path.open("rb")
        self._start, self._stream = start, start()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = b""
        while not data and not self._ended():
            data = self._stream.decompress(self._input(), len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _ended(self) -> bool:
        """Whether the last stream has come to its end; if another follows, that begins."""
        if not self._stream.eof:
            return False
        rest = self._stream.unused_data.lstrip(PADDING)
        while not rest and (piece := self._file.read(PACKED_BYTES)):
            rest = piece.lstrip(PADDING)
        if rest:
            self._stream, self._rest = self._start(), rest
        return not rest

    def _input(self) -> bytes:
        """What the stream is to decompress next."""
        piece, self._rest = self._rest, b""
        if piece or not self._stream.needs_input:
            return piece
        piece = self._file.read(PACKED_BYTES)
        if not piece:
            raise EOFError("it ends before its end-of-stream marker")
        return piece


OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": gzip.open,  # type: ignore[dict-item]
    ".bz2": lambda path: io.BufferedReader(Unpacked(path, bz2.BZ2Decompressor)),
    ".xz": lambda path: io.BufferedReader(Unpacked(path, lzma.LZMADecompressor)),
}


REFERENCE = Path(pydoc_data.__path__[0], "topics.py")
"""The reference of the Python language that `help` shows: half a million characters of English."""


def open_reference() -> IO[bytes]:
    """Return its texts one after the other, without the Python around them."""
    from pydoc_data.topics import topics

    return io.BytesIO("\n".join(topics.values()).encode())


@dataclass(frozen=True)
class Source:
    """A file of the corpus, read through .gz, .bz2 and .xz; no path: standard input."""

    path: Path | None

    @property
    def name(self) -> str:
        return "standard input" if self.path is None else str(self.path)

    @property
    def location(self) -> str:
        """Its absolute path; `-` for standard input."""
        return "-" if self.path is None else str(self.path.absolute())

    @property
    def identity(self) -> object:
        """Equal for two sources that lead to the same file, by whatever links.

        It is the inode for a file with several hard links, and the real path for all others,
        since some file systems give one inode to several files.
        """
        if self.path is None:
            return None
        place = os.path.realpath(self.path)
        try:
            state = Path(place).stat()
        except OSError:
            return place
        return (state.st_dev, state.st_ino) if state.st_nlink > 1 else place

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """The uncompressed bytes; standard input is not ours to close."""
        if self.path is None:
            if sys.stdin is None:  # closed by the caller: `<&-`
                raise CorpusError(
                    "closed",
                    where="standard input",
                    way_out="name a file, or send the text through a pipe",
                )
            return nullcontext(sys.stdin.buffer)
        if self.path == REFERENCE:
            return open_reference()
        opener = OPENERS.get(self.path.suffix.lower())
        return opener(self.path) if opener else self.path.open("rb")


def stamp(state: os.stat_result) -> tuple[int, int]:
    """Size and modification time (ns), which tell whether a file has changed."""
    return state.st_size, state.st_mtime_ns


def file_stamp(path: Path) -> tuple[int, int]:
    with corpus_errors(str(path)):
        return stamp(path.stat())


@contextmanager
def corpus_errors(name: str) -> Iterator[None]:
    """Turn OSErrors into CorpusErrors that name the source."""
    try:
        yield
    except OSError as error:
        raise CorpusError(f"cannot be read: {error.strerror or error}", where=name) from error


def chunks(source: Source) -> Iterator[bytes]:
    """The source's bytes; CorpusError where it cannot be opened or is damaged."""
    try:
        with corpus_errors(source.name), source.open() as stream:
            yield from unchanged_chunks(stream, source)
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise CorpusError(f"damaged compressed file ({error})", where=source.name) from error


def unchanged_chunks(stream: IO[bytes], source: Source) -> Iterator[bytes]:
    """The stream's bytes; CorpusError if its file changes meanwhile, or if it has no end."""
    before, total = regular_stamp(stream), 0
    while chunk := stream.read(CHUNK_BYTES):
        total += len(chunk)
        if before is None and total > STREAM_BYTES:
            raise CorpusError(
                f"has not ended after {STREAM_BYTES:,} bytes",
                where=source.name,
                way_out="send only a part of it, or write it to a file and name the file",
            )
        yield chunk
    if regular_stamp(stream) != before:
        raise CorpusError(
            "has changed while charrnn read it",
            where=source.name,
            way_out="try again when nothing writes to it, or copy it first",
        )


def regular_stamp(stream: IO[bytes]) -> tuple[int, int] | None:
    """The stamp of the file behind a stream; None where that is a pipe, a device or nothing."""
    try:
        state = os.fstat(stream.fileno())
    except OSError:
        return None
    return stamp(state) if stat.S_ISREG(state.st_mode) else None


class UndecodableError(CorpusError):
    """The file's bytes are no text in the encoding."""


def read(source: Source, config: TextConfig) -> Iterator[str]:
    """The source's characters in chunks; bytes as U+0000 to U+00FF at byte level."""
    if config.bytes:
        return (chunk.decode("latin-1") for chunk in chunks(source))
    text = decode(source, config.encoding)
    if "".encode(config.encoding) == b"":  # else its decoder drops the mark that it writes
        text = without_mark(text)
    return text if config.keep_newlines else unix_newlines(text)


def join_texts(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """The texts one after the other, in chunks, each beginning on a line of its own.

    Where a text does not end in a line break and another follows, a `\\n` is put between.
    """
    last = "\n"
    for text in texts:
        begun = False
        for chunk in filter(None, text):
            if not begun and last not in "\r\n":
                yield "\n"
            yield chunk
            begun, last = True, chunk[-1]


def decodable(source: Source, config: TextConfig) -> bool:
    """Whether the whole source can be decoded; CorpusError where it cannot be read."""
    try:
        for _ in read(source, config):
            pass
    except UndecodableError:
        return False
    return True


def decode(source: Source, encoding: str) -> Iterator[str]:
    """Characters in the encoding; UndecodableError with the offset of the first bad byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, head = 0, b""
    for chunk in chain(chunks(source), [b""]):
        offset += len(chunk)
        head += chunk[: HEAD_BYTES - len(head)]
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            what = f"not {encoding} ({error})"
            way_out = (
                "name the file's `encoding` (windows-1252, gb18030, …), learn its `bytes`, or leave"
                " such files out with `skip_undecodable`"
            )
            if isinstance(error, UnicodeDecodeError):  # its object ends where reading has got to
                place = offset - len(error.object) + error.start
                what = f"byte 0x{error.object[error.start]:02x} at offset {place} is not {encoding}"
                if error.encoding in ("utf-8", "ascii") and has_windows_quotes(error.object):
                    way_out = LOOKS_LIKE.format("windows-1252")
            way_out = advise_encoding(head, encoding, way_out)
            raise UndecodableError(what, where=source.name, way_out=way_out) from error
        if "\0" in text:
            raise UndecodableError(
                "holds NUL characters and looks like a binary file",
                where=source.name,
                way_out=advise_encoding(head, encoding, "use `bytes`, or name its `encoding`"),
            )
        yield text


def without_mark(text: Iterable[str]) -> Iterator[str]:
    """Drop a byte-order mark at the start."""
    first = True
    for chunk in text:
        yield chunk.removeprefix(BYTE_ORDER_MARK) if first else chunk
        first = first and not chunk


def unix_newlines(text: Iterable[str]) -> Iterator[str]:
    """CRLF becomes LF, also where a chunk ends between the two; a lone CR stays."""
    last_cr = ""
    for chunk in text:
        chunk = last_cr + chunk
        last_cr = "\r" if chunk.endswith("\r") else ""
        yield chunk[: len(chunk) - len(last_cr)].replace("\r\n", "\n")
    yield last_cr


def advise_encoding(head: bytes, encoding: str, otherwise: str) -> str:
    """The way out for a file that begins with `head` and is not in the encoding."""
    guessed = guess_encoding(head)
    if guessed is None or codecs.lookup(guessed) == codecs.lookup(encoding):
        return otherwise
    return LOOKS_LIKE.format(guessed)


def has_windows_quotes(data: bytes) -> bool:
    """Whether bytes stand alone where windows-1252 has quotes and latin-1 control characters.

    In the encodings of Chinese, Japanese and Korean such bytes stand in pairs.
    """
    with suppress(UnicodeDecodeError):
        data.decode("windows-1252")
        high = np.frombuffer(data, np.uint8) >= 0x80
        pairs = (high[1:] & high[:-1]).sum()
        return bool(WINDOWS_QUOTES & set(data)) and pairs < high.sum() / 4
    return False


def guess_encoding(head: bytes) -> str | None:
    """Guess the encoding from the byte-order mark, or from where the zero bytes are.

    In UTF-16, a space or a line end is one byte and a zero, and so is every character below
    U+0100; in UTF-32, every character has a zero, and most have two or three.
    """
    marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    zeros = head.count(0)
    if marked is not None or not zeros:
        return marked
    many = 4 * zeros > len(head)
    if not many and is_text(head.replace(b"\0", b""), "utf-8"):
        return None  # a text with a few zeros between
    units = head[: len(head) & ~1]
    utf_16 = "utf-16-le" if units[1::2].count(0) > units[0::2].count(0) else "utf-16-be"
    candidates = ("utf-32-le", "utf-32-be", utf_16) if many else (utf_16,)
    return next((name for name in candidates if is_text(head, name)), None)


def is_text(head: bytes, encoding: str) -> bool:
    """Whether the bytes are the beginning of a text in the encoding, without control characters."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(
        character.isspace() or unicodedata.category(character) != "Cc" for character in text
    )
