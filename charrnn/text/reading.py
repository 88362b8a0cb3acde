"""Bytes to characters, a chunk at a time, losing nothing in silence."""

import codecs
import lzma
import zlib
from collections.abc import Iterable, Iterator

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.sources import Source

CHUNK_BYTES = 1 << 16
BYTE_ORDER_MARK = "\ufeff"


def read(source: Source, config: TextConfig) -> Iterator[str]:
    """The source's characters in chunks; bytes as U+0000 to U+00FF at byte level."""
    if config.bytes:
        return (chunk.decode("latin-1") for chunk in chunks(source))
    text = without_mark(decode(source, config.encoding))
    return text if config.keep_newlines else unix_newlines(text)


def chunks(source: Source) -> Iterator[bytes]:
    """The source's bytes; CorpusError where it cannot be opened or is damaged."""
    try:
        with source.open() as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise CorpusError(f"damaged compressed file ({error})", where=source.name) from error
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        raise CorpusError(why, where=source.name) from error


def decode(source: Source, encoding: str) -> Iterator[str]:
    """Characters in the encoding; CorpusError with the offset of the first bad byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    for chunk, last in marked_last(chunks(source)):
        offset += len(chunk)
        try:
            text = decoder.decode(chunk, last)
        except UnicodeError as error:
            raise undecodable(source, encoding, offset, error) from error
        if "\0" in text:
            raise CorpusError(
                "holds NUL characters and looks like a binary file",
                where=source.name,
                way_out="use `bytes`, or name its `encoding` (utf-16?)",
            )
        yield text


def marked_last(items: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each item with False, then an empty one with True."""
    for item in items:
        yield item, False
    yield b"", True


def undecodable(source: Source, encoding: str, end: int, error: UnicodeError) -> CorpusError:
    """The error for bytes that are not valid in the encoding, read up to offset `end`."""
    what = f"not {encoding} ({error})"
    if isinstance(error, UnicodeDecodeError):  # its object ends where reading has got to
        offset = end - len(error.object) + error.start
        what = f"byte 0x{error.object[error.start]:02x} at offset {offset} is not {encoding}"
    way_out = "name the file's `encoding` (latin-1, gb18030, …), or model `bytes`"
    return CorpusError(what, where=source.name, way_out=way_out)


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
