"""A cell over a batch of sequences [B, T, D] and back: what a layer has XLA compile.

The masks and the order of the outputs are Keras's.
"""

from charrnn.layers.plan import Inputs, Plan, make_cell
from charrnn.tf.backend import tf
from charrnn.tf.ops import TensorOps
from charrnn.tf.scan import Kept, scan_backward, scan_forward
from charrnn.types import State, Tensor, Weights


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
