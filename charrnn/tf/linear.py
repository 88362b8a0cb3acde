"""The recurrence without a product, h_t = a_t ⊙ h_{t-1} + b_t, for all time steps.

Its gradient is such a recurrence too, read backwards:

    g_t = dh_t + a_{t+1} ⊙ g_{t+1}        da_t = g_t ⊙ h_{t-1}        db_t = g_t

Two ways lead to the same h: step by step, T elementwise operations on [B, U]; or by prefix
sums (Blelloch 1990), log2 T on [T, B, U], which a GPU does side by side.
"""

from collections.abc import Callable

from charrnn.tf.backend import has_gpu, tf
from charrnn.tf.steps import time_steps
from charrnn.types import Tensor

Gradient = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


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
    """The faster of the two ways for a [T, B, U]."""
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
