"""The weights of a layer: those that its cell names, started and held as Keras's arguments say."""

import random
from collections.abc import Callable

import numpy as np

from charrnn.cells import Cell, Weight
from charrnn.types import Tensor

ROLES = ("kernel", "recurrent", "bias")


def role(name: str) -> str | None:
    """Which of Keras's arguments are meant for a weight: one of `ROLES`, or none.

    Some cells have weights that no stock layer has; such a weight starts as the cell says.
    """
    if name.endswith("bias"):
        return "bias"
    if name.startswith("recurrent"):
        return "recurrent"
    return "kernel" if name == "kernel" else None


def as_in_keras(weight: Weight) -> Callable[..., Tensor]:
    """A cell's own initializer, drawn from the seed of `keras.utils.set_random_seed`."""

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
        rng = np.random.default_rng(random.getrandbits(64))
        return weight.initializer(rng, tuple(shape)).astype(dtype or "float32")

    return initialize


def specify(cell: Cell, inputs: int, units: int, use_bias: bool) -> dict[str, Weight]:
    """The weights of a layer by name, with or without those that are biases."""
    specified = cell.weights(inputs, units)
    return {name: each for name, each in specified.items() if use_bias or role(name) != "bias"}
