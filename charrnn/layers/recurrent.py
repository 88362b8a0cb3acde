"""Any cell as a Keras layer."""

import random
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from charrnn.cells import CELLS, RECURRENT_KERNEL, Cell, Weight
from charrnn.errors import ConfigError
from charrnn.layers.running import Carried, Inputs, Plan, run
from charrnn.tf.network import Clipped
from charrnn.tf.start import keras, tf
from charrnn.types import Shape, State, Tensor

ROLES = ("kernel", "recurrent", "bias")
KINDS = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}
"""Arguments that there are for each role of a weight, and what reads and writes them."""
PLAIN = (
    "cell",
    "units",
    "activation",
    "recurrent_activation",
    "use_bias",
    "dropout",
    "recurrent_dropout",
    "seed",
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
)
"""Arguments that a configuration has as they are."""


def role(name: str) -> str | None:
    """Which of Keras's arguments are meant for a weight: one of `ROLES`, or none.

    Some cells have weights that no stock layer has; such a weight starts as the cell says.
    """
    if name.endswith("bias"):
        return "bias"
    if name.startswith("recurrent"):
        return "recurrent"
    return "kernel" if name == "kernel" else None


def as_in_keras(weight: Weight) -> Callable[..., Tensor]:
    """A cell's own initializer, drawn from the seed of `keras.utils.set_random_seed`."""

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
        rng = np.random.default_rng(random.getrandbits(64))
        return weight.initializer(rng, tuple(shape)).astype(dtype or "float32")

    return initialize


def specify(cell: Cell, inputs: int, units: int, use_bias: bool) -> dict[str, Weight]:
    """The weights of a layer by name, with or without those that are biases."""
    specified = cell.weights(inputs, units)
    return {name: each for name, each in specified.items() if use_bias or role(name) != "bias"}


def arguments_of(layer: "keras.layers.Layer") -> dict[str, Any]:
    """A layer's arguments by name, as a configuration has them."""
    own = {name: getattr(layer, name) for name in PLAIN}
    for kind, module in KINDS.items():
        for each in ROLES:
            name = f"{each}_{kind}"
            own[name] = module.serialize(getattr(layer, name))
    own["activity_regularizer"] = keras.regularizers.serialize(layer.activity_regularizer)
    return own


def check_sizes(cell: Cell, units: Any, **rates: Any) -> None:
    """ConfigError where the units or a rate of dropout are not for this cell."""
    if not isinstance(units, Integral) or isinstance(units, bool) or units < 1:
        raise ConfigError("it must be a whole number above zero", {"units": units})
    for name, rate in rates.items():
        if not isinstance(rate, Real) or not 0 <= float(rate) < 1:
            raise ConfigError("it must be at least 0 and below 1", {name: rate})
    if rates["recurrent_dropout"] and RECURRENT_KERNEL not in cell.weights(1, int(units)):
        why = f"the cell {cell.name} has no recurrent kernel to drop from"
        raise ConfigError(
            why, {"recurrent_dropout": rates["recurrent_dropout"]}, way_out="leave it out"
        )


def named(activation: Any) -> str | None:
    """The name of a function, given as its name or as Keras's function; None stays."""
    if activation is None or isinstance(activation, str):
        return activation
    return str(getattr(activation, "__name__", type(activation).__name__))


def find_cell(name: Any) -> type[Cell]:
    """The cell of a name; ConfigError where there is none."""
    if not isinstance(name, str) or name not in CELLS:
        way_out = f"choose one of {', '.join(CELLS)}"
        raise ConfigError("there is no such cell", {"cell": name}, way_out=way_out)
    return CELLS[name]


def check_shapes(layer: "keras.layers.Layer", inputs: Inputs) -> None:
    """ConfigError where the mask or a part of the state is not for these sequences [B, T, D]."""
    batch, steps, _ = inputs.x.shape
    told: list[tuple] = [("initial_state", part, (batch, layer.units)) for part in inputs.state]
    told += [] if inputs.mask is None else [("mask", inputs.mask, (batch, steps))]
    for setting, given, wanted in told:
        if not given.shape.is_compatible_with(wanted):
            why = (
                f"`{setting}` has the shape {tuple(given.shape)}, and for these sequences {wanted}"
            )
            raise ConfigError(f"{why} is wanted", {setting: tuple(given.shape)}, where=layer.name)


@keras.saving.register_keras_serializable("charrnn")
class RNN(keras.layers.Layer):
    """A recurrent layer with any of charrnn's cells.

        layer = RNN("peephole", 128, return_sequences=True)

    Reads [B, T, D] and returns the last output [B, U] or, with `return_sequences`, all of them
    [B, T, U]. Arguments that are not listed are those of `keras.layers.Layer`.

    Args:
        cell: The cell's name; `charrnn.cells.CELLS` has them all.
        units: U.
        activation: One of the cell's own choices; by default its first.
        recurrent_activation: The same for the gates.
        use_bias: Whether the weights named bias exist.
        kernel_initializer: Starts W; by default as the cell says, and so do the next two.
        recurrent_initializer: Starts U.
        bias_initializer: Starts b.
        kernel_regularizer: Adds to the loss what W costs; the next two likewise.
        recurrent_regularizer: For U.
        bias_regularizer: For b.
        kernel_constraint: Keeps W within bounds after each step; the next two likewise.
        recurrent_constraint: For U.
        bias_constraint: For b.
        dropout: The share of the inputs that training sets to zero, one mask for all time steps.
        recurrent_dropout: The same for U: entries of the matrix, one mask for a batch (DropConnect;
            Merity et al. 2018).
        seed: Fixes the dropout masks.
        return_sequences: Whether to return all outputs.
        return_state: Whether to return the state after the last step too, its parts one by one.
        go_backwards: Whether to read the sequences, and return the outputs, in reverse.
        stateful: Whether a batch starts in the state where the one before ended.
        unroll: Taken, and without effect: the scan is compiled, never unrolled.
        zero_output_for_mask: Whether the output at a masked step is zero and not the one before.

    Raises:
        ConfigError: The cell is unknown, or an argument is not for it.
    """

    def __init__(
        self,
        cell: str,
        units: int,
        activation: Any = None,
        recurrent_activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        bias_initializer: Any = None,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.activation, self.recurrent_activation = named(activation), named(recurrent_activation)
        self._cell_class = find_cell(cell)
        self._made = self._cell_class(self.activation, self.recurrent_activation)
        check_sizes(self._made, units, dropout=dropout, recurrent_dropout=recurrent_dropout)
        self.cell, self.units = cell, int(units)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout, self.recurrent_dropout, self.seed = dropout, recurrent_dropout, seed
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.state_size = [self.units] * len(self._made.state_names)
        self._carried = Carried()
        self.supports_masking = True
        self.supports_jit = False  # what surrounds the layer need not be compiled: the layer is
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if dropout or recurrent_dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        inputs = sequences_shape[-1]
        if inputs is None:
            raise ConfigError("the number of features of the sequences is open", where=self.name)
        for name, weight in specify(self._made, inputs, self.units, self.use_bias).items():
            bound = None if weight.bound is None else Clipped(weight.bound)
            variable = self.add_weight(
                name=name,
                shape=weight.shape,
                initializer=self.initializer_of(name) or as_in_keras(weight),
                regularizer=self._told(name, "regularizer"),
                constraint=self._told(name, "constraint") or bound,
            )
            setattr(self, f"_{name}", variable)  # SavedModels hold what an attribute names
        if self.stateful:
            self._carried.start(self, sequences_shape[0])
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: inputs})
        self.built = True

    def initializer_of(self, name: str) -> Any:
        """What starts the weight of a name; None for what the cell says."""
        return self._told(name, "initializer")

    def _told(self, name: str, kind: str) -> Any:
        """The argument of a kind that is meant for the weight of a name, or None."""
        return getattr(self, f"{role(name)}_{kind}", None)

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
        sequences_mask: Any = None,
    ) -> Any:
        """Run the cell.

        Args:
            sequences: x [B, T, D].
            initial_state: The parts of the state before, [B, U] each; by default zero.
            mask: bool [B, T], false at the steps that leave the state as it was.
            training: Whether there is dropout.
            sequences_mask: The mask that Keras sends along with x where there is an initial state.

        Returns:
            The outputs, and with `return_state` the parts of the state.
        """
        x = tf.cast(sequences, self._dtype)
        state = self._start(x, initial_state)
        x, weights = self._dropped(x, self._weights(x.shape[-1]), training)
        taken = only(mask, sequences_mask)
        taken = None if taken is None else tf.cast(taken, tf.bool)
        inputs = Inputs(x, taken, state, weights)
        check_shapes(self, inputs)
        outputs, after = run(self._plan(inputs), inputs, bool(training))
        if self.stateful:
            self._carried.assign(after)
        results = [tf.cast(each, self.compute_dtype) for each in (outputs, *after)]
        return tuple(results) if self.return_state else results[0]

    @property
    def _dtype(self) -> str:
        """What the cell computes with; half precision is for what surrounds it."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _plan(self, inputs: Inputs) -> Plan:
        return Plan(
            self._cell_class,
            (self.activation, self.recurrent_activation),
            self.return_sequences,
            self.go_backwards,
            self.zero_output_for_mask,
            inputs.x.shape[-1],
            self.units,
            inputs.mask is not None,
            self._dtype,
        )

    def _start(self, x: Tensor, initial_state: Any) -> State:
        """The state before, as the scan takes it."""
        if initial_state is None:
            self._check_batch(x.shape[0])
            initial_state = self.states or self.get_initial_state(tf.shape(x)[0])
        parts = keras.tree.flatten(initial_state)
        if len(parts) != len(self.state_size):
            names = ", ".join(self._made.state_names)
            why = f"the state of the cell {self.cell} has {len(self.state_size)} parts ({names})"
            raise ConfigError(why, {"initial_state": len(parts)}, where=self.name)
        return tuple(tf.cast(tf.convert_to_tensor(part), self._dtype) for part in parts)

    def _check_batch(self, size: int | None) -> None:
        """ConfigError where a stateful layer is called with a batch of another size."""
        kept = self.states[0].shape[0] if self.states else size
        if size not in (None, kept):
            raise ConfigError(
                f"a stateful layer keeps its batch size, {kept}, and here are {size} sequences",
                where=self.name,
                way_out="give another layer the weights of this one",
            )

    def _weights(self, inputs: int) -> dict[str, Tensor]:
        """Every weight that the cell names; zeros for the biases that the layer does not have."""
        own = {each.name: each for each in self.weights}
        return {
            name: tf.cast(tf.convert_to_tensor(own[name]), self._dtype)
            if name in own
            else tf.zeros(weight.shape, self._dtype)
            for name, weight in self._made.weights(inputs, self.units).items()
        }

    def _dropped(
        self, x: Tensor, weights: dict[str, Tensor], training: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs and weights with dropout, in training."""
        if training and self.dropout:
            shape = (tf.shape(x)[0], 1, x.shape[-1])
            x = keras.random.dropout(x, self.dropout, noise_shape=shape, seed=self.seed_generator)
        if training and self.recurrent_dropout:
            kernel = weights[RECURRENT_KERNEL]
            kernel = keras.random.dropout(kernel, self.recurrent_dropout, seed=self.seed_generator)
            weights = weights | {RECURRENT_KERNEL: kernel}
        return x, weights

    def compute_output_shape(self, sequences_shape: Shape, *others: Any, **more: Any) -> Any:
        batch, steps, _ = sequences_shape
        outputs = (batch, steps, self.units) if self.return_sequences else (batch, self.units)
        states = [(batch, units) for units in self.state_size]
        return (outputs, *states) if self.return_state else outputs

    def compute_mask(self, _: Any, mask: Any) -> Any:
        kept = only(mask) if self.return_sequences else None
        return [kept, *(None for _ in self.state_size)] if self.return_state else kept

    @property
    def states(self) -> list | None:
        """The state that a stateful layer carries, as variables; None before there is one."""
        return self._carried.parts or None

    def get_initial_state(self, batch_size: Any) -> list[Tensor]:
        """Zeros, [B, U] for each part."""
        return [tf.zeros((batch_size, units), self._dtype) for units in self.state_size]

    def reset_state(self) -> None:
        """Let the next batch begin at zero."""
        for part in self._carried.parts:
            part.assign(keras.ops.zeros_like(part))

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **arguments_of(self)}


def only(*masks: Any) -> "Tensor | None":
    return next((each for each in keras.tree.flatten(masks) if each is not None), None)
