"""Safetensors files that describe themselves, and whose every byte is verified.

The header's metadata has one entry, under a key of ours: JSON that describes the tensors.
Among what it says are two CRC-32: `header_crc32` of the header's bytes, where its own digits
count as dashes, and `tensors_crc32` of all bytes after the header. So the description can be
verified without reading the tensors, which may be many gigabytes.
"""

import json
import math
import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors.numpy import save as serialize

from charrnn.checked_json import filled, parse, quoted, table, typed
from charrnn.files import write_atomically
from charrnn.types import Tensors

HEADER_SUM, TENSORS_SUM = "header_crc32", "tensors_crc32"
HEADER_BLANK, TENSORS_BLANK = b"--------", b"========"
LENGTH = 8
"""Bytes before the header, which tell its length."""
DTYPES = {"BOOL": np.dtype(bool)} | {
    f"{letter}{8 * size}": np.dtype(f"<{kind}{size}")
    for letter, kind, sizes in (
        ("U", "u", (1, 2, 4, 8)),
        ("I", "i", (1, 2, 4, 8)),
        ("F", "f", (2, 4, 8)),
    )
    for size in sizes
}
"""Types of tensors by the names that safetensors gives them."""
LONGEST_HEADER = 1 << 24
"""Bytes; every character of Unicode fits. A longer one is a stranger's, and is not read."""
MOST_TENSORS = 1 << 15
"""A checkpoint has a few dozen, and as many again for each worker."""


class StrangerError(ValueError):
    """A safetensors file without our entry."""


@dataclass(frozen=True)
class Entry:
    """What a header says of a tensor."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]
    """Where it begins and ends among the bytes after the header."""


@dataclass(frozen=True)
class TensorFile:
    """A file's contents. The tensors are views of its data."""

    description: dict[str, object]
    tensors: Tensors
    header: bytes
    data: np.ndarray
    """All bytes after the header, uint8."""

    def check_header(self) -> None:
        """Raise ValueError where the header, and so the description, was altered."""
        stated = stated_sum(self.description, HEADER_SUM)
        header = self.header.replace(stated.encode(), HEADER_BLANK, 1)
        if stated != digits(header):
            raise ValueError("its description does not match its checksum")

    def check_tensors(self) -> None:
        """Raise ValueError where a tensor was altered; this reads them all."""
        if stated_sum(self.description, TENSORS_SUM) != digits(self.data.data):
            raise ValueError("its tensors do not match their checksum")


def write(path: Path, key: str, description: Mapping[str, object], tensors: Tensors) -> None:
    """Write the file so that at any moment the old one or the new one is there."""
    write_atomically(path, packed(key, description, tensors))


def packed(key: str, description: Mapping[str, object], tensors: Tensors) -> bytes:
    """The whole file, with its checksums."""
    sums = {HEADER_SUM: HEADER_BLANK.decode(), TENSORS_SUM: TENSORS_BLANK.decode()}
    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    plain = serialize(arrays, {key: json.dumps({**sums, **description})})
    start = header_end(plain)
    header, data = plain[LENGTH:start], memoryview(plain)[start:]
    header = header.replace(TENSORS_BLANK, digits(data).encode(), 1)
    header = header.replace(HEADER_BLANK, digits(header).encode(), 1)
    return b"".join((plain[:LENGTH], header, data))


def read(path: Path, key: str, *, mapped: bool = False) -> TensorFile:
    """A file's contents; ValueError where it is cut short or is not laid out as it says.

    Args:
        path: The file.
        key: The name of our entry in its metadata.
        mapped: Leave the tensors on disk until they are used.

    Raises:
        StrangerError: The file is sound, but without our entry.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")  # one would wait for a pipe for ever
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = header_end(file.read(LENGTH))
        if start > size:
            raise ValueError("it is cut short, or its header is")
        if start > LONGEST_HEADER:
            raise ValueError(f"its header promises {start:,} bytes, more than any checkpoint's has")
        header = file.read(start - LENGTH)
        layout = table(parse(header), "the header")
        metadata = table(layout.pop("__metadata__", {}), "the metadata")
        entries = checked(layout, size - start)
        data = np.memmap(file, np.uint8, "r", offset=start) if mapped else whole(file)
    tensors = {name: view(data, entry) for name, entry in entries.items()}
    if key not in metadata:
        raise StrangerError("another kind of file")
    description = parse(typed(str, metadata[key], "the description"))
    return TensorFile(table(description, "the description"), tensors, header, data)


def whole(file: BinaryIO) -> np.ndarray:
    """What is left of a file, in memory."""
    return np.fromfile(file, np.uint8)


def header_end(data: bytes) -> int:
    """Where the header ends, as the file's first bytes say."""
    if len(data) < LENGTH:
        raise ValueError("it is cut short")
    return LENGTH + int.from_bytes(data[:LENGTH], "little")


def checked(layout: Mapping[str, object], size: int) -> dict[str, Entry]:
    """The tensors' entries by name; ValueError unless they fill so many bytes, one by one."""
    if len(layout) > MOST_TENSORS:
        raise ValueError(f"it has {len(layout):,} tensors, more than any checkpoint")
    entries = {name: filled(Entry, each, quoted(name)) for name, each in layout.items()}
    entries = dict(sorted(entries.items(), key=lambda item: item[1].data_offsets))
    place = 0
    for name, entry in entries.items():
        begin, end = entry.data_offsets
        if begin != place or not begin <= end <= size:
            raise ValueError(f"{quoted(name)} is not where the header says")
        check_size(entry, name)
        place = end
    if place != size:
        raise ValueError(f"it has {size - place} bytes that belong to no tensor")
    return entries


def check_size(entry: Entry, name: str) -> None:
    """ValueError unless a tensor's bytes are as many as its type and sizes ask for."""
    dtype, (begin, end) = DTYPES.get(entry.dtype), entry.data_offsets
    if dtype is None:
        raise ValueError(f"{quoted(name)} is of the type {quoted(entry.dtype)}, which is not known")
    if min(entry.shape, default=0) < 0 or math.prod(entry.shape) * dtype.itemsize != end - begin:
        raise ValueError(f"{quoted(name)} is not of the size that the header says")


def view(data: np.ndarray, entry: Entry) -> np.ndarray:
    """A tensor's bytes as what its entry says that they are."""
    part = data[slice(*entry.data_offsets)]
    return np.asarray(part.view(DTYPES[entry.dtype])).reshape(entry.shape)


def stated_sum(description: Mapping[str, object], name: str) -> str:
    """A checksum as the description states it."""
    return str(typed(str, description.get(name), name))


def digits(data: bytes | memoryview) -> str:
    """CRC-32 of the bytes, as eight hexadecimal digits."""
    return f"{zlib.crc32(data):08x}"
