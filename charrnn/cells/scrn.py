"""The structurally constrained recurrent network."""

from charrnn.cells import initializers
from charrnn.cells.base import Cell, Weight, register
from charrnn.types import Array, ArrayOps, State, Weights

ALPHA = 0.95
CONTEXT_SHARE = 8


@register
class SCRN(Cell):
    """Mikolov et al. 2015: a slow context layer s beside the fast hidden layer h.

        s_t = (1 - α) x_t B + α s_{t-1}                       α = 0.95
        h_t = σ(s_t P + x_t A + h_{t-1} R + b)

    The output is [h_t, s_t]: of U units the last eighth, S, are context. As s_t is known
    before the product, s_t P = x_t (1 - α) B P + s_{t-1} α P, and one input product and one
    recurrent product [h_{t-1}, s_{t-1}] [R; α P] remain. W = [A, B] [D, U] starts Glorot
    uniform, U = [R; P] [U, U - S] orthogonal, b [U - S] zero.
    """

    name = "scrn"
    summary = "a slow context layer beside the fast one"
    source = "Mikolov et al. 2015"

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        fast = units - context(units)
        return super().weights(inputs, units) | {
            "recurrent_kernel": Weight((units, fast), initializers.orthogonal),
            "bias": Weight((fast,), initializers.zeros),
        }

    def prepare(self, ops: ArrayOps, weights: Weights) -> dict[str, Array]:
        kernel, recurrent_kernel = weights["kernel"], weights["recurrent_kernel"]
        fast = recurrent_kernel.shape[1]
        a, b = kernel[:, :fast], (1 - ALPHA) * kernel[:, fast:]
        r, p = recurrent_kernel[:fast], recurrent_kernel[fast:]
        return {
            "kernel": ops.concatenate([a + ops.matmul(b, p), b], -1),
            "bias": ops.concatenate([weights["bias"], ops.zeros_like(kernel[0, fast:])], -1),
            "recurrent_kernel": ops.concatenate([r, ALPHA * p], 0),
        }

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        u = ops.matmul(state[0], weights["recurrent_kernel"])
        fast = u.shape[1]
        h = ops.sigmoid(z[:, :fast] + u)
        s = z[:, fast:] + ALPHA * state[0][:, fast:]
        return (ops.concatenate([h, s], -1),)


def context(units: int) -> int:
    return -(-(units - 1) // CONTEXT_SHARE)
