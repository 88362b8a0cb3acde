"""Characters on their way to disk: the first pass of encoding."""

import hashlib
from pathlib import Path

import numpy as np

from charrnn.text.vocabulary import CODE_POINTS, code_points

WIDTHS = (np.uint8, np.uint16, np.uint32)
WIDER = ".wider"
BLOCK = 1 << 18
UNSEEN = CODE_POINTS


class Spool:
    """Characters on their way to disk, numbered in the order of their first appearance."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.width = 0
        self.length = 0
        self.seen: list[int] = []  # code points by provisional id
        self._ids = np.full(CODE_POINTS, UNSEEN, np.uint32)
        self._hash = hashlib.sha256()
        path.write_bytes(b"")

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """The integers of the file."""
        return WIDTHS[self.width]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the characters so far, as UTF-8."""
        return self._hash.hexdigest()

    def add(self, text: str) -> None:
        """Append the characters."""
        self._hash.update(text.encode("utf-8", "surrogatepass"))
        codes = code_points(text)
        ids = np.take(self._ids, codes)
        if (ids == UNSEEN).any():
            self._number(codes[ids == UNSEEN])
            ids = np.take(self._ids, codes)
        with self.path.open("ab") as file:
            file.write(ids.astype(self.dtype).tobytes())
        self.length += len(ids)

    def _number(self, codes: np.ndarray) -> None:
        new = np.unique(codes)
        self._ids[new] = np.arange(len(self.seen), len(self.seen) + len(new))
        self.seen.extend(new.tolist())
        self.make_room(len(self.seen) - 1)

    def make_room(self, largest: int) -> None:
        """Widen the file's integers until they hold the number."""
        while largest > np.iinfo(self.dtype).max:
            self._widen()

    def _widen(self) -> None:
        wider = self.path.with_suffix(WIDER)
        narrow = self.dtype
        self.width += 1
        with self.path.open("rb") as source, wider.open("wb") as target:
            while block := source.read(BLOCK):
                target.write(np.frombuffer(block, narrow).astype(self.dtype).tobytes())
        wider.replace(self.path)
