"""The simple recurrent network."""

from typing import Any

from charrnn.cells.base import Array, Differentiated, Saved, State, register


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

    def forward(self, ops: Any, z: Array, u: Array, state: State) -> tuple[State, Saved]:
        return (ops.tanh(z + u),), ()

    def backward(
        self, ops: Any, z: Array, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Array, Array, State]:
        (h,), (dh,) = after, d_after
        dz = dh * (1 - h * h)
        return dz, dz, (ops.zeros_like(dh),)
