"""The step of a cell whose author wrote its gradient: one recurrent product, h U."""

from collections.abc import Mapping

from charrnn.cells import RECURRENT_KERNEL, Differentiated
from charrnn.tf.backend import has_gpu, tf
from charrnn.tf.ops import TensorOps
from charrnn.tf.steps import Parts, Step, gradient_of_product
from charrnn.types import State, Tensor

OPS = TensorOps()

COLUMNS_FROM = 1 << 19
"""Numbers in U from which on columns pay: 2 MB in float32, a core's L2 where it was measured."""
LANES = 8
"""Columns want a batch that is a multiple of this: a vector of AVX2, half of one of AVX-512."""


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
        """h U."""
        return tf.matmul(h, self._kernel)

    def product_back(self, d_u: Tensor) -> Tensor:
        """d_u U^T, the gradient of h."""
        return tf.matmul(d_u, self._transposed)

    def join(self, gates: Parts) -> Tensor:
        """An array for each gate, side by side."""
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
