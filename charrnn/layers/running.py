"""A cell run over a batch of sequences, compiled, whatever the program around it is.

The scan is fast only where XLA compiles it. So a layer calls a compiled function of its own:
TensorFlow compiles it, and its gradient, once for each shape.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from charrnn.cells import Cell
from charrnn.model.backend import tf
from charrnn.model.ops import TensorOps
from charrnn.model.scan import scan_cell
from charrnn.types import State, Tensor


class Plan(NamedTuple):
    """How a layer runs its cell. Layers with the same plan share what is compiled."""

    cell: type[Cell]
    choices: tuple[str | None, str | None]
    """The cell's activation and recurrent activation."""
    return_sequences: bool
    go_backwards: bool
    zero_output_for_mask: bool


Runner = Callable[[Tensor, "Tensor | None", State, Mapping[str, Tensor]], tuple[Tensor, State]]
"""From x [B, T, D], a mask [B, T] or None, the state and the weights to outputs and new state."""


@cache
def runner(plan: Plan) -> Runner:
    """The compiled function of a plan."""

    def run(
        x: Tensor, mask: "Tensor | None", state: State, weights: Mapping[str, Tensor]
    ) -> tuple[Tensor, State]:
        return run_sequences(plan, x, mask, state, weights)

    compiled: Runner = tf.function(run, jit_compile=True, autograph=False, reduce_retracing=True)
    return compiled


def run_sequences(
    plan: Plan, x: Tensor, mask: "Tensor | None", state: State, weights: Mapping[str, Tensor]
) -> tuple[Tensor, State]:
    """The outputs [B, T, U], or the last one [B, U], and the state after."""
    cell, ops = plan.cell(*plan.choices), TensorOps()
    prepared = cell.prepare(ops, weights)
    x, mask = in_time(plan, x), None if mask is None else in_time(plan, mask)
    z = ops.matmul(x, prepared.pop("kernel"))
    outputs, after = scan_cell(cell, z, prepared, state, mask)
    if mask is not None:
        outputs = masked_outputs(plan, outputs, mask)
    if plan.return_sequences:
        return tf.transpose(outputs, [1, 0, 2]), after
    return after[0] if mask is None else outputs[-1], after


def in_time(plan: Plan, x: Tensor) -> Tensor:
    """Sequences [B, T, …] with time first, in the order in which they are read."""
    x = tf.transpose(x, [1, 0, *range(2, len(x.shape))])
    return tf.reverse(x, [0]) if plan.go_backwards else x


def masked_outputs(plan: Plan, outputs: Tensor, mask: Tensor) -> Tensor:
    """Outputs [T, B, U] as Keras has them: at a masked step the one before, zero if there is none.

    Without an output before, the scan gives that of the initial state.
    """
    shown = mask
    if not plan.zero_output_for_mask:
        shown = tf.cumsum(tf.cast(mask, tf.int32), 0) > 0
    return tf.where(shown[..., None], outputs, tf.zeros((), outputs.dtype))
