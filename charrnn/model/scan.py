"""Running a cell over time, with a backward loop of its own.

Automatic differentiation of a loop accumulates the gradient of the recurrent weights step
by step. Here the backward loop carries only du_t U^T from step to step, and the gradient
of U is one large product after it:

    dU = Σ_t h_{t-1}^T du_t = [h_0 … h_{T-1}]^T [du_1 … du_T]

Shapes: T time, B batch, U units, G the cell's gates · U. Time stands first, so that a
step's slice is contiguous.
"""

from typing import Any

from charrnn.cells import Cell, State
from charrnn.model.backend import keras, tf

Tensor = Any


def scan_cell(
    cell: Cell, z: Tensor, recurrent_kernel: Tensor, recurrent_bias: Tensor | None, state: State
) -> tuple[Tensor, State]:
    """Outputs [T, B, U] and the last state, from input products z [T, B, G].

    `recurrent_kernel` is U [U, G]; `recurrent_bias` [G] is added to h_{t-1} U.
    """
    bias = tf.zeros(z.shape[-1], z.dtype) if recurrent_bias is None else recurrent_bias

    @tf.custom_gradient
    def differentiable(z: Tensor, kernel: Tensor, bias: Tensor, *state: Tensor) -> Any:
        history, u, last = run_forward(cell, z, kernel, bias, state)

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> tuple[Tensor, ...]:
            return run_backward(cell, z, kernel, history, u, d_outputs, d_last)

        return (history[0][1:], *last), gradient

    outputs, *last = differentiable(z, recurrent_kernel, bias, *state)
    return outputs, tuple(last)


def run_forward(
    cell: Cell, z: Tensor, kernel: Tensor, bias: Tensor, state: State
) -> tuple[tuple[Tensor, ...], Tensor, State]:
    """The forward loop: every state [T + 1, B, U] with the first, u [T, B, G], the last state."""
    steps = time_steps(z)

    def body(t: Tensor, state: State, history: list, products: Any) -> tuple:
        u = tf.matmul(state[0], kernel) + bias
        state = cell.step(keras.ops, z[t], u, state)
        history = [array.write(t + 1, part) for array, part in zip(history, state, strict=True)]
        return t + 1, state, history, products.write(t, u)

    history = [buffer(part, steps + 1).write(0, part) for part in state]
    loop = (tf.constant(0), tuple(state), history, buffer(z[0], steps))
    _, state, history, products = tf.while_loop(
        lambda t, *_: t < steps, body, loop, maximum_iterations=steps
    )
    return tuple(array.stack() for array in history), products.stack(), state


def run_backward(
    cell: Cell,
    z: Tensor,
    kernel: Tensor,
    history: tuple[Tensor, ...],
    u: Tensor,
    d_outputs: Tensor,
    d_last: State,
) -> tuple[Tensor, ...]:
    """Gradients of z, U, its bias and the first state, from those of outputs and last state."""
    steps = time_steps(z)
    transposed = tf.transpose(kernel)

    def body(t: Tensor, d_state: State, d_z: Any, d_u: Any) -> tuple:
        d_state = (d_state[0] + d_outputs[t], *d_state[1:])
        before = tuple(part[t] for part in history)
        d_zt, d_ut, d_before = step_gradient(cell, z[t], u[t], before, d_state)
        d_before = (d_before[0] + tf.matmul(d_ut, transposed), *d_before[1:])
        return t - 1, d_before, d_z.write(t, d_zt), d_u.write(t, d_ut)

    loop = (steps - 1, tuple(d_last), buffer(z[0], steps), buffer(z[0], steps))
    _, d_state, d_z, d_u = tf.while_loop(lambda t, *_: t >= 0, body, loop, maximum_iterations=steps)
    d_u = d_u.stack()
    d_kernel = tf.tensordot(history[0][:-1], d_u, [[0, 1], [0, 1]])
    return d_z.stack(), d_kernel, tf.reduce_sum(d_u, [0, 1]), *d_state


def step_gradient(
    cell: Cell, z: Tensor, u: Tensor, state: State, d_after: State
) -> tuple[Tensor, Tensor, State]:
    """Gradients of one step's z, u and state before, from that of the state after."""
    with tf.GradientTape() as tape:
        tape.watch((z, u, state))
        after = cell.step(keras.ops, z, u, state)
    return tape.gradient(  # type: ignore[no-any-return]
        after, (z, u, state), d_after, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


def buffer(like: Tensor, size: Tensor) -> Any:
    """A TensorArray of `size` tensors like the given one, each written once."""
    return tf.TensorArray(like.dtype, size, element_shape=like.shape)


def time_steps(z: Tensor) -> Any:
    """T, as a number where it is known."""
    return z.shape[0] if z.shape[0] is not None else tf.shape(z)[0]
