"""The recurrent network of rectified linear units that starts as the identity."""

from collections.abc import Mapping
from typing import ClassVar

from charrnn.cells import initializers
from charrnn.cells.base import Weight, register
from charrnn.cells.rnn import RNN


@register
class IRNN(RNN):
    """Le, Jaitly and Hinton 2015: at first the network only adds up what it reads.

        h_t = max(0, x_t W + h_{t-1} U + b)

    W [D, U] starts normal with deviation 0.001, U [U, U] as the identity, b [U] zero.
    """

    name = "irnn"
    summary = "ReLU network that starts as the identity"
    source = "Le, Jaitly and Hinton 2015"
    activations = ("relu",)
    defaults: ClassVar[Mapping[str, object]] = {}

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        return super().weights(inputs, units) | {
            "kernel": Weight((inputs, units), initializers.small_normal),
            "recurrent_kernel": Weight((units, units), initializers.identity),
        }
