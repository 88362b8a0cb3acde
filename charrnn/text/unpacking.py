"""Files of one or several compressed streams, of which none may be damaged.

`bz2.open` and `lzma.open` take a damaged stream after a whole one for the end of the file: what
follows would be lost in silence. `gzip.open` refuses it.
"""

import bz2
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO

PACKED_BYTES = 1 << 16
PADDING = b"\0"
"""May stand after a stream."""


def open_bz2(path: Path) -> IO[bytes]:
    return io.BufferedReader(Unpacked(path, bz2.BZ2Decompressor))


def open_xz(path: Path) -> IO[bytes]:
    return io.BufferedReader(Unpacked(path, lzma.LZMADecompressor))


class Unpacked(io.RawIOBase):
    """The uncompressed bytes of a file.

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
