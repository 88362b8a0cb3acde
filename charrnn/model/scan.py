"""Running a cell over time, with a backward loop of its own.

Automatic differentiation of a loop accumulates the gradient of the recurrent weights step
by step. Here the backward loop carries only du_t U^T from step to step, and the gradient
of U is one large product after it:

    dU = Σ_t h_{t-1}^T du_t = [h_0 … h_{T-1}]^T [du_1 … du_T]

Shapes: T time, B batch, U units, G the cell's gates · U. Time stands first, so that a
step's slice is contiguous. z and its gradient stay one wide tensor [T, B, G], as the
products before and after the loop want it; what the forward loop saves is a tensor
[T, B, U] for each gate, which the backward loop's pointwise work reads fastest.
"""

from typing import Any, NamedTuple

from charrnn.cells import Cell, Differentiated, State
from charrnn.model.backend import keras, tf

Tensor = Any
Tensors = tuple[Tensor, ...]

SPARE_COLUMNS = 16
"""Zeros beside U, so that its rows do not all start in the same few sets of the cache: at
U = 384 the product h U runs a tenth faster."""


class Weights(NamedTuple):
    """What a step adds to z_t and multiplies h_{t-1} with."""

    bias: Tensor
    """b [G]"""
    recurrent_kernel: Tensor
    """U [U, G]"""
    recurrent_bias: Tensor | None = None
    """b' [G], for cells that keep it apart from b"""


def scan_cell(cell: Cell, z: Tensor, weights: Weights, state: State) -> tuple[Tensor, State]:
    """Outputs [T, B, U] and the last state, from the input products z [T, B, G].

    A step sees z_t + b and h_{t-1} U (+ b').
    """
    cell = cell if isinstance(cell, Differentiated) else Taped(cell)

    @tf.custom_gradient
    def differentiable(z: Tensor, state: Tensors, *weights: Tensor) -> Any:
        kernel = weights[1]
        history, saved, last = run_forward(cell, z, Weights(*weights), state)

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Any:
            d_z, d_u, d_state = run_backward(cell, kernel, history, saved, d_outputs, d_last)
            d_kernel = tf.tensordot(history[0][:-1], d_u, [[0, 1], [0, 1]])
            d_biases = [tf.reduce_sum(each, [0, 1]) for each in (d_z, d_u)[: len(weights) - 1]]
            return d_z, d_state, d_biases[0], d_kernel, *d_biases[1:]

        return (history[0][1:], *last), gradient

    outputs, *last = differentiable(z, state, *(each for each in weights if each is not None))
    return outputs, tuple(last)


class Taped(Differentiated):
    """Any cell, its step differentiated by a gradient tape inside the backward loop."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.additive, self.gates = cell.additive, cell.gates  # type: ignore[misc]

    def forward(self, ops: Any, z: Tensors, u: Tensors, state: State) -> tuple[State, Tensors]:
        return self.cell.step(ops, z, u, state), (*z, *u)

    def backward(
        self, ops: Any, saved: Tensors, before: State, after: State, d_after: State
    ) -> tuple[Tensors, Tensors, State]:
        z, u = saved[: self.gates], saved[self.gates :]
        with tf.GradientTape() as tape:
            tape.watch((z, u, before))
            again = self.cell.step(ops, z, u, before)
        return tape.gradient(  # type: ignore[no-any-return]
            again, (z, u, before), d_after, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )


def run_forward(
    cell: Differentiated, z: Tensor, weights: Weights, state: State
) -> tuple[Tensors, Tensors, State]:
    """The forward loop, from z [T, B, G].

    Returns every state [T + 1, B, U] with the first, what the cell saves [T, B, U], and the
    last state.
    """
    steps = time_steps(z)
    bias, kernel, recurrent_bias = weights
    width = kernel.shape[1]
    kernel = tf.pad(kernel, [[0, 0], [0, SPARE_COLUMNS]])

    def advance(t: Tensor, state: State) -> tuple[State, Tensors]:
        u = tf.matmul(state[0], kernel)[:, :width]
        u = u if recurrent_bias is None else u + recurrent_bias
        z_gates, u_gates = (tuple(tf.split(wide, cell.gates, -1)) for wide in (z[t] + bias, u))
        return cell.forward(keras.ops, z_gates, u_gates, state)

    def body(t: Tensor, state: State, history: list, saved: list) -> tuple:
        state, kept = advance(t, state)
        return t + 1, state, write(history, t + 1, state), write(saved, t, kept)

    _, kept = advance(0, state)
    history = write([buffer(part, part.shape, steps + 1) for part in state], 0, state)
    loop = (tf.constant(0), tuple(state), history, [buffer(a, a.shape, steps) for a in kept])
    _, state, history, saved = tf.while_loop(
        lambda t, *_: t < steps, body, loop, maximum_iterations=steps
    )
    return stack(history), stack(saved), state


def run_backward(
    cell: Differentiated,
    kernel: Tensor,
    history: Tensors,
    saved: Tensors,
    d_outputs: Tensor,
    d_last: State,
) -> tuple[Tensor, Tensor, State]:
    """The backward loop: gradients of z and u [T, B, G] and of the first state."""
    steps = time_steps(d_outputs)
    transposed = tf.transpose(kernel)

    def body(t: Tensor, d_state: State, d_products: list) -> tuple:
        d_after = (d_state[0] + d_outputs[t], *d_state[1:])
        before, after = at(history, t), at(history, t + 1)
        d_z, d_u, d_state = cell.backward(keras.ops, at(saved, t), before, after, d_after)
        wide = tf.concat(d_u, -1)
        d_state = (d_state[0] + tf.matmul(wide, transposed), *d_state[1:])
        d_both = (wide,) if cell.additive else (wide, tf.concat(d_z, -1))
        return t - 1, d_state, write(d_products, t, d_both)

    shape = (history[0].shape[1], kernel.shape[1])
    buffers = [buffer(kernel, shape, steps) for _ in range(1 if cell.additive else 2)]
    _, d_state, d_products = tf.while_loop(
        lambda t, *_: t >= 0, body, (steps - 1, tuple(d_last), buffers), maximum_iterations=steps
    )
    d_u, *d_z = stack(d_products)
    return d_z[0] if d_z else d_u, d_u, d_state


def buffer(like: Tensor, shape: Any, size: Tensor) -> Any:
    """A TensorArray of `size` tensors of the shape, each written once."""
    return tf.TensorArray(like.dtype, size, element_shape=shape)


def write(buffers: list, t: Tensor, values: Tensors) -> list:
    """The buffers with a value each at place t."""
    return [array.write(t, value) for array, value in zip(buffers, values, strict=True)]


def stack(buffers: list) -> Tensors:
    """The buffers' tensors, [T, …] each."""
    return tuple(array.stack() for array in buffers)


def at(tensors: Tensors, t: Tensor) -> Tensors:
    """Each tensor's slice at time t."""
    return tuple(tensor[t] for tensor in tensors)


def time_steps(z: Tensor) -> Any:
    """T, as a number where it is known."""
    return z.shape[0] if z.shape[0] is not None else tf.shape(z)[0]
