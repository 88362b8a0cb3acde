"""Long short-term memory with one gate for input and forgetting."""

from charrnn.cells import initializers
from charrnn.cells.base import Differentiated, Gates, Saved, Weight, register
from charrnn.types import ArrayOps, State


@register
class Coupled(Differentiated):
    """Greff et al. 2015 (CIFG): what is forgotten makes room for what comes in.

        f_t = σ(x_t W_f + h_{t-1} U_f + b_f)
        g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)
        o_t = σ(x_t W_o + h_{t-1} U_o + b_o)
        c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)

    The paper's gates see the cell state as well, through peepholes; these do not.

    Gate order f, g, o. W [D, 3U] starts Glorot uniform, U [U, 3U] orthogonal, b [3U] zero
    but b_f = 1.
    """

    name = "coupled"
    summary = "LSTM with one gate for input and forgetting"
    source = "Greff et al. 2015"
    gates = 3
    gate_names = ("f", "g", "o")
    additive = True
    state_names = ("h", "c")

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        bias = Weight((3 * units,), initializers.forget_bias(gate=0, gates=3))
        return super().weights(inputs, units) | {"bias": bias}

    def forward(self, ops: ArrayOps, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        _, c = state
        f, g, o = z
        f, g, o = ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
        c = f * c + (1 - f) * g
        h = o * ops.tanh(c)
        return (h, c), (f, g, o)

    def backward(
        self, ops: ArrayOps, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        f, g, o = saved
        _, c_before = before
        tanh_c = ops.tanh(after[1])
        dh, dc = d_after
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        df = dc * (c_before - g) * f * (1 - f)
        dg = dc * (1 - f) * (1 - g * g)
        do = dh * tanh_c * o * (1 - o)
        return (df, dg, do), (), (ops.zeros_like(dh), dc * f)
