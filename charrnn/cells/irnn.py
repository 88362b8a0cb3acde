"""The recurrent network of rectified linear units that starts as the identity."""

from typing import Any

from charrnn.cells import initializers
from charrnn.cells.base import Differentiated, Gates, Saved, State, Weight, register


@register
class IRNN(Differentiated):
    """Le, Jaitly and Hinton 2015: at first the network only adds up what it reads.

        h_t = max(0, x_t W + h_{t-1} U + b)

    W [D, U] starts normal with deviation 0.001, U [U, U] as the identity, b [U] zero.
    """

    name = "irnn"
    summary = "ReLU network that starts as the identity"
    source = "Le, Jaitly and Hinton 2015"
    additive = True

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        return super().weights(inputs, units) | {
            "kernel": Weight((inputs, units), initializers.small_normal),
            "recurrent_kernel": Weight((units, units), initializers.identity),
        }

    def forward(self, ops: Any, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        return (ops.maximum(z[0] + u[0], 0),), ()

    def backward(
        self, ops: Any, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        (h,), (dh,) = after, d_after
        dz = (dh * ops.sign(h),)
        return dz, dz, (ops.zeros_like(dh),)
