"""The arguments of a layer: which there are, what they may be, and how a file has them."""

from numbers import Integral, Real
from typing import Any

from charrnn.cells import CELLS, RECURRENT_KERNEL, Cell
from charrnn.errors import ConfigError
from charrnn.layers.plan import Inputs
from charrnn.layers.weights import ROLES
from charrnn.tf.backend import keras

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
