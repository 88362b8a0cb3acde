"""One time step of a cell and its gradient, as the scan's loops call them.

    state, saved = step.forward(t, state)
    d_state, step_gradients, summed = step.backward(t, saved, before, after, d_after, summed)

`saved` is what `backward` wants to see again, a tensor for each time step. From the
`step_gradients`, also a tensor for each time step, `gradients` makes the gradients of z and
of the matrices after the loop, each as one large product; `summed` holds the gradients that
are added up on the way, as those of vectors are.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping

from charrnn.cells import RECURRENT_KERNEL, Cell, Differentiated
from charrnn.tf.ops import TensorOps
from charrnn.tf.start import has_gpu, tf
from charrnn.types import State, Tensor

Parts = tuple[Tensor, ...]
OPS = TensorOps()
COLUMNS_FROM = 1 << 19
"""Numbers in U from which on columns pay: 2 MB in float32, a core's L2 where it was measured."""
LANES = 8
"""Columns want a batch that is a multiple of this: a vector of AVX2, half of one of AVX-512."""


class Step(ABC):
    """A cell in training, a time step after the other.

    Args:
        cell: The cell.
        z: The input products x_t W of all time steps, [T, B, G].
        weights: The cell's weights, prepared, and its bias.
    """

    def __init__(self, cell: Cell, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        self.cell, self.z, self.weights = cell, z, weights

    def zero_sums(self, state: State) -> Parts:
        """`summed` before the first call of `backward`, from any state, which gives the shapes."""
        return ()

    @staticmethod
    def transpose(tensor: Tensor) -> Tensor:
        """From [..., B, U] to what this step calls a state, and back."""
        return tensor

    @abstractmethod
    def forward(self, t: Tensor, state: State) -> tuple[State, Parts]:
        """One time step forward.

        Args:
            t: Which one.
            state: The state before, as `transpose` has it.

        Returns:
            The state after, and what to save for `backward`.
        """

    @abstractmethod
    def backward(
        self, t: Tensor, saved: Parts, before: State, after: State, d_after: State, summed: Parts
    ) -> tuple[State, Parts, Parts]:
        """One time step backward.

        Args:
            t: Which one.
            saved: What `forward` saved at this time.
            before: The state before it.
            after: The state after it.
            d_after: The gradient of the state after.
            summed: The gradients added up over the later time steps.

        Returns:
            The gradient of the state before, the step's gradients, and the sums with this
            time step's share.
        """

    @abstractmethod
    def gradients(
        self, history: Parts, step_gradients: Parts, summed: Parts
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The gradients after the loop.

        Args:
            history: Every state, [T + 1, B, U].
            step_gradients: Those of `backward`, [T, …] each.
            summed: The sums of `backward`.

        Returns:
            The gradients of z [T, B, G] and of each weight by name.
        """


def gradient_of_product(factors: Tensor, d_products: Tensor) -> Tensor:
    """The gradient of W [U, G] in all the products x_t W: Σ_t x_t^T d_t, from [T, B, …] each.

    One product that takes x transposed as it lies: tf.tensordot would copy it first.
    """
    return tf.matmul(rows_of(factors), rows_of(d_products), transpose_a=True)


def rows_of(tensor: Tensor) -> Tensor:
    """[T B, U] of a tensor [T, B, U]."""
    units = tensor.shape[-1]
    return tf.reshape(tensor, [-1, tf.shape(tensor)[-1] if units is None else units])


def time_steps(z: Tensor) -> "int | Tensor":
    """T of a tensor [T, …], as a number where it is known."""
    return z.shape[0] if z.shape[0] is not None else tf.shape(z)[0]


class ByHand(Step):
    """States [B, U], as everywhere else."""

    cell: Differentiated
    axis = -1
    """Where the units stand in a state, and the gates in z."""

    def __init__(self, cell: Differentiated, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        super().__init__(cell, z, weights)
        self._kernel = weights[RECURRENT_KERNEL]
        self._transposed = tf.transpose(self._kernel)

    def forward(self, t: Tensor, state: State) -> tuple[State, Parts]:
        """One time step forward.

        All is cut into gates before it is added: a sum that is cut afterwards is one that several
        gates share, and where nothing is saved XLA computes it number by number, not in vectors.
        """
        u = self.cell.split(OPS, self.product(state[0]), self.axis)
        u, z = self.plus("recurrent_bias", u), self.plus("bias", self.inputs(t))
        return self.cell.forward(OPS, *self.cell.arguments(z, u), state)

    def backward(
        self, t: Tensor, saved: Parts, before: State, after: State, d_after: State, summed: Parts
    ) -> tuple[State, Parts, Parts]:
        *gates, d_state = self.cell.backward(OPS, saved, before, after, d_after)
        step_gradients = tuple(self.join(each) for each in gates if each)
        d_state = (d_state[0] + self.product_back(step_gradients[-1]), *d_state[1:])
        return d_state, step_gradients, summed

    def gradients(
        self, history: Parts, step_gradients: Parts, summed: Parts
    ) -> tuple[Tensor, dict[str, Tensor]]:
        d_z, d_u = self.transpose(step_gradients[0]), self.transpose(step_gradients[-1])
        by_name = {
            "bias": tf.reduce_sum(d_z, [0, 1]),
            RECURRENT_KERNEL: gradient_of_product(self.transpose(history[0])[:-1], d_u),
            "recurrent_bias": tf.reduce_sum(d_u, [0, 1]),
        }
        return d_z, {name: by_name[name] for name in self.weights}

    def plus(self, bias: str, gates: Parts) -> Parts:
        """The gates with their part of a bias, where the cell has it."""
        if bias not in self.weights:
            return gates
        vectors = self.cell.split(OPS, self.vector(bias), self.axis)
        return tuple(gate + vector for gate, vector in zip(gates, vectors, strict=True))

    def inputs(self, t: Tensor) -> Parts:
        """z_t without its bias, for each gate: not cut out of z_t, but each out of z.

        Nor by z[t, :, start:end], which TensorFlow 2.21 compiles wrongly inside a loop.
        """
        units = self._kernel.shape[0]
        return tuple(self.cut(t, gate * units, units) for gate in range(self.cell.gates))

    def cut(self, t: Tensor, start: int, units: int) -> Tensor:
        """One gate of z_t."""
        _, batch, _ = self.z.shape
        batch = tf.shape(self.z)[1] if batch is None else batch
        return tf.slice(self.z, [t, 0, start], [1, batch, units])[0]

    def vector(self, name: str) -> Tensor:
        """A bias [G] as it is added to z or u."""
        return self.weights[name]

    def product(self, h: Tensor) -> Tensor:
        return tf.matmul(h, self._kernel)

    def product_back(self, d_u: Tensor) -> Tensor:
        return tf.matmul(d_u, self._transposed)

    def join(self, gates: Parts) -> Tensor:
        return tf.concat(gates, -1)


class InColumns(ByHand):
    """States [U, B] and z [G, B]: each sequence of the batch is a column, and u_t = U^T h.

    Such a product reads U^T once, row after row; h U reads U again for every few sequences,
    which costs most where U outgrows the cache. The numbers are the same, but for rounding.
    """

    axis = 0

    def __init__(self, cell: Differentiated, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        super().__init__(cell, self.transpose(z), weights)

    @staticmethod
    def transpose(tensor: Tensor) -> Tensor:
        return tf.linalg.matrix_transpose(tensor)

    def cut(self, t: Tensor, start: int, units: int) -> Tensor:
        return tf.slice(self.z, [t, start, 0], [1, units, self.z.shape[2]])[0]

    def vector(self, name: str) -> Tensor:
        return self.weights[name][:, None]

    def product(self, h: Tensor) -> Tensor:
        return tf.matmul(self._transposed, h)

    def product_back(self, d_u: Tensor) -> Tensor:
        return tf.matmul(self._kernel, d_u)

    def join(self, gates: Parts) -> Tensor:
        """Each gate is written into its place: XLA is slow at putting rows under rows."""
        joined = tf.TensorArray(gates[0].dtype, len(gates), element_shape=gates[0].shape)
        for place, gate in enumerate(gates):
            joined = joined.write(place, gate)
        return tf.reshape(joined.stack(), [-1, gates[0].shape[1]])


def columns_pay(cell: Differentiated, z: Tensor) -> bool:
    """Whether columns are faster than rows, from z [T, B, G]: a CPU's caches decide it."""
    _, batch, width = z.shape
    large = width * width // cell.gates >= COLUMNS_FROM
    return large and batch is not None and batch % LANES == 0 and not has_gpu()


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
