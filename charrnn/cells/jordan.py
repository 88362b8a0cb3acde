"""The network that feeds its output back."""

from collections.abc import Mapping
from typing import ClassVar

from charrnn.cells import initializers
from charrnn.cells.base import Cell, Weight, register
from charrnn.types import Array, ArrayOps, State, Weights


@register
class Jordan(Cell):
    """Jordan 1986: the next step sees the layer's output, not its hidden layer.

        h_t = tanh(x_t W + y_{t-1} U + b)
        y_t = tanh(h_t W_y + b_y)

    In the paper the outputs go to context units that also feed themselves, and so keep a
    fading trace of all that came before; here the context is the last output alone.

    W [D, U] starts Glorot uniform, U [U, U] and W_y [U, U] orthogonal, b [U] and b_y [U]
    zero. The output is y_t.
    """

    name = "jordan"
    summary = "feeds the layer's output back, not its hidden layer"
    source = "Jordan 1986"
    state_names = ("y",)
    gate_names = ("h",)
    defaults: ClassVar[Mapping[str, object]] = {"learning_rate": 0.003}

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        return super().weights(inputs, units) | {
            "output_kernel": Weight((units, units), initializers.orthogonal),
            "output_bias": Weight((units,), initializers.zeros),
        }

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        (y,) = state
        h = ops.tanh(z + ops.matmul(y, weights["recurrent_kernel"]))
        return (ops.tanh(ops.matmul(h, weights["output_kernel"]) + weights["output_bias"]),)
