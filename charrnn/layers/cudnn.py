"""LSTM and GRU by way of Keras's own layers, which run on cuDNN where there is a GPU."""

from functools import cache

from charrnn.layers.plan import Inputs, Plan
from charrnn.tf.backend import has_gpu, keras
from charrnn.tf.cudnn import STOCK
from charrnn.types import State, Tensor


def on_cudnn(plan: Plan) -> bool:
    """Whether a layer's cell runs on cuDNN here."""
    fits = plan.cell.name in STOCK and plan.choices[1] in (None, "sigmoid")
    return fits and has_gpu()


def run_on_cudnn(plan: Plan, inputs: Inputs) -> tuple[Tensor, State]:
    """The outputs and the state after, by a stock layer that is given these weights."""
    layer = stock_layer(plan)
    own, state = list(inputs.weights.values()), list(inputs.state)
    (outputs, *after), _ = layer.stateless_call(
        own, layer.non_trainable_variables, inputs.x, initial_state=state, mask=inputs.mask
    )
    return outputs, tuple(after)


@cache
def stock_layer(plan: Plan) -> "keras.layers.Layer":
    layer = STOCK[plan.cell.name](
        plan.units,
        return_sequences=plan.return_sequences,
        return_state=True,
        go_backwards=plan.go_backwards,
        zero_output_for_mask=plan.zero_output_for_mask,
        dtype=plan.dtype,
    )
    layer.build((None, None, plan.inputs))
    return layer
