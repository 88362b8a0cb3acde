"""Gated recurrent unit."""

from charrnn.cells import initializers
from charrnn.cells.base import Differentiated, Gates, Saved, Weight, register
from charrnn.types import Array, ArrayOps, State, Weights


@register
class GRU(Differentiated):
    """Cho et al. 2014, version 1: the reset comes after the product, as in cuDNN and Keras.

        z_t = σ(x_t W_z + b_z + h_{t-1} U_z + b'_z)
        r_t = σ(x_t W_r + b_r + h_{t-1} U_r + b'_r)
        g_t = tanh(x_t W_g + b_g + r_t ⊙ (h_{t-1} U_g + b'_g))
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ g_t

    Gate order z, r, g, as in Keras. W [D, 3U] starts Glorot uniform, U [U, 3U]
    orthogonal; the bias [2, 3U] holds b and b', both zero.
    """

    name = "gru"
    summary = "gated recurrent unit, reset after the product"
    source = "Cho et al. 2014, version 1"
    gates = 3
    gate_names = ("z", "r", "g")

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        bias = Weight((2, 3 * units), initializers.zeros)
        return super().weights(inputs, units) | {"bias": bias}

    def prepare(self, ops: ArrayOps, weights: Weights) -> dict[str, Array]:
        bias = weights["bias"]
        return dict(weights) | {"bias": bias[0], "recurrent_bias": bias[1]}

    def forward(self, ops: ArrayOps, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        (h,) = state
        (z_z, z_r, z_g), (u_z, u_r, u_g) = z, u
        update = ops.sigmoid(z_z + u_z)
        reset = ops.sigmoid(z_r + u_r)
        g = ops.tanh(z_g + reset * u_g)
        return (update * h + (1 - update) * g,), (update, reset, g, u_g)

    def backward(
        self, ops: ArrayOps, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        update, reset, g, u_g = saved
        (h,), (dh,) = before, d_after
        d_update = dh * (h - g) * update * (1 - update)
        dg = dh * (1 - update) * (1 - g * g)
        d_reset = dg * u_g * reset * (1 - reset)
        return (d_update, d_reset, dg), (d_update, d_reset, dg * reset), (dh * update,)
