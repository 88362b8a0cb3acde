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

from charrnn.cells import State
from charrnn.model.backend import tf

Tensor = Any
Tensors = tuple[Tensor, ...]


class Step(ABC):
    """A cell with the input products x_t W [T, B, G] and its prepared weights."""

    def __init__(self, cell: Any, z: Tensor, weights: Mapping[str, Tensor]) -> None:
        self.cell, self.z, self.weights = cell, z, weights

    @property
    def zero_sums(self) -> Tensors:
        """`summed` before the first call of `backward`."""
        return ()

    @staticmethod
    def turn(tensor: Tensor) -> Tensor:
        """From [..., B, U] to what this step calls a state, and back."""
        return tensor

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


def gradient_of_product(factors: Tensor, d_products: Tensor) -> Tensor:
    """The gradient of W [U, G] in all the products x_t W: Σ_t x_t^T d_t, from [T, B, …] each."""
    return tf.tensordot(factors, d_products, [[0, 1], [0, 1]])


def time_steps(z: Tensor) -> Any:
    """T of a tensor [T, …], as a number where it is known."""
    return z.shape[0] if z.shape[0] is not None else tf.shape(z)[0]
