"""A time step of a cell as a trial, before anything is learnt with it."""

from collections.abc import Callable

import numpy as np

from charrnn.cells.base import RECURRENT_KERNEL, Cell, Differentiated
from charrnn.errors import CharrnnError, ConfigError
from charrnn.types import Array, ArrayOps, State

BATCH = 2
BY_HAND = {"kernel", "bias", RECURRENT_KERNEL, "recurrent_bias"}
"""What a `Differentiated` cell may prepare: its gradient knows of no other weights."""


def try_cell(
    cell: Cell, inputs: int, units: int, library: str, ops: ArrayOps, array: Callable = np.asarray
) -> None:
    """Run one time step on zeros.

    Args:
        cell: The cell.
        inputs: D.
        units: U.
        library: What the array functions are called in the message.
        ops: The array functions.
        array: From an array of NumPy's to one that `ops` takes.

    Raises:
        ConfigError: The step fails, or what it returns is not the state after.
    """
    state = tuple(array(np.zeros((BATCH, units), np.float32)) for _ in cell.state_names)
    try:
        with np.errstate(all="ignore"):
            after = first_step(cell, inputs, ops, array, state)
    except CharrnnError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        why = f"its first time step fails in {library}: {type(error).__name__}: {reason}"
        raise ConfigError(why, {"cell": cell.name}, way_out=IN_CLASS) from error
    if wrong := flaw(cell, state, after):
        raise ConfigError(f"in {library} {wrong}", {"cell": cell.name}, way_out=IN_CLASS)


IN_CLASS = "correct its class"


def first_step(cell: Cell, inputs: int, ops: ArrayOps, array: Callable, state: State) -> object:
    """What `step` returns for weights and inputs of zeros."""
    zeros = {
        name: array(np.zeros(weight.shape, np.float32))
        for name, weight in cell.weights(inputs, state[0].shape[1]).items()
    }
    weights = cell.prepare(ops, zeros)
    if isinstance(cell, Differentiated) and not weights.keys() <= BY_HAND:
        names = ", ".join(sorted(weights.keys() - BY_HAND))
        why = f"a Differentiated cell has no gradient for other weights, such as {names}"
        raise ConfigError(why, {"cell": cell.name}, way_out="make it a subclass of Cell")
    x = array(np.zeros((BATCH, inputs), np.float32))
    z = ops.matmul(x, weights.pop("kernel")) + weights["bias"]
    return cell.step(ops, z, state, weights)


def flaw(cell: Cell, before: State, after: object) -> str:
    """What is wrong with a step's result, in words; empty where nothing is."""
    names = cell.state_names
    wanted = f"its step must return a tuple of {len(names)}, ({', '.join(names)})"
    if not isinstance(after, tuple):
        return f"{wanted}, not {type(after).__name__}"
    if len(after) != len(names):
        return f"{wanted}, not of {len(after)}"
    for name, old, new in zip(names, map(as_array, before), map(as_array, after), strict=True):
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            return f"its step must return {name} as {told(old)}, not as {told(new)}"
    return ""


def as_array(part: Array) -> np.ndarray:
    """Any array as one of NumPy's."""
    return np.asarray(part)


def told(array: np.ndarray) -> str:
    """Type and shape in words."""
    return f"{array.dtype} {list(array.shape)}"
