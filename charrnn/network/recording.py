"""A network's step as plain data, recorded by running its lines on arrays that note operations.

A `Value` stands for an array of the network. It carries an example, zeros of the right shape
and type, so that a cell may ask for shapes; what is computed with values is noted on the
`Tape` as an operation

    [name, [numbers of the values it takes], parameters]

whose own number is its place in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

import numpy as np

from charrnn.cells import arrays
from charrnn.config import ModelConfig
from charrnn.errors import ConfigError
from charrnn.network.instant import ObservingOps
from charrnn.network.stack import Stack, run_step
from charrnn.network.weights import specify, state_names, state_widths
from charrnn.types import Array, State

Operation = list
"""[name, inputs, parameters]: a string, a list of numbers, and plain data."""
ELEMENTWISE = ("maximum", "minimum", "mod", "sigmoid", "sign", "softplus", "sqrt", "square", "tanh")
OTHERS = ("matmul", "transpose", "zeros_like")
INPUTS = ("ids", "state")


class Tape:
    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def note(
        self, name: str, inputs: Sequence[Value], example: np.ndarray, parameters: object = None
    ) -> Value:
        self.operations.append([name, [each.number for each in inputs], parameters])
        return Value(self, len(self.operations) - 1, example)

    def value(self, thing: object) -> Value:
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
        return self.example.shape

    @property
    def dtype(self) -> np.dtype:
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
        data = [index_as_data(each, 0 if each is None else next(sizes)) for each in places]
        return self.tape.note("index", [self], self.example[places], data)


def binary(name: str, left: object, right: object) -> Value:
    tape = next(each.tape for each in (left, right) if isinstance(each, Value))
    a, b = tape.value(left), tape.value(right)
    with np.errstate(all="ignore"):  # the examples are zeros
        return tape.note(name, [a, b], getattr(np, name)(a.example, b.example))


def index_as_data(index: object, size: int) -> object:
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
        return lambda *inputs: self._record(name, *inputs)

    def _record(self, name: str, *inputs: object) -> Value:
        values = [self._tape.value(each) for each in inputs]
        with np.errstate(all="ignore"):
            example = getattr(arrays, name)(*(each.example for each in values))
        return self._tape.note(name, values, example)

    def concatenate(self, xs: Sequence[object], axis: int) -> Value:
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
        if axis != 0:
            raise ConfigError(f"rows are taken along axis 0; axis {axis} cannot be recorded")
        table, rows = self._tape.value(x), self._tape.value(indices)
        return self._tape.note("take", [table, rows], table.example[rows.example.astype(int)])


class Recording(TypedDict):
    """A network's step for B texts: plain data, which JSON keeps as it is.

    The operations are numbered through both lists, `prepare` first; each is
    [name, [numbers of the values it takes], parameters]. What the operations mean stands in
    `charrnn.network.interpreter`.
    """

    weights: dict[str, list[int]]
    """The shape of every weight by name."""
    states: dict[str, int]
    """The width of every part of the state by name, in order; a text starts with zeros."""
    prepare: list[Operation]
    """What depends on the weights alone, to be computed once."""
    step: list[Operation]
    """What is computed for every character; `ids` are the characters read, [B]."""
    logits: int
    """The number of the value that is the logits, [B, V]."""
    state: list[int]
    """The numbers of the values that are the new state, in the order of `states`."""
    gates: dict[str, int]
    """The numbers of the gates' values [B, U], by their names in `LanguageModel.states`."""


def record(config: ModelConfig, vocabulary_size: int) -> Recording:
    """Return the step of a network, recorded by running its own lines on values that note them.

    Args:
        config: The network's shape, with any cell that is registered.
        vocabulary_size: V, the unknown symbol included.

    Returns:
        The operations of a step, for any number of texts.

    Raises:
        ConfigError: The cell uses a function or an index that cannot be recorded, or its
            equations differ with the number of texts.
    """
    recording = record_batch(config, vocabulary_size, batch=1)
    if recording != record_batch(config, vocabulary_size, batch=2):
        raise ConfigError(
            "its step differs with the number of texts and cannot be recorded",
            {"cell": config.cell},
        )
    return recording


def record_batch(config: ModelConfig, vocabulary_size: int, batch: int) -> Recording:
    """The step for an example of so many texts."""
    tape = Tape()
    weights = {
        name: tape.note("weight", [], np.zeros(each.shape, np.float32), name)
        for name, each in specify(config, vocabulary_size).items()
    }
    ops = ObservingOps(RecordingOps(tape))
    stack = ops.observed_stack(config, weights)
    ids = tape.note("ids", [], np.zeros(batch, np.int32))
    widths = dict(zip(state_names(config), state_widths(config), strict=True))
    state = tuple(
        tape.note("state", [], np.zeros((batch, width), np.float32), name)
        for name, width in widths.items()
    )
    gates: dict[str, Value] = {}

    def run(stack: Stack, place: int, read: Array, state: State) -> tuple[Array, State]:
        ops.calls.clear()
        y, after = run_step(stack, place, read, state)
        found = ops.gates(stack.layers[place].cell, y.shape, only_gates=True)
        gates.update({f"layers.{place + 1}.{name}": value for name, value in found.items()})
        return y, after

    features, after = stack.features(ids, state, run)
    outputs = [tape.value(each).number for each in (stack.logits(features), *after)]
    outputs += [value.number for value in gates.values()]
    prepare, step, numbers = prune(tape.operations, outputs)
    return {
        "weights": {name: list(value.shape) for name, value in weights.items()},
        "states": widths,
        "prepare": prepare,
        "step": step,
        "logits": numbers[0],
        "state": numbers[1 : 1 + len(widths)],
        "gates": dict(zip(gates, numbers[1 + len(widths) :], strict=True)),
    }


def prune(
    operations: list[Operation], outputs: list[int]
) -> tuple[list[Operation], list[Operation], list[int]]:
    """Return the operations that the outputs need, those computed once and those of a step, and
    the outputs' new numbers."""
    varying: set[int] = set()
    for number, (name, inputs, _) in enumerate(operations):
        if name in INPUTS or varying.intersection(inputs):
            varying.add(number)
    used, unvisited = set(outputs), list(outputs)
    while unvisited:
        fresh = set(operations[unvisited.pop()][1]) - used
        used |= fresh
        unvisited += fresh
    once, step = sorted(used - varying), sorted(used & varying)
    places = {number: place for place, number in enumerate([*once, *step])}

    def renumbered(numbers: Iterable[int]) -> list[Operation]:
        chosen = (operations[number] for number in numbers)
        return [[name, [places[each] for each in inputs], more] for name, inputs, more in chosen]

    return renumbered(once), renumbered(step), [places[number] for number in outputs]
