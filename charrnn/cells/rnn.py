"""The simple recurrent network."""

from collections.abc import Mapping
from typing import ClassVar

from charrnn.cells.base import Differentiated, Gates, Saved, register
from charrnn.types import ArrayOps, State


@register
class RNN(Differentiated):
    """Elman 1990.

        h_t = φ(x_t W + h_{t-1} U + b)        φ = tanh, or as the setting `activation` says

    W [D, U] starts Glorot uniform, U [U, U] orthogonal, b [U] zero.
    """

    name = "rnn"
    summary = "Elman network, tanh"
    source = "Elman 1990"
    additive = True
    activations: ClassVar[tuple[str, ...]] = ("tanh", "relu", "leaky_relu")
    defaults: ClassVar[Mapping[str, object]] = {"learning_rate": 0.003}

    def forward(self, ops: ArrayOps, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        return (self.activation(ops, z[0]),), ()

    def backward(
        self, ops: ArrayOps, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        (h,), (dh,) = after, d_after
        dz = (dh * self.activation.slope(ops, h),)
        return dz, (), (ops.zeros_like(dh),)
