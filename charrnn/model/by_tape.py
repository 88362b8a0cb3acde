"""The step of any other cell, differentiated by machine."""

from collections.abc import Callable, Mapping

from charrnn.cells import Cell
from charrnn.errors import ConfigError
from charrnn.model.backend import tf
from charrnn.model.ops import TensorOps
from charrnn.model.steps import Parts, Step, gradient_of_product
from charrnn.types import State, Tensor


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
    def zero_sums(self) -> Parts:
        return tuple(tf.zeros_like(vector) for vector in self._vectors.values())

    def forward(self, t: Tensor, state: State) -> tuple[State, Parts]:
        ops = NotedProducts()
        state = self.cell.step(ops, self._z(t), state, self.weights)
        self._matrices = [self._name(matrix) for matrix in ops.matrices]
        return state, tuple(ops.products)

    def backward(
        self, t: Tensor, saved: Parts, before: State, after: State, d_after: State, summed: Parts
    ) -> tuple[State, Parts, Parts]:
        ops, z = ReplayedProducts(saved), self._z(t)
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
        self, history: Parts, step_gradients: Parts, summed: Parts
    ) -> tuple[Tensor, dict[str, Tensor]]:
        d_z, *rest = step_gradients
        factors, d_products = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        by_name = dict(zip(self._vectors, summed, strict=True))
        by_name["bias"] = tf.reduce_sum(d_z, [0, 1])
        for name, factor, d_product in zip(self._matrices, factors, d_products, strict=True):
            gradient = gradient_of_product(factor, d_product)
            by_name[name] = by_name[name] + gradient if name in by_name else gradient
        unused = self.weights.keys() - by_name.keys()
        by_name |= {name: tf.zeros_like(self.weights[name]) for name in unused}
        return d_z, {name: by_name[name] for name in self.weights}

    def _z(self, t: Tensor) -> Tensor:
        return self.z[t] + self.weights["bias"]

    def _name(self, matrix: Tensor) -> str:
        for name, value in self.weights.items():
            if value is matrix:
                return name
        raise ConfigError(
            "its step multiplies with a matrix that is none of its prepared weights",
            {"cell": self.cell.name},
            way_out="make that matrix in the cell's method prepare",
        )


class NotedProducts(TensorOps):
    """The array functions, with note taken of every product."""

    def __init__(self) -> None:
        self.matrices: list[Tensor] = []
        self.products: list[Tensor] = []

    def matmul(self, factor: Tensor, matrix: Tensor) -> Tensor:  # type: ignore[override]
        self.matrices.append(matrix)
        self.products.append(tf.matmul(factor, matrix))
        return self.products[-1]


class ReplayedProducts(TensorOps):
    """The array functions, with the products that `NotedProducts` noted, in its order."""

    def __init__(self, recorded: Parts) -> None:
        self.factors: list[Tensor] = []
        self.products: list[Tensor] = []
        self._recorded = iter(recorded)

    def matmul(self, factor: Tensor, matrix: Tensor) -> Tensor:  # type: ignore[override]
        @tf.custom_gradient
        def again(factor: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
            return tf.identity(recorded), lambda d: tf.matmul(d, matrix, transpose_b=True)

        recorded = next(self._recorded)
        self.factors.append(factor)
        self.products.append(again(factor))
        return self.products[-1]
