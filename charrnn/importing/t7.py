"""Torch 7's binary files: tables, objects and tensors, as `torch.save` of Lua wrote them.

A value is its type (int32) and what that needs, little-endian. Tables and objects have a number;
where it comes again, the same one is meant. An object of a class that is not a tensor or storage
is a table of its fields.
"""

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

import numpy as np

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN, FUNCTION = range(7)
CLOSURES = (7, 8)
"""Functions that have a number, as a table has; 7 is what early versions wrote."""
LARGEST_DEPTH = 10_000
"""A network of 64 layers has some hundred tables inside one another for each."""
CLASS_OF_TABLE = "table"
DTYPES = {
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "Byte": "u1",
    "Char": "i1",
    "Short": "<i2",
    "Int": "<i4",
    "Long": "<i8",
}
"""Of the numbers in a storage; those of the GPU's storages are the same."""

Value = Union[None, bool, float, bytes, "Object", "Tensor", np.ndarray]


@dataclass(eq=False)
class Object:
    """A table, or an object with its fields."""

    kind: str
    """Its class, or "table"."""
    fields: "dict[Value, Value]" = field(default_factory=dict)

    def get(self, name: str) -> Value:
        """The field of that name; None where there is none."""
        return self.fields.get(name.encode())

    def object(self, name: str) -> "Object":
        """A field that has to be a table or an object."""
        value = self.get(name)
        if not isinstance(value, Object):
            raise ValueError(f"its {self.kind} has no {name}")
        return value

    def items(self) -> "Iterator[Value]":
        """The values under the keys 1, 2, …"""
        number = 1
        while number in self.fields:
            yield self.fields[number]
            number += 1


@dataclass(eq=False)
class Tensor:
    """A view of a storage."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    """Of the first number, from 0."""
    storage: Value = None

    def array(self, name: str) -> np.ndarray:
        """The numbers, float32; ValueError where they do not lie in the storage in their order."""
        size, strides = 1, list[int]()
        for each in reversed(self.sizes):
            strides.insert(0, size)
            size *= each
        ordered = all(
            own == wanted or extent == 1
            for own, wanted, extent in zip(self.strides, strides, self.sizes, strict=True)
        )
        storage = self.storage
        if not (self.sizes and ordered and isinstance(storage, np.ndarray)):
            raise ValueError(f"its {name} is not laid out as a tensor's numbers are")
        if min(self.sizes) < 1 or self.start < 0 or self.start + size > storage.size:
            raise ValueError(f"its {name} reaches beyond its storage")
        with np.errstate(over="ignore"):  # what is infinite is refused later
            numbers = storage[self.start : self.start + size].astype(np.float32)
        return numbers.reshape(self.sizes)

    @property
    def extent(self) -> tuple[int, int, int]:
        """Which storage it lies in, and from where to where."""
        return id(self.storage), self.start, self.start + math.prod(self.sizes)


@dataclass
class Unfinished:
    """A table, object or tensor of which so many values are still to come."""

    owner: "Object | Tensor"
    missing: int
    key: Value = None
    has_key: bool = False

    def add(self, value: Value) -> None:
        """Take the next of its values."""
        self.missing -= 1
        if isinstance(self.owner, Tensor):
            self.owner.storage = value
        elif self.owner.kind != CLASS_OF_TABLE:
            if not isinstance(value, Object):
                raise ValueError(f"its {self.owner.kind} has no fields")
            self.owner.fields = value.fields
        elif self.has_key:
            self.owner.fields[self.key], self.has_key = value, False
        else:
            if isinstance(value, np.ndarray):
                raise ValueError("a storage is the key of a table")
            self.key, self.has_key = value, True


def read_t7(data: bytes) -> Value:
    """The value in a file; ValueError where it cannot be one."""
    return Reader(data).read()


class Reader:
    """Reads values one after the other; what is unfinished lies on a stack of its own."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self._known: dict[int, Value] = {}
        self._stack: list[Unfinished] = []

    def read(self) -> Value:
        """The value, with all that is in it."""
        whole = Object(CLASS_OF_TABLE)
        self._stack = [Unfinished(whole, 1, b"", True)]
        while self._stack:
            top = self._stack[-1]
            if not top.missing:
                self._stack.pop()
                continue
            top.add(self._value())
            if len(self._stack) > LARGEST_DEPTH:
                raise ValueError("its tables are nested too deeply")
        if self._place != len(self._data):
            raise ValueError("it has bytes that belong to nothing")
        return whole.fields[b""]

    def _value(self) -> Value:
        """A value's beginning: what is in it is asked for next."""
        kind = self._int()
        if kind == NIL:
            return None
        if kind == NUMBER:
            return float(struct.unpack("<d", self._take(8))[0])
        if kind == BOOLEAN:
            return self._int() == 1
        if kind == STRING:
            return self._string()
        if kind == FUNCTION:
            return self._function()
        if kind not in (TABLE, TORCH, *CLOSURES):
            raise ValueError(f"it has a value of type {kind}, which Torch 7 does not know")
        number = self._int()
        if number not in self._known:
            begin = {TABLE: self._table, TORCH: self._object}
            self._known[number] = begin.get(kind, self._function)()
        return self._known[number]

    def _function(self) -> Object:
        """Code, which is passed over, and the values that it refers to."""
        self._string()
        passed_over = Object(CLASS_OF_TABLE)
        self._stack.append(Unfinished(passed_over, 1, b"", True))
        return passed_over

    def _table(self) -> Object:
        pairs = self._int()
        if not 0 <= pairs <= (len(self._data) - self._place) // 8:
            raise ValueError("it is cut short, or a table in it is larger than the file")
        return self._open(Object(CLASS_OF_TABLE), 2 * pairs)

    def _object(self) -> Value:
        kind = self._string()
        if kind.startswith(b"V "):
            kind = self._string()
        name = kind.decode("latin-1")
        if not re.fullmatch(r"[\w.]{1,60}", name, re.ASCII):
            raise ValueError("it has an object whose class has no name")
        module, _, own = name.partition(".")
        if module == "torch" and own.endswith("Storage"):
            return self._storage(own.removesuffix("Storage"))
        if module == "torch" and own.endswith("Tensor"):
            return self._tensor()
        return self._open(Object(name), 1)

    def _open(self, owner: Object, missing: int) -> Object:
        self._stack.append(Unfinished(owner, missing))
        return owner

    def _storage(self, kind: str) -> np.ndarray:
        name = re.sub("^(Cuda|Cl)", "", kind) or "Float"
        if name not in DTYPES:
            raise ValueError(f"it has numbers of a type {kind}, which is not known")
        dtype = np.dtype(DTYPES[name])
        return np.frombuffer(self._take(self._longs(1)[0], dtype.itemsize), dtype)

    def _tensor(self) -> Tensor:
        axes = self._int()
        sizes, strides = self._longs(axes), self._longs(axes)
        tensor = Tensor(sizes, strides, self._longs(1)[0] - 1)
        self._stack.append(Unfinished(tensor, 1))
        return tensor

    def _string(self) -> bytes:
        return self._take(self._int())

    def _int(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _longs(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{max(count, 0)}q", self._take(count, 8))

    def _take(self, count: int, size: int = 1) -> bytes:
        """The next bytes; ValueError where the file has fewer."""
        if not 0 <= count <= (len(self._data) - self._place) // size:
            raise ValueError("it is cut short, or something in it is larger than the file")
        begin, self._place = self._place, self._place + count * size
        return self._data[begin : self._place]
