"""One time step of a cell and its gradient, as the scan's loops call them.

    state, saved = step.forward(t, state)
    d_state, kept, summed = step.backward(t, saved, before, after, d_after, summed)

`saved` is what `backward` wants to see again, a tensor for each time step. From `kept`, also a
tensor for each time step, `gradients` makes the gradients of z and of the matrices after
the loop, each as one large product; `summed` holds the gradients of vectors, added up on
the way. Shapes: T time, B batch, U units, G the cell's gates · U.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from charrnn.cells import Cell, Differentiated, State
from charrnn.model.backend import keras, tf

Tensor = Any
Tensors = tuple[Tensor, ...]

SPARE_COLUMNS = 16
"""Zeros beside U, so that its rows do not all start in the same few sets of the cache: at
U = 384 the product h U runs a tenth faster."""


class Step(ABC):
    """A cell with the input products x_t W [T, B, G] and its prepared weights."""

    def __init__(self, cell: Any, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        self.cell, self.z, self.weights = cell, z, weights

    @property
    def zero_sums(self) -> Tensors:
        """`summed` before the first call of `backward`."""
        return ()

    @abstractmethod
    def forward(self, t: Tensor, state: State) -> tuple[State, Tensors]:
        """The state after time t, and what to save."""

    @abstractmethod
    def backward(
        self, t: Tensor, saved: Tensors, before: State, after: State, d_after: State, summed: Any
    ) -> tuple[State, Tensors, Tensors]:
        """The gradient of the state before, what to keep, and the sums."""

    @abstractmethod
    def gradients(
        self, history: Tensors, kept: Tensors, summed: Tensors
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Gradients of z and of each weight by name, from every state [T + 1, B, U]."""


def step_of(cell: Cell, z: Tensor, weights: Mapping[str, Tensor]) -> Step:
    """The cell's step, with the gradient that its author wrote or one by machine."""
    if isinstance(cell, Differentiated):
        return ByHand(cell, z, weights)
    return ByTape(cell, z, weights)


class ByHand(Step):
    """One recurrent product; the gradient is the cell's own."""

    def __init__(self, cell: Differentiated, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        super().__init__(cell, z, weights)
        kernel = weights["recurrent_kernel"]
        self._width = kernel.shape[1]
        self._padded = tf.pad(kernel, [[0, 0], [0, SPARE_COLUMNS]])
        self._transposed = tf.transpose(kernel)

    def forward(self, t: Tensor, state: State) -> tuple[State, Tensors]:
        u = tf.matmul(state[0], self._padded)[:, : self._width]
        if "recurrent_bias" in self.weights:
            u = u + self.weights["recurrent_bias"]
        z = self.z[t] + self.weights["bias"]
        z_gates, u_gates = self.cell.arguments(keras.ops, z, u)
        state, saved = self.cell.forward(keras.ops, z_gates, u_gates, state)
        return state, saved

    def backward(
        self, t: Tensor, saved: Tensors, before: State, after: State, d_after: State, summed: Any
    ) -> tuple[State, Tensors, Tensors]:
        *gates, d_state = self.cell.backward(keras.ops, saved, before, after, d_after)
        kept = tuple(tf.concat(each, -1) for each in gates if each)
        d_u = kept[-1]
        d_state = (d_state[0] + tf.matmul(d_u, self._transposed), *d_state[1:])
        return d_state, kept, summed

    def gradients(
        self, history: Tensors, kept: Tensors, summed: Tensors
    ) -> tuple[Tensor, dict[str, Tensor]]:
        d_z, d_u = kept[0], kept[-1]
        by_name = {
            "bias": tf.reduce_sum(d_z, [0, 1]),
            "recurrent_kernel": gradient_of_product(history[0][:-1], d_u),
            "recurrent_bias": tf.reduce_sum(d_u, [0, 1]),
        }
        return d_z, {name: by_name[name] for name in self.weights}


class ByTape(Step):
    """Any products; the gradient comes from a tape over the step, run again with its products.

    A product's gradient goes on to its left factor inside the loop, but not to its matrix:
    the factors and the products' gradients are kept for one large product after the loop.
    """

    def __init__(self, cell: Cell, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        super().__init__(cell, z, weights)
        self._vectors = {
            name: value
            for name, value in weights.items()
            if name != "bias" and len(value.shape) == 1
        }
        self._matrices: list[str] = []

    @property
    def zero_sums(self) -> Tensors:
        return tuple(tf.zeros_like(vector) for vector in self._vectors.values())

    def forward(self, t: Tensor, state: State) -> tuple[State, Tensors]:
        ops = Recording()
        state = self.cell.step(ops, self._z(t), state, self.weights)
        self._matrices = [self._name(matrix) for matrix in ops.matrices]
        return state, tuple(ops.products)

    def backward(
        self, t: Tensor, saved: Tensors, before: State, after: State, d_after: State, summed: Any
    ) -> tuple[State, Tensors, Tensors]:
        ops, z = Replay(saved), self._z(t)
        vectors = {name: tf.identity(value) for name, value in self._vectors.items()}
        with tf.GradientTape() as tape:
            tape.watch((z, before, vectors))
            again = self.cell.step(ops, z, before, {**self.weights, **vectors})
        d_z, d_state, d_vectors, d_products = tape.gradient(
            again,
            (z, before, list(vectors.values()), ops.products),
            d_after,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        summed = tuple(a + b for a, b in zip(summed, d_vectors, strict=True))
        return d_state, (d_z, *ops.factors, *d_products), summed

    def gradients(
        self, history: Tensors, kept: Tensors, summed: Tensors
    ) -> tuple[Tensor, dict[str, Tensor]]:
        d_z, *rest = kept
        factors, d_products = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        by_name = dict(zip(self._vectors, summed, strict=True))
        by_name["bias"] = tf.reduce_sum(d_z, [0, 1])
        for name, factor, d_product in zip(self._matrices, factors, d_products, strict=True):
            gradient = gradient_of_product(factor, d_product)
            by_name[name] = by_name[name] + gradient if name in by_name else gradient
        return d_z, {name: by_name[name] for name in self.weights}

    def _z(self, t: Tensor) -> Tensor:
        return self.z[t] + self.weights["bias"]

    def _name(self, matrix: Tensor) -> str:
        return next(name for name, value in self.weights.items() if value is matrix)


class Recording:
    """`keras.ops`, with note taken of every product."""

    def __init__(self) -> None:
        self.matrices: list[Tensor] = []
        self.products: list[Tensor] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(keras.ops, name)

    def matmul(self, factor: Tensor, matrix: Tensor) -> Tensor:
        self.matrices.append(matrix)
        self.products.append(tf.matmul(factor, matrix))
        return self.products[-1]


class Replay:
    """`keras.ops`, with the products of a recording, in its order."""

    def __init__(self, recorded: Tensors) -> None:
        self.factors: list[Tensor] = []
        self.products: list[Tensor] = []
        self._recorded = iter(recorded)

    def __getattr__(self, name: str) -> Any:
        return getattr(keras.ops, name)

    def matmul(self, factor: Tensor, matrix: Tensor) -> Tensor:
        @tf.custom_gradient
        def again(factor: Tensor) -> Any:
            return tf.identity(recorded), lambda d: tf.matmul(d, matrix, transpose_b=True)

        recorded = next(self._recorded)
        self.factors.append(factor)
        self.products.append(again(factor))
        return self.products[-1]


def gradient_of_product(factors: Tensor, d_products: Tensor) -> Tensor:
    """The gradient of W [U, G] in all the products x_t W: Σ_t x_t^T d_t, from [T, B, …] each."""
    return tf.tensordot(factors, d_products, [[0, 1], [0, 1]])
