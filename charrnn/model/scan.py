"""Running a cell over time, with a backward loop of its own.

Automatic differentiation of a loop accumulates the gradient of the recurrent weights step
by step. Here the backward loop carries only the gradient of the state from step to step, and
the gradient of U is one large product after it:

    dU = Σ_t h_{t-1}^T du_t = [h_0 … h_{T-1}]^T [du_1 … du_T]

Shapes: T time, B batch, U units, G the cell's gates · U. Time stands first, so that a
step's slice is contiguous. z and its gradient stay one wide tensor [T, B, G], as the
products before and after the loop want it; what the forward loop saves is a tensor
[T, B, …] for each part, which the backward loop's pointwise work reads fastest. A step that
works on columns instead `turn`s all of it, to [T, G, B] and states [U, B].
"""

from collections.abc import Mapping
from typing import Any

from charrnn.cells import Cell, Differentiated, Linear, State
from charrnn.model.backend import keras, tf
from charrnn.model.by_hand import ByHand, InColumns, columns_pay
from charrnn.model.by_tape import ByTape
from charrnn.model.linear import linear_scan
from charrnn.model.steps import Step, Tensor, Tensors, time_steps


def scan_cell(
    cell: Cell, z: Tensor, weights: Mapping[str, Tensor], state: State
) -> tuple[Tensor, State]:
    """Outputs [T, B, U] and the last state, from the input products x_t W [T, B, G].

    `weights` are the cell's, prepared, without its kernel.
    """
    if isinstance(cell, Linear):
        a, b = cell.coefficients(keras.ops, z + weights["bias"])
        outputs = linear_scan(a, b, state[0])
        return outputs, (outputs[-1],)

    @tf.custom_gradient
    def differentiable(z: Tensor, state: Tensors, *values: Tensor) -> Any:
        step = way_through(cell, z)(cell, z, dict(zip(weights, values, strict=True)))
        history, saved, last = run_forward(step, turned(step, state))

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Any:
            d_outputs, d_last = step.turn(d_outputs), turned(step, d_last)
            d_state, kept, summed = run_backward(step, history, saved, d_outputs, d_last)
            d_z, d_weights = step.gradients(history, kept, summed)
            return d_z, turned(step, d_state), *(d_weights[name] for name in weights)

        return (step.turn(history[0])[1:], *turned(step, last)), gradient

    outputs, *last = differentiable(z, state, *weights.values())
    return outputs, tuple(last)


def way_through(cell: Cell, z: Tensor) -> type[Step]:
    """The kind of step that is fastest for a cell and z [T, B, G]."""
    if not isinstance(cell, Differentiated):
        return ByTape
    return InColumns if columns_pay(cell, z) else ByHand


def run_forward(step: Step, state: State) -> tuple[Tensors, Tensors, State]:
    """The forward loop.

    Returns every state [T + 1, B, U] with the first, what the step saves [T, …], and the
    last state.
    """
    steps = time_steps(step.z)

    def body(t: Tensor, state: State, history: list, saved: list) -> tuple:
        state, values = step.forward(t, state)
        return t + 1, state, write(history, t + 1, state), write(saved, t, values)

    _, values = step.forward(0, state)
    history = write(buffers(state, steps + 1), 0, state)
    loop = (tf.constant(0), tuple(state), history, buffers(values, steps))
    _, state, history, saved = tf.while_loop(
        lambda t, *_: t < steps, body, loop, maximum_iterations=steps
    )
    return stack(history), stack(saved), state


def run_backward(
    step: Step, history: Tensors, saved: Tensors, d_outputs: Tensor, d_last: State
) -> tuple[State, Tensors, Tensors]:
    """The backward loop: the gradient of the first state, what the step keeps, and its sums."""
    steps = time_steps(d_outputs)

    def retreat(t: Tensor, d_state: State, summed: Tensors) -> tuple[State, Tensors, Tensors]:
        d_after = (d_state[0] + d_outputs[t], *d_state[1:])
        before, after = at(history, t), at(history, t + 1)
        return step.backward(t, at(saved, t), before, after, d_after, summed)

    def body(t: Tensor, d_state: State, summed: Tensors, kept: list) -> tuple:
        d_state, values, summed = retreat(t, d_state, summed)
        return t - 1, d_state, summed, write(kept, t, values)

    d_last, summed = tuple(d_last), step.zero_sums
    _, values, _ = retreat(0, d_last, summed)
    loop = (steps - 1, d_last, summed, buffers(values, steps))
    _, d_state, summed, kept = tf.while_loop(
        lambda t, *_: t >= 0, body, loop, maximum_iterations=steps
    )
    return d_state, stack(kept), summed


def turned(step: Step, tensors: Tensors) -> Tensors:
    """States [..., B, U] as the step has them, and back."""
    return tuple(step.turn(tensor) for tensor in tensors)


def buffers(like: Tensors, size: Tensor) -> list:
    """For each tensor a TensorArray of `size` such tensors, each written once."""
    return [tf.TensorArray(each.dtype, size, element_shape=each.shape) for each in like]


def write(arrays: list, t: Tensor, values: Tensors) -> list:
    """The arrays with a value each at place t."""
    return [array.write(t, value) for array, value in zip(arrays, values, strict=True)]


def stack(arrays: list) -> Tensors:
    """The arrays' tensors, [T, …] each."""
    return tuple(array.stack() for array in arrays)


def at(tensors: Tensors, t: Tensor) -> Tensors:
    """Each tensor's slice at time t."""
    return tuple(tensor[t] for tensor in tensors)
