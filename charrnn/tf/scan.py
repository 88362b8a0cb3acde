"""Running a cell over time, with a backward loop of its own.

Automatic differentiation of a loop accumulates the gradient of the recurrent weights step
by step. Here the backward loop carries only the gradient of the state from step to step, and
the gradient of U is one large product after it:

    dU = Σ_t h_{t-1}^T du_t = [h_0 … h_{T-1}]^T [du_1 … du_T]

Time stands first, so that a step's slice is contiguous. z and its gradient stay one wide
tensor [T, B, G], as the products before and after the loop want it; what the forward loop
saves is a tensor [T, B, …] for each part, which the backward loop's pointwise work reads
fastest. A step that works on columns instead transposes all of it, to [T, G, B] and states
[U, B].
"""

from collections.abc import Callable

from charrnn.cells import Cell, Differentiated, Linear
from charrnn.tf.ops import TensorOps
from charrnn.tf.start import has_gpu, tf
from charrnn.tf.steps import ByHand, ByTape, InColumns, Parts, Step, columns_pay, time_steps
from charrnn.types import State, Tensor, Weights

Gradient = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
Kept = tuple[Parts, Parts]
"""What the backward loop wants to see again: every state, and what the step saved."""


def linear_scan(a: Tensor, b: Tensor, first: Tensor) -> Tensor:
    """h [T, B, U] from a and b [T, B, U] and the state before, [B, U]."""

    @tf.custom_gradient
    def differentiable(a: Tensor, b: Tensor, first: Tensor) -> tuple[Tensor, Gradient]:
        h = choose_way(a)(a, b, first)
        return h, lambda d_h: linear_gradient(a, h, first, d_h)

    return differentiable(a, b, first)


def linear_gradient(
    a: Tensor, h: Tensor, first: Tensor, d_h: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of a, of b and of the state before, from that of h [T, B, U]."""
    next_a = tf.concat([a[1:], tf.zeros_like(a[:1])], 0)
    back = choose_way(a)(tf.reverse(next_a, [0]), tf.reverse(d_h, [0]), first * 0)
    g = tf.reverse(back, [0])
    return g * tf.concat([first[None], h[:-1]], 0), g, a[0] * g[0]


def choose_way(a: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return by_prefix_sums if a.shape[0] is not None and has_gpu() else step_by_step


def step_by_step(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """The recurrence as a loop over T."""
    steps = time_steps(a)

    def body(t: Tensor, h: Tensor, outputs: tf.TensorArray) -> tuple:
        h = a[t] * h + b[t]
        return t + 1, h, outputs.write(t, h)

    outputs = tf.TensorArray(a.dtype, steps, element_shape=h.shape)
    loop = (tf.constant(0), h, outputs)
    _, _, outputs = tf.while_loop(lambda t, *_: t < steps, body, loop, maximum_iterations=steps)
    return outputs.stack()


def by_prefix_sums(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """The recurrence by doubling: after k rounds each step has taken in the 2^k before it."""
    offset, steps = 1, a.shape[0]
    while offset < steps:
        b = tf.concat([b[:offset], a[offset:] * b[:-offset] + b[offset:]], 0)
        a = tf.concat([a[:offset], a[offset:] * a[:-offset]], 0)
        offset *= 2
    return a * h + b


class Masked(Step):
    """Another step, taken only where the mask says so.

    Args:
        step: The step.
        mask: bool [T, B], true where the step is taken.
    """

    def __init__(self, step: Step, mask: Tensor) -> None:
        super().__init__(step.cell, step.z, step.weights)
        self.step, self.mask = step, step.transpose(mask[..., None])

    def transpose(self, tensor: Tensor) -> Tensor:  # type: ignore[override]
        return self.step.transpose(tensor)

    def zero_sums(self, state: State) -> Parts:
        return self.step.zero_sums(state)

    def forward(self, t: Tensor, state: State) -> tuple[State, Parts]:
        after, saved = self.step.forward(t, state)
        return self.choose(t, after, state), saved

    def backward(
        self, t: Tensor, saved: Parts, before: State, after: State, d_after: State, summed: Parts
    ) -> tuple[State, Parts, Parts]:
        zeros = tuple(map(tf.zeros_like, d_after))
        d_taken, d_kept = self.choose(t, d_after, zeros), self.choose(t, zeros, d_after)
        d_before, own, summed = self.step.backward(t, saved, before, after, d_taken, summed)
        return tuple(a + b for a, b in zip(d_before, d_kept, strict=True)), own, summed

    def gradients(
        self, history: Parts, step_gradients: Parts, summed: Parts
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.step.gradients(history, step_gradients, summed)

    def choose(self, t: Tensor, taken: State, kept: State) -> State:
        pairs = zip(taken, kept, strict=True)
        return tuple(tf.where(self.mask[t], one, other) for one, other in pairs)


def scan_cell(
    cell: Cell, z: Tensor, weights: Weights, state: State, mask: "Tensor | None" = None
) -> tuple[Tensor, State]:
    """A cell run over all time steps.

    Args:
        cell: The cell.
        z: The input products x_t W, [T, B, G].
        weights: The cell's weights, prepared, with its bias and without its kernel.
        state: The state before, [B, U] each part.
        mask: bool [T, B], false at the steps that leave a sequence's state as it was; by default
            there are none.

    Returns:
        The outputs [T, B, U], each the first part of a step's state, and the state after the
        last time step.
    """
    if isinstance(cell, Linear):
        a, b = linear_coefficients(cell, z, weights, mask)
        outputs = linear_scan(a, b, state[0])
        return outputs, (outputs[-1],)

    @tf.custom_gradient
    def differentiable(z: Tensor, state: Parts, *values: Tensor) -> tuple[Parts, Callable]:
        step = make_step(cell, z, dict(zip(weights, values, strict=True)), mask)
        outputs, last, history, saved = forward(step, state)

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Parts:
            d_z, d_state, d_weights = backward(step, history, saved, d_outputs, d_last)
            return d_z, d_state, *(d_weights[name] for name in weights)

        return (outputs, *last), gradient

    outputs, *last = differentiable(z, state, *weights.values())
    return outputs, tuple(last)


def scan_forward(
    cell: Cell, z: Tensor, weights: Weights, state: State, mask: "Tensor | None" = None
) -> tuple[Tensor, State, Kept]:
    """`scan_cell` without its gradient: what `scan_backward` wants to see again comes third.

    The two halves are for a caller that compiles each on its own.
    """
    if isinstance(cell, Linear):
        outputs, last = scan_cell(cell, z, weights, state, mask)
        return outputs, last, ((), (outputs,))
    outputs, last, history, saved = forward(make_step(cell, z, weights, mask), state)
    return outputs, last, (history, saved)


def scan_backward(
    cell: Cell,
    z: Tensor,
    weights: Weights,
    state: State,
    mask: "Tensor | None",
    kept: Kept,
    d_outputs: Tensor,
    d_last: State,
) -> tuple[Tensor, State, Weights]:
    """The gradients of z, of the state before and of the weights by name.

    Args:
        cell: As for `scan_cell`, and so are the next four.
        z: [T, B, G].
        weights: By name.
        state: [B, U] each part.
        mask: bool [T, B], or None.
        kept: The third result of `scan_forward`.
        d_outputs: The gradient of the outputs, [T, B, U].
        d_last: The gradient of the state after, [B, U] each part.
    """
    if isinstance(cell, Linear):
        _, (outputs,) = kept
        return linear_backward(cell, z, weights, state, mask, outputs, d_outputs, d_last)
    step = make_step(cell, z, weights, mask)
    step.forward(0, transpose_states(step, state))  # by which it learns which products there are
    return backward(step, *kept, d_outputs, d_last)


def make_step(cell: Cell, z: Tensor, weights: Weights, mask: "Tensor | None") -> Step:
    step = choose_step(cell, z)(cell, z, weights)
    return step if mask is None else Masked(step, mask)


def forward(step: Step, state: State) -> tuple[Tensor, State, Parts, Parts]:
    history, saved, last = run_forward(step, transpose_states(step, state))
    return step.transpose(history[0])[1:], transpose_states(step, last), history, saved


def backward(
    step: Step, history: Parts, saved: Parts, d_outputs: Tensor, d_last: State
) -> tuple[Tensor, State, Weights]:
    """The gradients of z, of the state before and of the weights by name."""
    d_outputs, d_last = step.transpose(d_outputs), transpose_states(step, d_last)
    d_state, own, summed = run_backward(step, history, saved, d_outputs, d_last)
    d_z, d_weights = step.gradients(history, own, summed)
    return d_z, transpose_states(step, d_state), d_weights


def linear_coefficients(
    cell: Linear, z: Tensor, weights: Weights, mask: "Tensor | None"
) -> tuple[Tensor, Tensor]:
    """a and b [T, B, U] of every time step: 1 and 0 at those that leave the state as it was."""
    a, b = cell.coefficients(TensorOps(), z + weights["bias"])
    if mask is None:
        return a, b
    taken = mask[..., None]
    return tf.where(taken, a, tf.ones((), a.dtype)), tf.where(taken, b, tf.zeros((), b.dtype))


def linear_backward(
    cell: Linear,
    z: Tensor,
    weights: Weights,
    state: State,
    mask: "Tensor | None",
    outputs: Tensor,
    d_outputs: Tensor,
    d_last: State,
) -> tuple[Tensor, State, Weights]:
    """`scan_backward` of a linear cell: its coefficients are computed again."""
    with tf.GradientTape() as tape:
        tape.watch((z, weights))
        a, b = linear_coefficients(cell, z, weights, mask)
    d_outputs = tf.concat([d_outputs[:-1], d_outputs[-1:] + d_last[0]], 0)
    d_a, d_b, d_first = linear_gradient(a, outputs, state[0], d_outputs)
    d_z, d_weights = tape.gradient(
        (a, b), (z, weights), (d_a, d_b), unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return d_z, (d_first,), d_weights


def choose_step(cell: Cell, z: Tensor) -> type[Step]:
    """The kind of step that is fastest for a cell and z [T, B, G]."""
    if not isinstance(cell, Differentiated):
        return ByTape
    return InColumns if columns_pay(cell, z) else ByHand


def run_forward(step: Step, state: State) -> tuple[Parts, Parts, State]:
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
    step: Step, history: Parts, saved: Parts, d_outputs: Tensor, d_last: State
) -> tuple[State, Parts, Parts]:
    """The backward loop: the gradient of the first state, the steps' gradients, and the sums."""
    steps = time_steps(d_outputs)

    def retreat(t: Tensor, d_state: State, summed: Parts) -> tuple[State, Parts, Parts]:
        d_after = (d_state[0] + d_outputs[t], *d_state[1:])
        before, after = at(history, t), at(history, t + 1)
        return step.backward(t, at(saved, t), before, after, d_after, summed)

    def body(t: Tensor, d_state: State, summed: Parts, gathered: list) -> tuple:
        after, values, sums = retreat(t, d_state, summed)
        for new, old in zip((*after, *sums), (*d_state, *summed), strict=True):
            new.set_shape(old.shape)  # where the batch's size is open, that of U may get lost
        return t - 1, after, sums, write(gathered, t, values)

    d_last = tuple(d_last)
    summed = step.zero_sums(d_last)
    _, values, _ = retreat(0, d_last, summed)
    loop = (steps - 1, d_last, summed, buffers(values, steps))
    _, d_state, summed, gathered = tf.while_loop(
        lambda t, *_: t >= 0, body, loop, maximum_iterations=steps
    )
    return d_state, stack(gathered), summed


def transpose_states(step: Step, tensors: Parts) -> Parts:
    """States [..., B, U] as the step has them, and back."""
    return tuple(step.transpose(tensor) for tensor in tensors)


def buffers(like: Parts, size: Tensor) -> list:
    return [tf.TensorArray(each.dtype, size, element_shape=each.shape) for each in like]


def write(arrays: list, t: Tensor, values: Parts) -> list:
    """The arrays with a value each at place t."""
    return [array.write(t, value) for array, value in zip(arrays, values, strict=True)]


def stack(arrays: list) -> Parts:
    return tuple(array.stack() for array in arrays)


def at(tensors: Parts, t: Tensor) -> Parts:
    """Each tensor's slice at time t."""
    return tuple(tensor[t] for tensor in tensors)
