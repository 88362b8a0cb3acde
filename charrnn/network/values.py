"""Arrays that note what is done to them.

A `Value` stands for an array of the network. It carries an example, zeros of the right shape
and type, so that a cell may ask for shapes; what is computed with values is noted on the
`Tape` as an operation

    [name, [numbers of the values it takes], parameters]

whose own number is its place in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from charrnn.cells import arrays
from charrnn.errors import ConfigError

Operation = list
"""[name, inputs, parameters]: a string, a list of numbers, and plain data."""
ELEMENTWISE = ("maximum", "minimum", "mod", "sigmoid", "sign", "softplus", "sqrt", "square", "tanh")
OTHERS = ("matmul", "transpose", "zeros_like")


class Tape:
    """The operations so far."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def note(
        self, name: str, inputs: Sequence[Value], example: np.ndarray, parameters: object = None
    ) -> Value:
        """Note an operation and return its result."""
        self.operations.append([name, [each.number for each in inputs], parameters])
        return Value(self, len(self.operations) - 1, example)

    def value(self, thing: object) -> Value:
        """The value itself, or a constant of that number or array."""
        if isinstance(thing, Value):
            return thing
        data = np.asarray(thing, np.float32)
        return self.note("constant", [], data, data.tolist())


class Value:
    """An array of the recorded network."""

    __array_ufunc__ = None  # an array of NumPy's on the left leaves the operation to us

    def __init__(self, tape: Tape, number: int, example: np.ndarray) -> None:
        self.tape, self.number, self.example = tape, number, example

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes, with a batch of one text."""
        return self.example.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the entries."""
        return self.example.dtype

    def __len__(self) -> int:
        return len(self.example)

    def __add__(self, other: object) -> Value:
        return binary("add", self, other)

    def __radd__(self, other: object) -> Value:
        return binary("add", other, self)

    def __sub__(self, other: object) -> Value:
        return binary("subtract", self, other)

    def __rsub__(self, other: object) -> Value:
        return binary("subtract", other, self)

    def __mul__(self, other: object) -> Value:
        return binary("multiply", self, other)

    def __rmul__(self, other: object) -> Value:
        return binary("multiply", other, self)

    def __truediv__(self, other: object) -> Value:
        return binary("divide", self, other)

    def __rtruediv__(self, other: object) -> Value:
        return binary("divide", other, self)

    def __neg__(self) -> Value:
        return binary("subtract", 0.0, self)

    def __getitem__(self, index: object) -> Value:
        places = index if isinstance(index, tuple) else (index,)
        if Ellipsis in places:
            here = places.index(Ellipsis)
            missing = len(self.shape) - sum(each is not None for each in places) + 1
            places = (*places[:here], *[slice(None)] * missing, *places[here + 1 :])
        sizes = iter(self.shape)
        data = [plain(each, 0 if each is None else next(sizes)) for each in places]
        return self.tape.note("index", [self], self.example[places], data)


def binary(name: str, left: object, right: object) -> Value:
    """An operation of two values, or of a value and a number or array."""
    tape = next(each.tape for each in (left, right) if isinstance(each, Value))
    a, b = tape.value(left), tape.value(right)
    with np.errstate(all="ignore"):  # the examples are zeros
        return tape.note(name, [a, b], getattr(np, name)(a.example, b.example))


def plain(index: object, size: int) -> object:
    """One place of an index as data: a number, [start, stop], or "new" for a new axis.

    A slice of a part of an axis, of that size, says where it ends; [None, None] is a whole axis.
    """
    if index is None:
        return "new"
    if isinstance(index, slice):
        if index.step is not None:
            raise ConfigError(f"a slice with a step, {index}, cannot be recorded")
        start, stop = (None if each is None else int(each) for each in (index.start, index.stop))
        return [start or None, size if start and stop is None else stop]
    if not isinstance(index, (int, np.integer)):
        raise ConfigError(f"an index of {type(index).__name__} cannot be recorded")
    return int(index)


class RecordingOps:
    """`charrnn.types.ArrayOps` for values.

    Raises:
        ConfigError: A cell asks for a function that is not among the array functions.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __getattr__(self, name: str) -> Callable[..., Value]:
        if name not in ELEMENTWISE + OTHERS:
            raise ConfigError(f"the array function '{name}' cannot be recorded")
        return lambda *inputs: self._noted(name, *inputs)

    def _noted(self, name: str, *inputs: object) -> Value:
        values = [self._tape.value(each) for each in inputs]
        with np.errstate(all="ignore"):
            example = getattr(arrays, name)(*(each.example for each in values))
        return self._tape.note(name, values, example)

    def concatenate(self, xs: Sequence[object], axis: int) -> Value:
        """Values, numbers or arrays one after the other along an axis."""
        values = [self._tape.value(each) for each in xs]
        example = np.concatenate([each.example for each in values], axis)
        return self._tape.note("concatenate", values, example, axis)

    def mean(self, x: Value, axis: int, keepdims: bool) -> Value:
        """The mean along an axis; without `keepdims` that axis is then dropped by an index."""
        mean = self._tape.note("mean", [x], x.example.mean(axis, keepdims=True), axis)
        before = (slice(None),) * (axis % len(x.shape))
        return mean if keepdims else mean[(*before, 0)]

    def split(self, x: Value, sections: int, axis: int) -> list[Value]:
        """Equal parts along an axis, a slice for each."""
        width = x.shape[axis] // sections
        before = (slice(None),) * (axis % len(x.shape))
        starts = range(0, sections * width, width)
        return [x[(*before, slice(start, start + width))] for start in starts]

    def take(self, x: object, indices: object, axis: int) -> Value:
        """The rows of a table of these numbers."""
        if axis != 0:
            raise ConfigError(f"rows are taken along axis 0; axis {axis} cannot be recorded")
        table, rows = self._tape.value(x), self._tape.value(indices)
        return self._tape.note("take", [table, rows], table.example[rows.example.astype(int)])
