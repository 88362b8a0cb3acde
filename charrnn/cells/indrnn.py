"""The independently recurrent network."""

from collections.abc import Mapping
from typing import ClassVar

from charrnn.cells import initializers
from charrnn.cells.base import Cell, Weight, register
from charrnn.types import Array, ArrayOps, State, Weights

BOUND = 0.999


@register
class IndRNN(Cell):
    """Li et al. 2018: each unit sees only itself in the past.

        h_t = max(0, x_t W + w ⊙ h_{t-1} + b)        |w| ≤ 0.999

    The paper clips |w| to 2^(1/T) for T time steps; here the state is carried on without
    end. W [D, U] starts Glorot uniform, w [U] uniform between 0 and 1, b [U] zero.
    """

    name = "indrnn"
    summary = "elementwise recurrence"
    source = "Li et al. 2018"
    defaults: ClassVar[Mapping[str, object]] = {"layers": 2}

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        weights = super().weights(inputs, units)
        return {
            "kernel": weights["kernel"],
            "recurrent_weight": Weight((units,), initializers.unit_uniform, BOUND),
            "bias": weights["bias"],
        }

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        return (ops.maximum(z + weights["recurrent_weight"] * state[0], 0),)
