"""The gated recurrent unit without a recurrent product."""

from collections.abc import Mapping
from typing import ClassVar

from charrnn.cells.base import Linear, register
from charrnn.types import Array, ArrayOps


@register
class MinGRU(Linear):
    """Feng et al. 2024: the gate looks at the input alone.

        z_t = σ(x_t W_z + b_z)
        g_t = x_t W_g + b_g
        h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ g_t

    Gate order z, g. W [D, 2U] starts Glorot uniform, b [2U] zero.
    """

    name = "mingru"
    summary = "GRU without a recurrent product"
    source = "Feng et al. 2024"
    gates = 2
    gate_names = ("z",)
    defaults: ClassVar[Mapping[str, object]] = {
        "layers": 3,
        "units": 192,
        "residual": True,
        "dropout": 0.0,
    }

    def coefficients(self, ops: ArrayOps, z: Array) -> tuple[Array, Array]:
        z_z, g = self.split(ops, z)
        update = ops.sigmoid(z_z)
        return 1 - update, update * g
