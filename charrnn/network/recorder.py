"""From a network's configuration to its step as plain data."""

from collections.abc import Iterable
from functools import partial
from typing import TypedDict, cast

import numpy as np

from charrnn.config import ModelConfig
from charrnn.errors import ConfigError
from charrnn.network.activity import NotingOps, open_gates
from charrnn.network.instant import tabulated
from charrnn.network.stack import Stack, run_step
from charrnn.network.values import Operation, RecordingOps, Tape, Value
from charrnn.network.weights import specify, state_names, state_widths
from charrnn.types import Array, ArrayOps, State

INPUTS = ("ids", "state")


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
    """The step of a network, made by running its own lines on values that note them.

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
    table = tabulated(config, vocabulary_size)
    ops = NotingOps(RecordingOps(tape))
    stack = Stack(cast(ArrayOps, ops), config, weights, table=table)
    stack.layers = [layer._replace(cell=ops.watched(layer.cell)) for layer in stack.layers]
    ids = tape.note("ids", [], np.zeros(batch, np.int32))
    widths = dict(zip(state_names(config), state_widths(config), strict=True))
    state = tuple(
        tape.note("state", [], np.zeros((batch, width), np.float32), name)
        for name, width in widths.items()
    )
    gates: dict[str, Value] = {}
    features, after = stack.features(ids, state, partial(run_noting, ops, gates))
    outputs = [tape.value(each).number for each in (stack.logits(features), *after)]
    outputs += [value.number for value in gates.values()]
    prepare, step, numbers = arranged(tape.operations, outputs)
    return {
        "weights": {name: list(value.shape) for name, value in weights.items()},
        "states": widths,
        "prepare": prepare,
        "step": step,
        "logits": numbers[0],
        "state": numbers[1 : 1 + len(widths)],
        "gates": dict(zip(gates, numbers[1 + len(widths) :], strict=True)),
    }


def run_noting(
    ops: NotingOps, seen: dict[str, Value], stack: Stack, place: int, read: Array, state: State
) -> tuple[Array, State]:
    """A `Run` of a single time step that notes the gates' values by name."""
    ops.noted.clear()
    y, after = run_step(stack, place, read, state)
    found = open_gates(stack.layers[place].cell, ops.noted, y.shape)
    seen.update({f"layers.{place}.{name}": value for name, value in found.items()})
    return y, after


def arranged(
    operations: list[Operation], outputs: list[int]
) -> tuple[list[Operation], list[Operation], list[int]]:
    """The operations that the outputs need: those computed once, those of a step, the outputs."""
    varying = depending(operations)
    used = needed(operations, outputs)
    once = [number for number in sorted(used) if number not in varying]
    step = [number for number in sorted(used) if number in varying]
    places = {number: place for place, number in enumerate([*once, *step])}

    def renumbered(numbers: Iterable[int]) -> list[Operation]:
        chosen = (operations[number] for number in numbers)
        return [[name, [places[each] for each in inputs], more] for name, inputs, more in chosen]

    return renumbered(once), renumbered(step), [places[number] for number in outputs]


def depending(operations: list[Operation]) -> set[int]:
    """The operations whose results differ from character to character."""
    varying: set[int] = set()
    for number, (name, inputs, _) in enumerate(operations):
        if name in INPUTS or varying.intersection(inputs):
            varying.add(number)
    return varying


def needed(operations: list[Operation], outputs: list[int]) -> set[int]:
    """The operations without which the outputs cannot be computed."""
    used, open_ends = set(outputs), list(outputs)
    while open_ends:
        fresh = set(operations[open_ends.pop()][1]) - used
        used |= fresh
        open_ends += fresh
    return used
