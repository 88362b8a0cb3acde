"""Long short-term memory whose gates see the cell state."""

from charrnn.cells import initializers
from charrnn.cells.base import Cell, Weight, register
from charrnn.types import Array, ArrayOps, State, Weights


@register
class Peephole(Cell):
    """Gers and Schmidhuber 2000: peephole connections p from the cell state to the gates.

        i_t = σ(x_t W_i + h_{t-1} U_i + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(x_t W_f + h_{t-1} U_f + p_f ⊙ c_{t-1} + b_f)
        g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        o_t = σ(x_t W_o + h_{t-1} U_o + p_o ⊙ c_t + b_o)
        h_t = o_t ⊙ tanh(c_t)

    The output is squashed by tanh, as in Graves 2013; in the paper it is h_t = o_t ⊙ c_t.

    Gate order i, f, g, o. W [D, 4U] starts Glorot uniform, U [U, 4U] orthogonal, b [4U]
    zero but b_f = 1, and p_i, p_f and p_o [U] zero: at first an LSTM.
    """

    name = "peephole"
    summary = "LSTM whose gates see the cell state"
    source = "Gers and Schmidhuber 2000"
    gates = 4
    gate_names = ("i", "f", "g", "o")
    state_names = ("h", "c")

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        peephole = Weight((units,), initializers.zeros)
        return super().weights(inputs, units) | {
            "bias": Weight((4 * units,), initializers.forget_bias(gate=1, gates=4)),
            "input_peephole": peephole,
            "forget_peephole": peephole,
            "output_peephole": peephole,
        }

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        h, c = state
        p_i, p_f, p_o = (weights[f"{gate}_peephole"] for gate in ("input", "forget", "output"))
        i, f, g, o = self.split(ops, z + ops.matmul(h, weights["recurrent_kernel"]))
        i, f, g = ops.sigmoid(i + p_i * c), ops.sigmoid(f + p_f * c), ops.tanh(g)
        c = f * c + i * g
        o = ops.sigmoid(o + p_o * c)
        return o * ops.tanh(c), c
