"""A cell over a batch of sequences [B, T, D] and back: what a layer has XLA compile.

The masks and the order of the outputs are Keras's.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from charrnn.cells import Cell
from charrnn.errors import ConfigError
from charrnn.tf.limits import cores
from charrnn.tf.network import STOCK
from charrnn.tf.ops import TensorOps
from charrnn.tf.parts import PART_NUMBERS
from charrnn.tf.scan import Kept, scan_backward, scan_forward
from charrnn.tf.start import has_gpu, keras, tf
from charrnn.types import State, Tensor, Weights

LEAST_BATCH = 8
"""Sequences from which on a batch is cut."""


class Carried(tf.Module):
    """The state that goes on from batch to batch: variables, but no weights of the layer.

    As a module it is in a SavedModel of the layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: list = []

    def start(self, layer: "keras.layers.Layer", batch_size: int | None) -> None:
        """Make the variables, for batches of this size."""
        if batch_size is None:
            raise ConfigError(
                "a stateful layer needs to know the batch size",
                where=layer.name,
                way_out="give keras.Input a `batch_size`",
            )
        zeros = layer.get_initial_state(batch_size)
        self.parts = [keras.Variable(each, trainable=False, name="state") for each in zeros]

    def assign(self, state: State) -> None:
        """Take the state after a batch."""
        for part, value in zip(self.parts, state, strict=True):
            part.assign(value)


def halves_pay(size: int | None, units: int) -> bool:
    """Whether a batch is faster in halves; one of open size is taken to be of a usual one."""
    if cores() < 2 or has_gpu():
        return False
    return size is None or LEAST_BATCH <= size <= 2 * PART_NUMBERS // units


def batch_size(tensor: Tensor) -> "int | Tensor":
    return tensor.shape[0] if tensor.shape[0] is not None else tf.shape(tensor)[0]


def halves_of(tensors: Any) -> list:
    """Tensors [B, …] of any structure, cut in two along B; None stays."""
    edge = batch_size(tf.nest.flatten(tensors)[0]) // 2

    def cut(start: Any, end: Any) -> Any:
        def rows(each: Any) -> Any:
            return None if each is None else each[start:end]

        return tf.nest.map_structure(rows, tensors)

    return [cut(None, edge), cut(edge, None)]


def concatenate_halves(one: Any, other: Any) -> Any:
    return tf.nest.map_structure(lambda *both: tf.concat(both, 0), one, other)


class Plan(NamedTuple):
    """How a layer runs its cell. Layers with the same plan share what is compiled."""

    cell: type[Cell]
    choices: tuple[str | None, str | None]
    """The cell's activation and recurrent activation."""
    return_sequences: bool
    go_backwards: bool
    zero_output_for_mask: bool
    inputs: int
    """D; with the next three it keeps apart what is compiled for different tensors."""
    units: int
    masked: bool
    dtype: str


class Inputs(NamedTuple):
    """What a layer computes with."""

    x: Tensor
    """[B, T, D]"""
    mask: "Tensor | None"
    """bool [B, T], or None."""
    state: State
    """The parts of the state before, [B, U] each."""
    weights: Weights
    """The cell's weights by name."""

    def halves(self) -> "list[Inputs]":
        cut = halves_of((self.x, self.mask, self.state))
        return [Inputs(x, mask, state, self.weights) for x, mask, state in cut]


def make_cell(plan: Plan) -> Cell:
    return plan.cell(*plan.choices)


def forward(plan: Plan, keep: bool, inputs: Inputs) -> tuple[Tensor, State, "Kept | tuple[()]"]:
    """The outputs, the state after, and with `keep` what `backward` wants to see again."""
    x, mask = in_time(plan, inputs.x), in_time(plan, inputs.mask)
    z, weights = prepare(plan, x, inputs.weights)
    outputs, after, kept = scan_forward(make_cell(plan), z, weights, inputs.state, mask)
    return shown(plan, outputs, after, mask), after, kept if keep else ()


def backward(plan: Plan, inputs: Inputs, kept: Kept, d_outputs: Tensor, d_after: State) -> Inputs:
    """The gradient of everything that `forward` took."""
    x, mask = in_time(plan, inputs.x), in_time(plan, inputs.mask)
    with tf.GradientTape() as tape:
        tape.watch((x, inputs.weights))
        z, weights = prepare(plan, x, inputs.weights)
    d_outputs = unshown(plan, d_outputs, mask, tf.shape(x)[0])
    d_z, d_state, d_weights = scan_backward(
        make_cell(plan), z, weights, inputs.state, mask, kept, d_outputs, d_after
    )
    d_x, d_own = tape.gradient(
        (z, weights),
        (x, inputs.weights),
        (d_z, d_weights),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return Inputs(in_time(plan, d_x, back=True), None, d_state, d_own)


def prepare(plan: Plan, x: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
    """The input products [T, B, G] of x [T, B, D], and what else the scan takes."""
    ops = TensorOps()
    prepared = make_cell(plan).prepare(ops, weights)
    return ops.matmul(x, prepared.pop("kernel")), prepared


def in_time(plan: Plan, x: "Tensor | None", *, back: bool = False) -> "Tensor | None":
    """Sequences [B, T, …] with time first, in the order in which they are read; or back again."""
    if x is None:
        return None
    x = tf.reverse(x, [0]) if plan.go_backwards and back else x
    x = tf.transpose(x, [1, 0, *range(2, len(x.shape))])
    return tf.reverse(x, [0]) if plan.go_backwards and not back else x


def shown(plan: Plan, outputs: Tensor, after: State, mask: "Tensor | None") -> Tensor:
    """Of all outputs [T, B, U] what the layer returns.

    The last one is taken from the state after, so that without `keep` nothing asks for the others,
    and XLA leaves them out of the loop.
    """
    everything = plan.return_sequences
    outputs = outputs if everything else after[0][None]
    if mask is not None:
        seen = visible(plan, mask)
        outputs = tf.where(seen if everything else seen[-1:], outputs, tf.zeros((), outputs.dtype))
    return tf.transpose(outputs, [1, 0, 2]) if everything else outputs[0]


def unshown(plan: Plan, d_shown: Tensor, mask: "Tensor | None", steps: Tensor) -> Tensor:
    """The gradient of all outputs [T, B, U], from that of what the layer returns."""
    if plan.return_sequences:
        d_outputs = tf.transpose(d_shown, [1, 0, 2])
    else:
        d_outputs = tf.pad(d_shown[None], [[steps - 1, 0], [0, 0], [0, 0]])
    if mask is None:
        return d_outputs
    return tf.where(visible(plan, mask), d_outputs, tf.zeros((), d_outputs.dtype))


def visible(plan: Plan, mask: Tensor) -> Tensor:
    """Where there is an output, bool [T, B, 1]: not before the first step that is not masked.

    There the scan gives the initial state, and Keras zero. At a later masked step the output is
    the one before, as the state is; or zero, if the plan says so.
    """
    if not plan.zero_output_for_mask:
        mask = tf.cumsum(tf.cast(mask, tf.int32), 0) > 0
    return mask[..., None]


def on_cudnn(plan: Plan) -> bool:
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
        batch = x.shape[0]
        outputs, after, kept = grouped(batch, run_forward, plan, training)(given)

        def gradient(*d_results: Tensor) -> list[Tensor]:
            def look_back() -> list[Tensor]:
                d_outputs, *d_after = map(tf.stop_gradient, d_results)
                again = kept if training else grouped(batch, run_forward, plan, True)(given)[2]
                looked_back = grouped(batch, run_backward, plan)
                d = looked_back(given, again, d_outputs, tuple(d_after))
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

    def run(inputs: Inputs) -> tuple[Tensor, State, Any]:
        result: tuple[Tensor, State, Any] = compiled(inputs.x.shape[0], forward, plan, keep)(inputs)
        return result

    if not halves_pay(inputs.x.shape[0], plan.units):
        return run(inputs)
    (outputs, after, kept), (more, more_after, more_kept) = map(run, inputs.halves())
    return (
        concatenate_halves(outputs, more),
        concatenate_halves(after, more_after),
        (kept, more_kept),
    )


def run_backward(
    plan: Plan, inputs: Inputs, kept: Any, d_outputs: Tensor, d_after: State
) -> Inputs:
    """`backward`, in halves where the way forward was."""

    def run(inputs: Inputs, *others: Any) -> Inputs:
        result: Inputs = compiled(inputs.x.shape[0], backward, plan)(inputs, *others)
        return result

    if not halves_pay(inputs.x.shape[0], plan.units):
        return run(inputs, kept, d_outputs, d_after)
    cut = zip(inputs.halves(), kept, halves_of(d_outputs), halves_of(d_after), strict=True)
    one, other = (run(*each) for each in cut)
    return Inputs(
        concatenate_halves(one.x, other.x),
        None,
        concatenate_halves(one.state, other.state),
        {name: each + other.weights[name] for name, each in one.weights.items()},
    )


@cache
def grouped(batch: int | None, function: Callable, *fixed: Any) -> Callable:
    """A function of this module, as a graph whose compiled parts run side by side.

    There is one for each size of the batch, or XLA could not compile what surrounds a layer.
    """
    return as_function(function, fixed, jit_compile=False)


@cache
def compiled(batch: int | None, function: Callable, *fixed: Any) -> Callable:
    """A function of this module, compiled by XLA, for a size of the batch."""
    return as_function(function, fixed, jit_compile=True)


def as_function(function: Callable, fixed: tuple, **options: Any) -> Callable:
    """TensorFlow's form of a function with its first arguments fixed."""

    def traced(*tensors: Any) -> Any:
        return function(*fixed, *tensors)

    result: Callable = tf.function(traced, autograph=False, reduce_retracing=True, **options)
    return result
