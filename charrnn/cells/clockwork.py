"""The network whose modules run at different clock rates."""

import numpy as np

from charrnn.cells.base import Cell, register
from charrnn.types import Array, ArrayOps, State, Weights

MODULES = 4


@register
class Clockwork(Cell):
    """Koutník et al. 2014: module m of the units is updated every 2^m steps.

        h_t = tanh(x_t W + h_{t-1} U + b)    in the modules on their beat, t mod T_m = 0
        h_t = h_{t-1}                        in the others

    The units are cut into modules with periods T = 1, 2, 4, 8. A module sees itself and the
    slower ones: U is block triangular, its other entries have no effect. The state also
    holds each unit's beat, t mod T_m. W [D, U] starts Glorot uniform, U [U, U] orthogonal,
    b [U] zero.
    """

    name = "clockwork"
    summary = "modules with periods 1, 2, 4, 8"
    source = "Koutník et al. 2014"
    state_names = ("h", "beat")

    def prepare(self, ops: ArrayOps, weights: Weights) -> dict[str, Array]:
        recurrent_kernel = weights["recurrent_kernel"]
        like = ops.zeros_like(recurrent_kernel[0])  # for constants of the weights' type
        period = like + periods(recurrent_kernel.shape[0])
        seen = ops.maximum(ops.sign(period[:, None] - period + 0.5), 0)
        return dict(weights) | {"recurrent_kernel": recurrent_kernel * seen, "period": period}

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        h, beat = state
        idle = ops.sign(beat)
        candidate = ops.tanh(z + ops.matmul(h, weights["recurrent_kernel"]))
        return idle * h + (1 - idle) * candidate, ops.mod(beat + 1, weights["period"])


def periods(units: int) -> np.ndarray:
    """Each unit's period, float32 [U]: modules of equal size, the fastest first."""
    modules = min(MODULES, units)
    return np.exp2(np.arange(units) * modules // units).astype(np.float32)
