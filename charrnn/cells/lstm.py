"""Long short-term memory."""

from charrnn.cells import initializers
from charrnn.cells.base import Differentiated, Gates, Saved, Weight, register
from charrnn.types import ArrayOps, State


@register
class LSTM(Differentiated):
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.

        i_t = σ(x_t W_i + h_{t-1} U_i + b_i)
        f_t = σ(x_t W_f + h_{t-1} U_f + b_f)
        g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)
        o_t = σ(x_t W_o + h_{t-1} U_o + b_o)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)

    σ is the sigmoid, or as the setting `recurrent_activation` says: networks that Keras trained
    before 2019 have hard_sigmoid. Gate order i, f, g, o, as in Keras. W [D, 4U] starts Glorot
    uniform, U [U, 4U] orthogonal, b [4U] zero but b_f = 1.
    """

    name = "lstm"
    summary = "long short-term memory, forget bias 1"
    source = "Hochreiter and Schmidhuber 1997; Gers et al. 2000"
    gates = 4
    gate_names = ("i", "f", "g", "o")
    additive = True
    state_names = ("h", "c")
    recurrent_activations = ("sigmoid", "hard_sigmoid")

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        bias = Weight((4 * units,), initializers.forget_bias(gate=1, gates=4))
        return super().weights(inputs, units) | {"bias": bias}

    def forward(self, ops: ArrayOps, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        _, c = state
        i, f, g, o = z
        gate = self.recurrent_activation
        i, f, g, o = gate(ops, i), gate(ops, f), ops.tanh(g), gate(ops, o)
        c = f * c + i * g
        h = o * ops.tanh(c)
        return (h, c), (i, f, g, o)

    def backward(
        self, ops: ArrayOps, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        i, f, g, o = saved
        _, c_before = before
        tanh_c = ops.tanh(after[1])
        slope = self.recurrent_activation.slope
        dh, dc = d_after
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        di = dc * g * slope(ops, i)
        df = dc * c_before * slope(ops, f)
        dg = dc * i * (1 - g * g)
        do = dh * tanh_c * slope(ops, o)
        return (di, df, dg, do), (), (ops.zeros_like(dh), dc * f)
