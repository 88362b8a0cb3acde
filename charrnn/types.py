"""The types that the parts of charrnn hand to one another.

Letters of shapes, here and in every docstring: B batch (texts side by side), T time, V
vocabulary, D inputs of a layer, U its units, G = gates · U.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


Tensor: TypeAlias = "tf.Tensor"
"""An array of TensorFlow's."""
Array: TypeAlias = "np.ndarray | tf.Tensor"
"""What a cell and the network's stack compute with: they know neither of the two."""
State = tuple[Array, ...]
"""The parts of a recurrent state, each [B, U]."""
Weights = Mapping[str, Array]
"""Weights by name."""
Tensors = dict[str, np.ndarray]
"""Weights, optimizer slots or states by name, as a checkpoint holds them."""
Shape = tuple[int | None, ...]
"""Sizes of an array; None where a size is free."""
PathLike = str | os.PathLike[str]
"""What names a file or folder."""


class ArrayOps(Protocol):
    """The array functions that a cell and the network's stack may use, beside + - * / and slices.

    `charrnn.cells.arrays` has them for NumPy, `keras.ops` for tensors, and
    `charrnn.network.recording` notes them down. Their meaning is NumPy's.
    """

    def concatenate(self, xs: Sequence[Array], axis: int, /) -> Array:
        """The arrays one after the other along an axis."""

    def split(self, x: Array, sections: int, axis: int, /) -> Sequence[Array]:
        """Equal parts along the last axis."""

    def matmul(self, x: Array, y: Array, /) -> Array:
        """The product of x [..., D] with a matrix [D, G]."""

    def transpose(self, x: Array, /) -> Array:
        """A matrix with its rows as columns."""

    def take(self, x: Array, indices: Array, axis: int, /) -> Array:
        """The rows of x of these numbers, where the axis is 0."""

    def mean(self, x: Array, axis: int, /, *, keepdims: bool) -> Array:
        """The mean along an axis."""

    def maximum(self, x: Array, y: Array | float, /) -> Array:
        """The larger of each two entries."""

    def minimum(self, x: Array, y: Array | float, /) -> Array:
        """The smaller of each two entries."""

    def mod(self, x: Array, y: Array, /) -> Array:
        """What is left of x after division by y."""

    def sigmoid(self, x: Array, /) -> Array:
        """1 / (1 + exp(-x)), which no x overflows."""

    def sign(self, x: Array, /) -> Array:
        """-1, 0 or 1."""

    def softplus(self, x: Array, /) -> Array:
        """log(1 + exp(x)), which no x overflows."""

    def sqrt(self, x: Array, /) -> Array:
        """The square root."""

    def square(self, x: Array, /) -> Array:
        """x ⊙ x."""

    def tanh(self, x: Array, /) -> Array:
        """The hyperbolic tangent."""

    def zeros_like(self, x: Array, /) -> Array:
        """Zeros of the shape and type of x."""


@dataclass(frozen=True)
class Score:
    """The mean negative log-likelihood of a text's characters, each given those before it."""

    characters: int
    nats_per_char: float
    unknown: int = 0
    """How many of the characters are outside the vocabulary."""

    @property
    def bits_per_char(self) -> float:
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp of the nats: among how many equal choices the model hesitates."""
        return math.exp(min(self.nats_per_char, 700.0))
