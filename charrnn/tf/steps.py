"""One time step of a cell and its gradient, as the scan's loops call them.

    state, saved = step.forward(t, state)
    d_state, step_gradients, summed = step.backward(t, saved, before, after, d_after, summed)

`saved` is what `backward` wants to see again, a tensor for each time step. From the
`step_gradients`, also a tensor for each time step, `gradients` makes the gradients of z and
of the matrices after the loop, each as one large product; `summed` holds the gradients that
are added up on the way, as those of vectors are.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from charrnn.cells import Cell
from charrnn.tf.backend import tf
from charrnn.types import State, Tensor

Parts = tuple[Tensor, ...]


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
