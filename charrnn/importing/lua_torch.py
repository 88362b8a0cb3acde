"""Torch 7's binary files: tables, objects and tensors, as `torch.save` of Lua wrote them.

A value is its type (int32) and what that needs, little-endian. Tables and objects have a number;
where it comes again, the same one is meant. An object of a class that is not a tensor or storage
is a table of its fields.
"""

import re
import struct
import zipfile
from bisect import bisect, insort
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Union

import numpy as np

from charrnn.checked_json import quote_name

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
            raise ValueError(f"its {quote_name(name)} is not laid out as a tensor's numbers are")
        if tied and key in storage.arrays:
            return storage.arrays[key]
        count, axes = prod(self.sizes), list(zip(self.sizes, self.strides, strict=True))
        last = sum((size - 1) * step for size, step in axes)
        dense = min((*self.sizes, 1)) > 0 and all(step > 0 for size, step in axes if size > 1)
        if not dense or last != count - 1:
            raise ValueError(f"its {quote_name(name)} is not laid out as a tensor's numbers are")
        if self.start < 0 or self.start + count > storage.data.size:
            raise ValueError(f"its {quote_name(name)} reaches beyond its storage")
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
        raise ValueError(f"it lacks {quote_name(name)}") from None
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{quote_name(name)} in it is compressed or encrypted")
    if info.file_size != info.compress_size:
        raise ValueError(f"{quote_name(name)} in it is not of the size that it says")
    return archive.read(info)


NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN, FUNCTION = range(7)
CLOSURES = (7, 8)
"""Functions that have a number, as a table has; 7 is what early versions wrote."""
LARGEST_DEPTH = 10_000
"""A network of 64 layers has some hundred tables inside one another for each."""
CUT = "it is cut short, or something in it is larger than the file"

Value = Union[None, bool, float, bytes, "Object", View, Storage]


@dataclass(eq=False)
class Object:
    """A table, an object with its fields, or a function without them."""

    kind: str
    """Its class, "table" or "function"."""
    fields: dict[Value, Value] = field(default_factory=dict)

    def get(self, name: str) -> Value:
        """The field of that name; None where there is none."""
        return self.fields.get(name.encode())

    def object(self, name: str) -> "Object":
        """A field that has to be a table or an object."""
        value = self.get(name)
        if not isinstance(value, Object):
            raise ValueError(f"its {self.kind} has no {name}")
        return value

    def array(self, name: str) -> np.ndarray:
        """A field that has to be a tensor, as float32."""
        value = self.get(name)
        if not isinstance(value, View):
            raise ValueError(f"its {self.kind} has no {name}")
        return value.array(f"{self.kind}.{name}")

    def items(self) -> Iterator[Value]:
        """The values under the keys 1, 2, …"""
        number = 1
        while number in self.fields:
            yield self.fields[number]
            number += 1


Reading = Generator[None, Value, Value]
"""Yields where it needs the next value, and returns its own."""


class Reader:
    """Reads the value in a file's bytes. What is unfinished lies on a stack, not on Python's."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self._known: dict[int, Object | View | Storage] = {}

    def read(self) -> Value:
        """The value, with all that is in it; ValueError where the file cannot have one."""
        stack, value = [self._value()], None
        while stack:
            try:
                stack[-1].send(value)
                stack.append(self._value())
                value = None
            except StopIteration as done:
                stack.pop()
                value = done.value
            if len(stack) > LARGEST_DEPTH:
                raise ValueError("its tables are nested too deeply")
        if self._place != len(self._data):
            raise ValueError("it has bytes that belong to nothing")
        return value

    def _value(self) -> Reading:
        kind = self._int()
        if kind == NIL:
            return None
        if kind == NUMBER:
            return float(struct.unpack("<d", self._take(8))[0])
        if kind == BOOLEAN:
            return self._int() == 1
        if kind == STRING:
            return self._take(self._int())
        if kind == FUNCTION:
            return (yield from self._filled(self._begun(kind)))
        if kind not in (TABLE, TORCH, *CLOSURES):
            raise ValueError(f"it has a value of type {kind}, which Torch 7 does not know")
        number = self._int()
        if number in self._known:
            return self._known[number]
        self._known[number] = self._begun(kind)
        return (yield from self._filled(self._known[number]))

    def _begun(self, kind: int) -> Object | View | Storage:
        """A table, object or tensor without what is in it. A function's code is passed over."""
        if kind == TABLE:
            return Object("table")
        name = self._take(self._int())
        if kind != TORCH:
            return Object("function")
        if name.startswith(b"V "):
            name = self._take(self._int())
        if not re.fullmatch(rb"[\w.]{1,60}", name):
            raise ValueError("it has an object whose class has no name")
        own = re.fullmatch(rb"torch\.(?:Cuda|Cl)?(\w*)(Storage|Tensor)", name)
        if not own:
            return Object(name.decode())
        return self._storage(own[1].decode() or "Float") if own[2] == b"Storage" else self._tensor()

    def _filled(self, made: Object | View | Storage) -> Reading:
        """The same with what is in it."""
        if isinstance(made, View):
            made.storage = yield
        elif isinstance(made, Object) and made.kind == "table":
            pairs = self._int()
            if not 0 <= pairs <= (len(self._data) - self._place) // 8:
                raise ValueError(CUT)
            for _ in range(pairs):
                key = yield
                made.fields[key] = yield
        elif isinstance(made, Object):
            inner = yield
            if made.kind != "function" and not isinstance(inner, Object):
                raise ValueError(f"its {made.kind} has no fields")
            made.fields = inner.fields if isinstance(inner, Object) else {}
        return made

    def _storage(self, kind: str) -> Storage:
        if kind not in DTYPES:
            raise ValueError(f"it has numbers of a type {kind}, which is not known")
        dtype = np.dtype(DTYPES[kind])
        return Storage(np.frombuffer(self._take(self._longs(1)[0], dtype.itemsize), dtype))

    def _tensor(self) -> View:
        axes = self._int()
        sizes, strides = self._longs(axes), self._longs(axes)
        return View(None, self._longs(1)[0] - 1, sizes, strides)

    def _int(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _longs(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{max(count, 0)}q", self._take(count, 8))

    def _take(self, count: int, size: int = 1) -> bytes:
        """The next bytes; ValueError where the file has fewer."""
        if not 0 <= count <= (len(self._data) - self._place) // size:
            raise ValueError(CUT)
        begin, self._place = self._place, self._place + count * size
        return self._data[begin : self._place]
