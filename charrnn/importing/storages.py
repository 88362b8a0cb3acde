"""Tensors as views of storages, as Torch 7 and PyTorch keep them, and zip archives."""

import zipfile
from bisect import bisect, insort
from dataclasses import dataclass, field
from math import prod

import numpy as np

from charrnn.checked_json import quoted

DTYPES = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "Long": "<i8", "Int": "<i4"}
DTYPES |= {"Short": "<i2", "Byte": "u1", "Char": "i1", "Bool": "?"}
"""Of the numbers in a storage, by what precedes "Storage" in its class."""


@dataclass(eq=False)
class Storage:
    """Numbers that tensors are views of. Each number is read at most once."""

    data: np.ndarray
    count: int = 0
    """How many numbers the file says that there are, where it says so before they come."""
    extents: list[tuple[int, int]] = field(default_factory=list)
    """What has been read, in order: from the first number to the one after the last."""
    arrays: dict[object, np.ndarray] = field(default_factory=dict)
    """What has been read, by start, sizes and strides."""

    def fill(self, data: bytes) -> None:
        """Take the numbers; ValueError where they are not as many as the file says."""
        if len(data) != self.count * self.data.itemsize:
            raise ValueError("it is cut short, or a storage is not of the size that it says")
        self.data = np.frombuffer(data, self.data.dtype)

    def claim(self, begin: int, end: int) -> None:
        """Note what is read; ValueError where it has been read before."""
        place = bisect(self.extents, (begin, end))
        beside = self.extents[max(place - 1, 0) : place + 1]
        if any(begin < other_end and other < end for other, other_end in beside):
            raise ValueError("two of its weights lie in the same place")
        insort(self.extents, (begin, end))


@dataclass(eq=False)
class View:
    """A tensor: a view of a storage."""

    storage: object
    start: int
    """Of the first number, from 0."""
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, name: str, tied: bool = False) -> np.ndarray:
        """The numbers, float32, of a tensor that fills a part of its storage.

        With `tied`, another tensor may be the same view. ValueError where it was read before.
        """
        storage, key = self.storage, (self.start, self.sizes, self.strides)
        if not isinstance(storage, Storage) or len(self.sizes) != len(self.strides):
            raise ValueError(f"its {quoted(name)} is not laid out as a tensor's numbers are")
        if tied and key in storage.arrays:
            return storage.arrays[key]
        count, axes = prod(self.sizes), list(zip(self.sizes, self.strides, strict=True))
        last = sum((size - 1) * step for size, step in axes)
        dense = min((*self.sizes, 1)) > 0 and all(step > 0 for size, step in axes if size > 1)
        if not dense or last != count - 1:
            raise ValueError(f"its {quoted(name)} is not laid out as a tensor's numbers are")
        if self.start < 0 or self.start + count > storage.data.size:
            raise ValueError(f"its {quoted(name)} reaches beyond its storage")
        storage.claim(self.start, self.start + count)
        steps = tuple(step * storage.data.itemsize * (size > 1) for size, step in axes)
        numbers = storage.data[self.start : self.start + count]
        view = np.lib.stride_tricks.as_strided(numbers, self.sizes, steps)
        return storage.arrays.setdefault(key, view.astype(np.float32))


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a file in a zip archive, which have the checksum that the archive states.

    ValueError where it is compressed: neither PyTorch nor Keras compresses.
    """
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it lacks {quoted(name)}") from None
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{quoted(name)} in it is compressed or encrypted")
    if info.file_size != info.compress_size:
        raise ValueError(f"{quoted(name)} in it is not of the size that it says")
    return archive.read(info)
