"""A layer's cell, run over a batch by compiled functions, whatever the program around it is.

The scan is fast only where XLA compiles it. So a layer calls compiled functions of its own, one
forward and one backward: each is compiled once for each shape.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from charrnn.layers.cudnn import on_cudnn, run_on_cudnn
from charrnn.layers.halves import batch_size, either, halves_of, joined, nothing_like
from charrnn.layers.plan import Inputs, Plan
from charrnn.layers.sequences import backward, forward
from charrnn.tf.backend import tf
from charrnn.types import State, Tensor


def run(plan: Plan, inputs: Inputs, training: bool) -> tuple[Tensor, State]:
    """The outputs [B, T, U], or the last one [B, U], and the state after.

    What the gradient needs is kept in training alone; elsewhere a gradient, should one be asked
    for, runs the forward loop again.
    """
    if on_cudnn(plan):
        return run_on_cudnn(plan, inputs)
    names, parts = list(inputs.weights), len(inputs.state)

    @tf.custom_gradient
    def differentiable(*tensors: Tensor) -> tuple[tuple[Tensor, ...], Callable]:
        x, *rest = map(tf.stop_gradient, tensors)  # or a tape would look into what is compiled
        state, weights = tuple(rest[:parts]), dict(zip(names, rest[parts:], strict=True))
        given = Inputs(x, inputs.mask, state, weights)
        outputs, after, kept = grouped(run_forward, plan, training)(given)

        def gradient(*d_results: Tensor) -> list[Tensor]:
            def look_back() -> list[Tensor]:
                d_outputs, *d_after = map(tf.stop_gradient, d_results)
                again = kept if training else grouped(run_forward, plan, True)(given)[2]
                d = grouped(run_backward, plan)(given, again, d_outputs, tuple(d_after))
                return [d.x, *d.state, *(d.weights[name] for name in names)]

            return only_first(look_back, *tensors, *d_results)

        return (outputs, *after), gradient

    outputs, *after = differentiable(inputs.x, *inputs.state, *inputs.weights.values())
    return outputs, tuple(after)


def only_first(gradient: Callable, *watched: Tensor) -> list[Tensor]:
    """A gradient, without one of its own: an error for who asks, where a number would be wrong."""

    def refuse(*_: Tensor) -> None:
        raise NotImplementedError(
            "the layers of charrnn have no second derivatives; "
            "keras.layers.LSTM, GRU and SimpleRNN have, and take the same weights"
        )

    result: list[Tensor] = tf.custom_gradient(lambda *_: (gradient(), refuse))(*watched)
    return result


def run_forward(plan: Plan, keep: bool, inputs: Inputs) -> tuple[Tensor, State, Any]:
    """`forward`, of both halves of the batch side by side where that is faster."""
    run = compiled(forward, plan, keep)

    def whole() -> tuple[Tensor, State, Any]:
        outputs, after, kept = run(inputs)
        return outputs, after, (kept, nothing_like(kept))

    def halves() -> tuple[Tensor, State, Any]:
        (outputs, after, kept), (more, more_after, more_kept) = map(run, inputs.halves())
        return joined(outputs, more), joined(after, more_after), (kept, more_kept)

    result: tuple[Tensor, State, Any] = either(batch_size(inputs.x), plan.units, halves, whole)
    return result


def run_backward(
    plan: Plan, inputs: Inputs, kept: Any, d_outputs: Tensor, d_after: State
) -> Inputs:
    """`backward`, in halves where the way forward was."""
    run = compiled(backward, plan)

    def whole() -> Inputs:
        result: Inputs = run(inputs, kept[0], d_outputs, d_after)
        return result

    def halves() -> Inputs:
        cut = zip(inputs.halves(), kept, halves_of(d_outputs), halves_of(d_after), strict=True)
        one, other = (run(*each) for each in cut)
        weights = {name: each + other.weights[name] for name, each in one.weights.items()}
        return Inputs(joined(one.x, other.x), None, joined(one.state, other.state), weights)

    if any(each.shape.num_elements() == 0 for each in tf.nest.flatten(kept[1])):
        return whole()  # of the other half nothing was kept, however open the size is here
    result: Inputs = either(batch_size(inputs.x), plan.units, halves, whole)
    return result


@cache
def grouped(function: Callable, *fixed: Any) -> Callable:
    """A function of this module, as a graph whose compiled parts run side by side."""
    return as_function(function, fixed, jit_compile=False)


@cache
def compiled(function: Callable, *fixed: Any) -> Callable:
    """A function of this module, compiled by XLA."""
    return as_function(function, fixed, jit_compile=True)


def as_function(function: Callable, fixed: tuple, **options: Any) -> Callable:
    """TensorFlow's form of a function with its first arguments fixed."""

    def traced(*tensors: Any) -> Any:
        return function(*fixed, *tensors)

    result: Callable = tf.function(traced, autograph=False, reduce_retracing=True, **options)
    return result
