"""What a network computes inside while it reads a text: states and gates by name."""

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from typing import cast

import numpy as np

from charrnn.cells import Cell, arrays
from charrnn.cells.activations import Activation
from charrnn.config import ModelConfig
from charrnn.network.stack import Stack, run_step
from charrnn.network.weights import LOGITS_BIAS, state_widths
from charrnn.sampling.instant import tabulated
from charrnn.types import Array, ArrayOps, State, Tensors, Weights

GATES = ("sigmoid", "recurrent_activation")
"""What makes a gate, in a cell that does not name its gates."""


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
    """NumPy's array functions, which note what the activation functions among them return."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, np.ndarray]] = []
        """Name of the function and its result, call after call."""
        self.sigmoid = self._noting("sigmoid", arrays.sigmoid)
        self.tanh = self._noting("tanh", arrays.tanh)

    def __getattr__(self, name: str) -> Callable[..., np.ndarray]:
        function: Callable[..., np.ndarray] = getattr(arrays, name)
        return function

    def watched(self, cell: Cell) -> Cell:
        """The cell, with the functions chosen for it noted too: each once, whatever is in it."""
        cell = copy(cell)
        for name in ("activation", "recurrent_activation"):
            chosen: Activation | None = getattr(cell, name, None)
            if chosen is not None:
                plain = lambda ops, x, function=chosen.function: function(arrays, x)  # noqa: E731
                setattr(cell, name, chosen._replace(function=self._noting(name, plain)))
        return cell

    def _noting(self, name: str, function: Callable[..., Array]) -> Callable[..., np.ndarray]:
        def noting(*arguments: object) -> np.ndarray:
            result: np.ndarray = function(*arguments)
            self.noted.append((name, result))
            return result

        return noting


def gates(
    cell: Cell, noted: list[tuple[str, np.ndarray]], shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """The gates [B, U] of one step by name; the shape tells a gate where the cell names none."""
    if cell.gate_names:
        return {name: value for name, (_, value) in zip(cell.gate_names, noted, strict=False)}
    found = [value for name, value in noted if name in GATES and value.shape == shape]
    return {f"gate_{number}": value for number, value in enumerate(found)}
