"""The LSTM without a recurrent product."""

from collections.abc import Mapping
from typing import ClassVar

from charrnn.cells import initializers
from charrnn.cells.base import Linear, Weight, register
from charrnn.types import Array, ArrayOps


@register
class MinLSTM(Linear):
    """Feng et al. 2024: the gates look at the input alone, and share out one whole.

        f_t = σ(x_t W_f + b_f)
        i_t = σ(x_t W_i + b_i)
        g_t = x_t W_g + b_g
        h_t = f_t / (f_t + i_t) ⊙ h_{t-1} + i_t / (f_t + i_t) ⊙ g_t

    Gate order f, i, g. W [D, 3U] starts Glorot uniform, b [3U] zero but b_f = 1.
    """

    name = "minlstm"
    summary = "LSTM without a recurrent product"
    source = "Feng et al. 2024"
    gates = 3
    gate_names = ("f_share",)  # f_t / (f_t + i_t)
    defaults: ClassVar[Mapping[str, object]] = {
        "layers": 3,
        "units": 192,
        "residual": True,
        "dropout": 0.0,
    }

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        bias = Weight((3 * units,), initializers.forget_bias(gate=0, gates=3))
        return super().weights(inputs, units) | {"bias": bias}

    def coefficients(self, ops: ArrayOps, z: Array) -> tuple[Array, Array]:
        z_f, z_i, g = self.split(ops, z)
        # f / (f + i) = σ(log f - log i), which holds where both underflow.
        forget = ops.sigmoid(ops.softplus(-z_i) - ops.softplus(-z_f))
        return forget, (1 - forget) * g
