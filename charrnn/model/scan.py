"""Running a cell over time, with a backward loop of its own.

Automatic differentiation of a loop accumulates the gradient of the recurrent weights step
by step. Here the backward loop carries only du_t U^T from step to step, and the gradient
of U is one large product after it:

    dU = Σ_t h_{t-1}^T du_t = [h_0 … h_{T-1}]^T [du_1 … du_T]

Shapes: T time, B batch, U units, G the cell's gates · U. Time stands first, so that a
step's slice is contiguous.
"""

from typing import Any

from charrnn.cells import Cell, Differentiated, State
from charrnn.model.backend import keras, tf

Tensor = Any
Tensors = tuple[Tensor, ...]

NARROW = 1 << 14
"""Up to this B · U the recurrent product is made gate by gate."""


def scan_cell(
    cell: Cell, z: Tensor, recurrent_kernel: Tensor, recurrent_bias: Tensor | None, state: State
) -> tuple[Tensor, State]:
    """Outputs [T, B, U] and the last state, from input products z [T, B, G].

    `recurrent_kernel` is U [U, G]; `recurrent_bias` [G] is added to h_{t-1} U.
    """
    bias = tf.zeros(z.shape[-1], z.dtype) if recurrent_bias is None else recurrent_bias
    cell = cell if isinstance(cell, Differentiated) else Taped(cell)

    @tf.custom_gradient
    def differentiable(z: Tensor, kernel: Tensor, bias: Tensor, *state: Tensor) -> Any:
        gates = tuple(tf.split(z, cell.gates, -1))
        history, saved, last = run_forward(cell, gates, kernel, bias, state)

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Tensors:
            d_z, d_u, d_state = run_backward(cell, gates, kernel, history, saved, d_outputs, d_last)
            d_kernel = tf.tensordot(history[0][:-1], d_u, [[0, 1], [0, 1]])
            return d_z, d_kernel, tf.reduce_sum(d_u, [0, 1]), *d_state

        return (history[0][1:], *last), gradient

    outputs, *last = differentiable(z, recurrent_kernel, bias, *state)
    return outputs, tuple(last)


class Taped(Differentiated):
    """Any cell, its step differentiated by a gradient tape inside the backward loop."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.additive, self.gates = cell.additive, cell.gates  # type: ignore[misc]

    def forward(self, ops: Any, z: Tensors, u: Tensors, state: State) -> tuple[State, Tensors]:
        return self.cell.step(ops, z, u, state), u

    def backward(
        self, ops: Any, z: Tensors, saved: Tensors, before: State, after: State, d_after: State
    ) -> tuple[Tensors, Tensors, State]:
        u = saved
        with tf.GradientTape() as tape:
            tape.watch((z, u, before))
            again = self.cell.step(ops, z, u, before)
        return tape.gradient(  # type: ignore[no-any-return]
            again, (z, u, before), d_after, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )


def run_forward(
    cell: Differentiated, z: Tensors, kernel: Tensor, bias: Tensor, state: State
) -> tuple[Tensors, Tensors, State]:
    """The forward loop, from z [T, B, U] a gate.

    Returns every state [T + 1, B, U] with the first, what the cell saves [T, B, …], and the
    last state.
    """
    steps = time_steps(z[0])
    multiply = recurrent_product(cell, kernel, bias, state[0].shape[0])

    def advance(t: Tensor, state: State) -> tuple[State, Tensors]:
        return cell.forward(keras.ops, at(z, t), multiply(state[0]), state)

    def body(t: Tensor, state: State, history: list, saved: list) -> tuple:
        state, kept = advance(t, state)
        return t + 1, state, write(history, t + 1, state), write(saved, t, kept)

    _, kept = advance(0, state)
    history = write([buffer(part, steps + 1) for part in state], 0, state)
    loop = (tf.constant(0), tuple(state), history, [buffer(part, steps) for part in kept])
    _, state, history, saved = tf.while_loop(
        lambda t, *_: t < steps, body, loop, maximum_iterations=steps
    )
    return stack(history), stack(saved), state


def recurrent_product(cell: Cell, kernel: Tensor, bias: Tensor, batch: int | None) -> Any:
    """The function h ↦ h U + b, a tensor [B, U] for each gate.

    Where the product is small, one for each gate: XLA runs the pointwise work on a slice of
    a wide product at a third of the speed, which costs more than the wide product gains.
    """
    if (batch or 1) * kernel.shape[0] > NARROW:
        return lambda h: tuple(tf.split(tf.matmul(h, kernel) + bias, cell.gates, -1))
    kernels, biases = tf.split(kernel, cell.gates, -1), tf.split(bias, cell.gates, -1)
    return lambda h: tuple(tf.matmul(h, u) + b for u, b in zip(kernels, biases, strict=True))


def run_backward(
    cell: Differentiated,
    z: Tensors,
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
        d_z, d_u, d_state = cell.backward(keras.ops, at(z, t), at(saved, t), before, after, d_after)
        wide = tf.concat(d_u, -1)
        d_state = (d_state[0] + tf.matmul(wide, transposed), *d_state[1:])
        d_both = (wide,) if cell.additive else (wide, tf.concat(d_z, -1))
        return t - 1, d_state, write(d_products, t, d_both)

    like = tf.concat(at(z, 0), -1)
    buffers = [buffer(like, steps) for _ in range(1 if cell.additive else 2)]
    _, d_state, d_products = tf.while_loop(
        lambda t, *_: t >= 0, body, (steps - 1, tuple(d_last), buffers), maximum_iterations=steps
    )
    d_u, *d_z = stack(d_products)
    return d_z[0] if d_z else d_u, d_u, d_state


def buffer(like: Tensor, size: Tensor) -> Any:
    """A TensorArray of `size` tensors like the given one, each written once."""
    return tf.TensorArray(like.dtype, size, element_shape=like.shape)


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
