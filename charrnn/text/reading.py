"""Bytes to characters, a chunk at a time, losing nothing in silence."""

import codecs
from collections.abc import Iterable, Iterator

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.guessing import HEAD_BYTES, advice
from charrnn.text.opening import Source, chunks

BYTE_ORDER_MARK = "\ufeff"


class UndecodableError(CorpusError):
    """The file's bytes are no text in the encoding."""


def read(source: Source, config: TextConfig) -> Iterator[str]:
    """The source's characters in chunks; bytes as U+0000 to U+00FF at byte level."""
    if config.bytes:
        return (chunk.decode("latin-1") for chunk in chunks(source))
    text = decode(source, config.encoding)
    if not takes_mark(config.encoding):
        text = without_mark(text)
    return text if config.keep_newlines else unix_newlines(text)


def joined(texts: Iterable[Iterable[str]]) -> Iterator[str]:
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
    for chunk, last in marked_last(chunks(source)):
        offset += len(chunk)
        head += chunk[: HEAD_BYTES - len(head)]
        try:
            text = decoder.decode(chunk, last)
        except UnicodeError as error:
            raise undecodable(source, encoding, offset, head, error) from error
        if "\0" in text:
            raise UndecodableError(
                "holds NUL characters and looks like a binary file",
                where=source.name,
                way_out=advice(head, encoding, "use `bytes`, or name its `encoding`"),
            )
        yield text


def marked_last(items: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each item with False, then an empty one with True."""
    for item in items:
        yield item, False
    yield b"", True


def undecodable(
    source: Source, encoding: str, end: int, head: bytes, error: UnicodeError
) -> UndecodableError:
    """The error for bytes that are not valid in the encoding, read up to offset `end`."""
    what = f"not {encoding} ({error})"
    if isinstance(error, UnicodeDecodeError):  # its object ends where reading has got to
        offset = end - len(error.object) + error.start
        what = f"byte 0x{error.object[error.start]:02x} at offset {offset} is not {encoding}"
    otherwise = (
        "name the file's `encoding` (latin-1, gb18030, …), learn its `bytes`, or leave such files"
        " out with `skip_undecodable`"
    )
    return UndecodableError(what, where=source.name, way_out=advice(head, encoding, otherwise))


def takes_mark(encoding: str) -> bool:
    """Whether the encoding's own decoder drops a byte-order mark at the start, as it writes one."""
    return "".encode(encoding) != b""


def without_mark(text: Iterable[str]) -> Iterator[str]:
    """Drop a byte-order mark at the start."""
    first = True
    for chunk in text:
        yield chunk.removeprefix(BYTE_ORDER_MARK) if first else chunk
        first = first and not chunk


def unix_newlines(text: Iterable[str]) -> Iterator[str]:
    """CRLF becomes LF, also where a chunk ends between the two; a lone CR stays."""
    held = ""
    for chunk in text:
        chunk = held + chunk
        held = "\r" if chunk.endswith("\r") else ""
        yield chunk[: len(chunk) - len(held)].replace("\r\n", "\n")
    yield held
