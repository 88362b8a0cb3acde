"""The simple recurrent network."""

from typing import Any

from charrnn.cells.base import Differentiated, Gates, Saved, State, register


@register
class RNN(Differentiated):
    """Elman 1990.

        h_t = tanh(x_t W + h_{t-1} U + b)

    W [D, U] starts Glorot uniform, U [U, U] orthogonal, b [U] zero.
    """

    name = "rnn"
    summary = "Elman network, tanh"
    source = "Elman 1990"
    additive = True

    def forward(self, ops: Any, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        return (ops.tanh(z[0] + u[0]),), ()

    def backward(
        self, ops: Any, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        (h,), (dh,) = after, d_after
        dz = (dh * (1 - h * h),)
        return dz, dz, (ops.zeros_like(dh),)
