"""The network in NumPy, a character at a time: for sampling, and to see its states and gates.

Nothing is compiled. Weights are used where they lie, so that a memory-mapped checkpoint is read
as it is needed.
"""

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from typing import Any, cast

import numpy as np

from charrnn.cells import Cell, arrays
from charrnn.cells.base import Activation
from charrnn.config import ModelConfig
from charrnn.network.stack import Stack, run_step
from charrnn.network.weights import LOGITS_BIAS, state_widths
from charrnn.types import Array, ArrayOps, State, Tensors, Weights

TABLE_ENTRIES = 1 << 18
"""Up to this size the first layer's input products of all characters are computed once."""
GATES = ("sigmoid", "recurrent_activation")
"""Functions that make a gate: their values lie between 0 and 1."""


def instant_stack(ops: ArrayOps, config: ModelConfig, weights: Weights) -> Stack:
    columns = config.make_cell().gates * config.layer_units[0]
    table = len(weights[LOGITS_BIAS]) * columns <= TABLE_ENTRIES
    return Stack(ops, config, weights, table=table)


def zero_state(config: ModelConfig, batch_size: int) -> State:
    return tuple(np.zeros((batch_size, units), np.float32) for units in state_widths(config))


class InstantNetwork:
    """An engine (see `charrnn.sampling.engines`) that imports no framework."""

    takes_any_size = True

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config = config
        self._stack = instant_stack(arrays, config, weights)
        self.start(1)

    def start(self, count: int) -> None:
        self.state = zero_state(self._config, count)

    def select(self, rows: np.ndarray) -> None:
        self.state = tuple(part[rows] for part in self.state)

    def read(self, ids: np.ndarray) -> np.ndarray:
        for row in ids:
            features, self.state = self._stack.features(row, self.state, run_step)
        return self._stack.logits(features)


def activity(config: ModelConfig, weights: Weights, ids: np.ndarray) -> Tensors:
    """Return the states and gates of all layers after each character.

    Args:
        config: The network's shape.
        weights: Its weights.
        ids: int [T], read one after the other from the zero state.

    Returns:
        Arrays [T, U] by name, such as `layers.1.h`.
    """
    ops = ObservingOps(arrays)
    stack = ops.observed_stack(config, weights)
    seen: dict[str, list[np.ndarray]] = defaultdict(list)

    def run(stack: Stack, place: int, read: Array, state: State) -> tuple[Array, State]:
        ops.calls.clear()
        y, after = run_step(stack, place, read, state)
        cell = stack.layers[place].cell
        parts = dict(zip(cell.state_names, after, strict=True))
        for name, value in (parts | ops.gates(cell, y.shape)).items():
            seen[f"layers.{place + 1}.{name}"].append(np.array(value[0]))
        return y, after

    state = zero_state(config, 1)
    for each in ids[:, None]:
        _, state = stack.features(each, state, run)
    return {name: np.stack(values) for name, values in seen.items()}


class ObservingOps:
    """Array functions that keep the results of sigmoid, tanh and the activations chosen.

    Args:
        ops: NumPy's functions, or others.
    """

    def __init__(self, ops: object) -> None:
        self._ops = ops
        self.calls: list[tuple[str, Any]] = []
        """Name and result of each call."""
        self.sigmoid = self._observe("sigmoid", getattr(ops, "sigmoid"))  # noqa: B009
        self.tanh = self._observe("tanh", getattr(ops, "tanh"))  # noqa: B009

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self._ops, name)
        return function

    def observed_stack(self, config: ModelConfig, weights: Weights) -> Stack:
        stack = instant_stack(cast(ArrayOps, self), config, weights)
        stack.layers = [each._replace(cell=self._observed_cell(each.cell)) for each in stack.layers]
        return stack

    def gates(self, cell: Cell, shape: tuple[int, ...], *, only_gates: bool = False) -> dict:
        """The gates of the last step by name, [B, U].

        Args:
            cell: The cell. One that names no gates has those calls that returned `shape`.
            shape: Of the cell's output.
            only_gates: Leave out the new values, which `gate_names` names too.
        """
        if cell.gate_names:
            named = zip(cell.gate_names, self.calls, strict=False)
            return {name: x for name, (kind, x) in named if kind in GATES or not only_gates}
        found = [x for kind, x in self.calls if kind in GATES and x.shape == shape]
        return {f"gate_{number}": value for number, value in enumerate(found)}

    def _observed_cell(self, cell: Cell) -> Cell:
        """The cell with its activations observed: each once, whatever it calls itself."""
        cell = copy(cell)
        for name in ("activation", "recurrent_activation"):
            chosen: Activation | None = getattr(cell, name, None)
            if chosen is not None:
                plain = lambda ops, x, function=chosen.function: function(self._ops, x)  # noqa: E731
                setattr(cell, name, chosen._replace(function=self._observe(name, plain)))
        return cell

    def _observe(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def observed(*arguments: object) -> Any:
            result = function(*arguments)
            self.calls.append((name, result))
            return result

        return observed
