"""The step of any other cell, differentiated by machine."""

from collections.abc import Callable, Iterator, Mapping

from charrnn.cells import Cell
from charrnn.tf.backend import tf
from charrnn.tf.ops import TensorOps
from charrnn.tf.steps import Parts, Step, gradient_of_product
from charrnn.types import State, Tensor


class ByTape(Step):
    """Any products; the gradient comes from a tape over the step, run again with its products.

    A product with a whole weight has its gradient go on to its left factor inside the loop,
    but not to the weight: the factors and the products' gradients are kept for one large
    product after the loop. Whatever else a step does with a weight, its gradient is added up
    inside the loop: that of a vector, and of a matrix that is cut, turned or multiplied
    elementwise.
    """

    def __init__(self, cell: Cell, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        super().__init__(cell, z, weights)
        self._in_products: list[str] = []
        self._elsewhere: list[str] = []

    def zero_sums(self, state: State) -> Parts:
        self._elsewhere = self._used_elsewhere(state)
        return tuple(tf.zeros_like(self.weights[name]) for name in self._elsewhere)

    def forward(self, t: Tensor, state: State) -> tuple[State, Parts]:
        ops = NotedProducts(self.weights)
        state = self.cell.step(ops, self._z(t), state, self.weights)
        self._in_products = ops.names
        return state, tuple(ops.products)

    def backward(
        self, t: Tensor, saved: Parts, before: State, after: State, d_after: State, summed: Parts
    ) -> tuple[State, Parts, Parts]:
        own = {name: tf.identity(self.weights[name]) for name in self._elsewhere}
        ops, z = ReplayedProducts({**self.weights, **own}, saved), self._z(t)
        with tf.GradientTape() as tape:
            tape.watch((z, before, own))
            again = self.cell.step(ops, z, before, ops.weights)
        d_z, d_state, d_own, d_products = tape.gradient(
            again,
            (z, before, list(own.values()), ops.products),
            d_after,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        summed = tuple(a + b for a, b in zip(summed, d_own, strict=True))
        return d_state, (d_z, *ops.factors, *d_products), summed

    def gradients(
        self, history: Parts, step_gradients: Parts, summed: Parts
    ) -> tuple[Tensor, dict[str, Tensor]]:
        total: dict[str, Tensor] = {}
        for name, share in self._shares(step_gradients, summed):
            total[name] = total[name] + share if name in total else share
        unused = self.weights.keys() - total.keys()
        total |= {name: tf.zeros_like(self.weights[name]) for name in unused}
        return step_gradients[0], {name: total[name] for name in self.weights}

    def _shares(self, step_gradients: Parts, summed: Parts) -> Iterator[tuple[str, Tensor]]:
        """What each use of a weight adds to its gradient, by the weight's name."""
        d_z, *rest = step_gradients
        factors, d_products = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        yield from zip(self._elsewhere, summed, strict=True)
        yield "bias", tf.reduce_sum(d_z, [0, 1])
        for name, factor, d_product in zip(self._in_products, factors, d_products, strict=True):
            yield name, gradient_of_product(factor, d_product)

    def _used_elsewhere(self, state: State) -> list[str]:
        """The weights that a step uses in any other way than whole in a product."""
        own = {name: tf.identity(weight) for name, weight in self.weights.items()}
        with tf.GradientTape() as tape:
            tape.watch(own)
            after = self.cell.step(NotedProducts(own), self._z(0), state, own)
        gradients = tape.gradient(after, own)
        return [name for name, gradient in gradients.items() if gradient is not None]

    def _z(self, t: Tensor) -> Tensor:
        return self.z[t] + self.weights["bias"]


class WholeProducts(TensorOps):
    """The array functions, with products of rows and a whole weight set apart.

    Args:
        weights: The weights that a step takes, by name.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights = weights

    def whole(self, factor: Tensor, matrix: Tensor) -> str | None:
        """The name of the weight that rows [B, …] are multiplied with; None for other products."""
        names = (name for name, weight in self.weights.items() if weight is matrix)
        return next(names, None) if len(factor.shape) == 2 else None


class NotedProducts(WholeProducts):
    """Whole products are noted, and no gradient goes through them to the weight."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__(weights)
        self.names: list[str] = []
        self.products: list[Tensor] = []

    def matmul(self, factor: Tensor, matrix: Tensor) -> Tensor:  # type: ignore[override]
        name = self.whole(factor, matrix)
        if name is None:
            return super().matmul(factor, matrix)
        self.names.append(name)
        self.products.append(tf.matmul(factor, tf.stop_gradient(matrix)))
        return self.products[-1]


class ReplayedProducts(WholeProducts):
    """Whole products are those that `NotedProducts` noted, in its order."""

    def __init__(self, weights: Mapping[str, Tensor], recorded: Parts) -> None:
        super().__init__(weights)
        self.factors: list[Tensor] = []
        self.products: list[Tensor] = []
        self._recorded = iter(recorded)

    def matmul(self, factor: Tensor, matrix: Tensor) -> Tensor:  # type: ignore[override]
        @tf.custom_gradient
        def again(factor: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
            return tf.identity(recorded), lambda d: tf.matmul(d, matrix, transpose_b=True)

        if self.whole(factor, matrix) is None:
            return super().matmul(factor, matrix)
        recorded = next(self._recorded)
        self.factors.append(factor)
        self.products.append(again(factor))
        return self.products[-1]
