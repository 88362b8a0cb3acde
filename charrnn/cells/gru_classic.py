"""Gated recurrent unit with the reset before the product."""

from charrnn.cells.base import Cell, register
from charrnn.types import Array, ArrayOps, State, Weights


@register
class GRUClassic(Cell):
    """Cho et al. 2014, version 3: the reset comes before the product.

        z_t = σ(x_t W_z + h_{t-1} U_z + b_z)
        r_t = σ(x_t W_r + h_{t-1} U_r + b_r)
        g_t = φ(x_t W_g + (r_t ⊙ h_{t-1}) U_g + b_g)
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ g_t

    φ = tanh, or as the setting `activation` says; σ the sigmoid, or as `recurrent_activation` says.
    Gate order z, r, g, as in Keras with `reset_after=False`. W [D, 3U] starts Glorot
    uniform, U [U, 3U] orthogonal, b [3U] zero.
    """

    name = "gru_classic"
    summary = "gated recurrent unit, reset before the product"
    source = "Cho et al. 2014, version 3"
    gates = 3
    gate_names = ("z", "r", "g")
    activations = ("tanh", "relu", "leaky_relu")
    recurrent_activations = ("sigmoid", "hard_sigmoid")

    def prepare(self, ops: ArrayOps, weights: Weights) -> dict[str, Array]:
        u_z, u_r, u_g = ops.split(weights["recurrent_kernel"], 3, -1)
        weights = {name: weights[name] for name in ("kernel", "bias")}
        return weights | {"U_zr": ops.concatenate([u_z, u_r], -1), "U_g": u_g}

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        (h,) = state
        z_z, z_r, z_g = self.split(ops, z)
        u_z, u_r = ops.split(ops.matmul(h, weights["U_zr"]), 2, -1)
        update = self.recurrent_activation(ops, z_z + u_z)
        reset = self.recurrent_activation(ops, z_r + u_r)
        g = self.activation(ops, z_g + ops.matmul(reset * h, weights["U_g"]))
        return (update * h + (1 - update) * g,)
