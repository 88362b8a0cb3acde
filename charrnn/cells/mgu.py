"""Minimal gated unit."""

from charrnn.cells.base import Cell, register
from charrnn.types import Array, ArrayOps, State, Weights


@register
class MGU(Cell):
    """Zhou et al. 2016: one gate that forgets, resets and updates.

        f_t = σ(x_t W_f + h_{t-1} U_f + b_f)
        g_t = tanh(x_t W_g + (f_t ⊙ h_{t-1}) U_g + b_g)
        h_t = (1 - f_t) ⊙ h_{t-1} + f_t ⊙ g_t

    Gate order f, g. W [D, 2U] starts Glorot uniform, U [U, 2U] orthogonal, b [2U] zero.
    """

    name = "mgu"
    summary = "minimal gated unit, one gate for all"
    source = "Zhou et al. 2016"
    gates = 2
    gate_names = ("f", "g")

    def prepare(self, ops: ArrayOps, weights: Weights) -> dict[str, Array]:
        u_f, u_g = ops.split(weights["recurrent_kernel"], 2, -1)
        return {name: weights[name] for name in ("kernel", "bias")} | {"U_f": u_f, "U_g": u_g}

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        (h,) = state
        z_f, z_g = self.split(ops, z)
        f = ops.sigmoid(z_f + ops.matmul(h, weights["U_f"]))
        g = ops.tanh(z_g + ops.matmul(f * h, weights["U_g"]))
        return ((1 - f) * h + f * g,)
