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
Index = int | slice | None
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

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Value:
        places = index if isinstance(index, tuple) else (index,)
        return self.tape.note(
            "index", [self], self.example[index], [plain(each) for each in places]
        )


def binary(name: str, left: object, right: object) -> Value:
    """An operation of two values, or of a value and a number or array."""
    tape = next(each.tape for each in (left, right) if isinstance(each, Value))
    a, b = tape.value(left), tape.value(right)
    return tape.note(name, [a, b], getattr(np, name)(a.example, b.example))


def plain(index: Index) -> object:
    """One place of an index as data: a number, [start, stop], or "new" for a new axis."""
    if index is None:
        return "new"
    if isinstance(index, slice):
        if index.step is not None:
            raise ConfigError(f"a slice with a step, {index}, cannot be recorded")
        return [index.start, index.stop]
    if not isinstance(index, int):
        raise ConfigError(f"an index of {type(index).__name__} cannot be recorded")
    return index


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
        example = getattr(arrays, name)(*(each.example for each in values))
        return self._tape.note(name, values, example)

    def concatenate(self, xs: Sequence[Value], axis: int) -> Value:
        """Noted with its axis."""
        example = np.concatenate([each.example for each in xs], axis)
        return self._tape.note("concatenate", xs, example, axis)

    def mean(self, x: Value, axis: int, keepdims: bool) -> Value:
        """Noted with its axis; the axis always stays."""
        assert keepdims, "a mean that drops its axis cannot be recorded"
        return self._tape.note("mean", [x], x.example.mean(axis, keepdims=True), axis)

    def split(self, x: Value, sections: int, axis: int) -> list[Value]:
        """A slice for each part."""
        width = x.shape[axis] // sections
        before = (slice(None),) * (axis % len(x.shape))
        starts = range(0, sections * width, width)
        return [x[(*before, slice(start, start + width))] for start in starts]

    def take(self, x: Value, indices: Value, axis: int) -> Value:
        """Rows of a table."""
        assert axis == 0, "only rows can be recorded"
        return self._tape.note("take", [x, indices], x.example[indices.example])
