"""Activation functions that a cell may leave to the user, with their derivatives."""

from collections.abc import Callable
from typing import NamedTuple

from charrnn.types import Array, ArrayOps

LEAK = 0.01
"""Slope of `leaky_relu` below zero (Maas et al. 2013)."""


class Activation(NamedTuple):
    """A function of x, and its derivative told from its value y; both take (ops, array)."""

    function: Callable[[ArrayOps, Array], Array]
    slope: Callable[[ArrayOps, Array], Array]

    def __call__(self, ops: ArrayOps, x: Array) -> Array:
        return self.function(ops, x)


ACTIVATIONS = {
    "tanh": Activation(lambda ops, x: ops.tanh(x), lambda ops, y: 1 - y * y),
    "relu": Activation(lambda ops, x: ops.maximum(x, 0), lambda ops, y: ops.sign(y)),
    "leaky_relu": Activation(
        lambda ops, x: ops.maximum(x, LEAK * x),
        lambda ops, y: (1 + LEAK) / 2 + (1 - LEAK) / 2 * ops.sign(y),
    ),
    "sigmoid": Activation(lambda ops, x: ops.sigmoid(x), lambda ops, y: y * (1 - y)),
    "hard_sigmoid": Activation(
        lambda ops, x: ops.minimum(ops.maximum(x / 6 + 0.5, 0), 1),
        lambda ops, y: ops.sign(y * (1 - y)) / 6,
    ),
}
