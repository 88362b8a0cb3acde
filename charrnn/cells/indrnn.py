"""The independently recurrent network."""

from typing import Any

from charrnn.cells import initializers
from charrnn.cells.base import Cell, Gates, State, Weight, Weights, register


@register
class IndRNN(Cell):
    """Li et al. 2018: each unit sees only itself in the past.

        h_t = max(0, x_t W + w ⊙ h_{t-1} + b)

    W [D, U] starts Glorot uniform, w [U] uniform between 0 and 1, b [U] zero.
    """

    name = "indrnn"
    summary = "elementwise recurrence"
    source = "Li et al. 2018"

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        weights = super().weights(inputs, units)
        return {
            "kernel": weights["kernel"],
            "recurrent_weight": Weight((units,), initializers.unit_uniform),
            "bias": weights["bias"],
        }

    def step(self, ops: Any, z: Gates, state: State, weights: Weights) -> State:
        return (ops.maximum(z[0] + weights["recurrent_weight"] * state[0], 0),)
