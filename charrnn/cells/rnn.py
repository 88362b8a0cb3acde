"""The simple recurrent network."""

from typing import Any

from charrnn.cells.base import Array, Cell, State, register


@register
class RNN(Cell):
    """Elman 1990.

        h_t = tanh(x_t W + h_{t-1} U + b)

    W [D, U] starts Glorot uniform, U [U, U] orthogonal, b [U] zero.
    """

    name = "rnn"
    summary = "Elman network, tanh"
    source = "Elman 1990"

    def step(self, ops: Any, z: Array, u: Array, state: State) -> State:
        return (ops.tanh(z + u),)
