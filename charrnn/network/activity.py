"""What a network computes inside while it reads a text: states and gates by name."""

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from typing import Any, cast

import numpy as np

from charrnn.cells import Cell, arrays
from charrnn.cells.activations import Activation
from charrnn.config import ModelConfig
from charrnn.network.instant import tabulated
from charrnn.network.stack import Stack, run_step
from charrnn.network.weights import LOGITS_BIAS, state_widths
from charrnn.types import Array, ArrayOps, State, Tensors, Weights

GATES = ("sigmoid", "recurrent_activation")
"""What makes a gate: functions whose values lie between 0 and 1."""
Noted = list[tuple[str, Any]]
"""Names of functions and their results, call after call."""


def activity(config: ModelConfig, weights: Weights, ids: np.ndarray) -> Tensors:
    """The states and gates of all layers after each character.

    Args:
        config: The network's shape.
        weights: Its weights.
        ids: int [T], read one after the other from the zero state.

    Returns:
        Arrays [T, U] by name, such as `layers.0.h`.
    """
    ops = NotingOps()
    table = tabulated(config, len(weights[LOGITS_BIAS]))
    stack = Stack(cast(ArrayOps, ops), config, weights, table=table)
    stack.layers = [layer._replace(cell=ops.watched(layer.cell)) for layer in stack.layers]
    seen: dict[str, list[np.ndarray]] = defaultdict(list)

    def run(stack: Stack, place: int, read: Array, state: State) -> tuple[Array, State]:
        ops.noted.clear()
        y, after = run_step(stack, place, read, state)
        cell = stack.layers[place].cell
        parts = dict(zip(cell.state_names, after, strict=True))
        for name, value in (parts | gates(cell, ops.noted, y.shape)).items():
            seen[f"layers.{place}.{name}"].append(np.array(value[0]))
        return y, after

    state: State = tuple(np.zeros((1, units), np.float32) for units in state_widths(config))
    for each in ids[:, None]:
        _, state = stack.features(each, state, run)
    return {name: np.stack(values) for name, values in seen.items()}


class NotingOps:
    """Array functions, NumPy's or others, which note what the activation functions return."""

    def __init__(self, ops: object = arrays) -> None:
        self._ops = ops
        self.noted: Noted = []
        self.sigmoid = self._noting("sigmoid", getattr(ops, "sigmoid"))  # noqa: B009
        self.tanh = self._noting("tanh", getattr(ops, "tanh"))  # noqa: B009

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self._ops, name)
        return function

    def watched(self, cell: Cell) -> Cell:
        """The cell, with the functions chosen for it noted too: each once, whatever is in it."""
        cell = copy(cell)
        for name in ("activation", "recurrent_activation"):
            chosen: Activation | None = getattr(cell, name, None)
            if chosen is not None:
                plain = lambda ops, x, function=chosen.function: function(self._ops, x)  # noqa: E731
                setattr(cell, name, chosen._replace(function=self._noting(name, plain)))
        return cell

    def _noting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: object) -> Any:
            result = function(*arguments)
            self.noted.append((name, result))
            return result

        return noting


def gates(cell: Cell, noted: Noted, shape: tuple[int, ...]) -> dict[str, Any]:
    """The gates [B, U] of one step by name; the shape tells a gate where the cell names none.

    The names that a cell gives belong to the new values too, which the gates weigh.
    """
    if cell.gate_names:
        return {name: value for name, (_, value) in zip(cell.gate_names, noted, strict=False)}
    return open_gates(cell, noted, shape)


def open_gates(cell: Cell, noted: Noted, shape: tuple[int, ...]) -> dict[str, Any]:
    """Of what `gates` returns, that which lies between 0 and 1: how far each gate is open."""
    if cell.gate_names:
        named = zip(cell.gate_names, noted, strict=False)
        return {name: value for name, (function, value) in named if function in GATES}
    found = [value for function, value in noted if function in GATES and value.shape == shape]
    return {f"gate_{number}": value for number, value in enumerate(found)}
