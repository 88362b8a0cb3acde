"""A network of Keras, from its layers and their arrays, whatever file they came from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from charrnn.importing.foreign import Foreign, UnreadableError, recurrent_layer
from charrnn.plain import quoted
from charrnn.types import Tensors

SILENT: tuple[str, ...] = (
    "InputLayer",
    "Dropout",
    "SpatialDropout1D",
    "GaussianNoise",
    "GaussianDropout",
)
SILENT += ("AlphaDropout", "Masking", "Softmax")
"""Layers that do nothing when the network writes."""
CELLS = {"LSTM": "lstm", "CuDNNLSTM": "lstm", "GRU": "gru", "CuDNNGRU": "gru", "SimpleRNN": "rnn"}
GATES = {"lstm": "ifgo", "gru": "zrg", "rnn": "h"}
"""Keras's order: i, f, c, o and z, r, h."""
BIDIRECTIONAL = "it reads what follows, too", "charrnn's networks read in one direction"
NO_PLACE = {
    "Bidirectional": BIDIRECTIONAL,
    "AttentionWeightedAverage": ("textgenrnn looks back over 40 characters by attention", ""),
    "BatchNormalization": ("batch normalisation has no place in charrnn's networks", ""),
}
"""Why some layers cannot be read, and what to do."""
STEEPER = 1.2
"""hard_sigmoid was clip(0.2 x + 0.5) until Keras 3; clip(x / 6 + 0.5) of 1.2 x is the same."""


@dataclass(frozen=True)
class Layer:
    """A layer: its class, its settings, and its arrays by name."""

    kind: str
    config: Mapping[str, Any]
    arrays: Tensors
    """By their names in Keras 2 (`kernel`, `recurrent_kernel`, `bias`, `embeddings`), or those of
    Keras 1 without the layer's (`W_i`, `U_i`, `b_i`, …)."""
    name: str = ""


@dataclass(frozen=True)
class Functions:
    """What the file or the user says of the activations where a layer's settings do not."""

    activation: str | None = None
    recurrent_activation: str | None = None
    default: str | None = None
    """The gates' function that this version of Keras has where nothing else is said; None where the
    version is not known."""
    steep: bool = False
    """Whether hard_sigmoid has the slope 1/6, as since Keras 3."""


def network(layers: Sequence[Layer], functions: Functions) -> Foreign:
    """The network of some layers, one after the other; ValueError where it is not one of ours."""
    own = [each for each in map(unwrapped, layers) if each.kind not in SILENT]
    recurrent = [each for each in own if each.kind in CELLS]
    dense = [each for each in own if each.kind in ("Dense", "TimeDistributedDense")]
    embedding = [each for each in own if each.kind == "Embedding"]
    check_order(own)
    kinds = {CELLS[each.kind] for each in recurrent}
    if len(kinds) != 1 or len(dense) != 1:
        raise UnreadableError(
            f"it has {len(recurrent)} recurrent and {len(dense)} dense layers, where charrnn has"
            " recurrent layers of one kind and one dense layer"
        )
    kernel = array(dense[0], "kernel", "W")
    bias = dense[0].arrays.get("bias", dense[0].arrays.get("b", np.zeros(kernel.shape[-1])))
    embeddings = array(embedding[0], "embeddings", "W") if embedding else None
    made = [recurrent_weights(each, functions) for each in recurrent]
    cells = {(each.cell, each.activation, each.recurrent_activation) for each in made}
    if len(cells) != 1:
        raise UnreadableError("its recurrent layers have different functions")
    weights, assumed = [each.weights for each in made], made[0].assumed
    if embeddings is None:
        weights[0], told = inputs_of_characters(weights[0], kernel.shape[-1])
        assumed = [*assumed, told]
    ((cell, activation, recurrent_activation),) = cells
    return Foreign(
        cell,
        weights,
        kernel,
        bias,
        embeddings,
        assumed=[*assumed, "the state is carried on, beyond the windows of training"],
        activation=activation,
        recurrent_activation=recurrent_activation,
        spare=True,
    )


def unwrapped(layer: Layer) -> Layer:
    """The layer that a TimeDistributed applies to each time step."""
    inner = layer.config.get("layer")
    if layer.kind != "TimeDistributed" or not isinstance(inner, Mapping):
        return layer
    kind, config = inner.get("class_name"), inner.get("config")
    if not isinstance(kind, str) or not isinstance(config, Mapping):
        raise ValueError("its TimeDistributed has no layer")
    return replace(layer, kind=kind, config=config)


def check_order(layers: Sequence[Layer]) -> None:
    """Raise UnreadableError unless the layers are embedding, recurrent ones, dense, softmax."""
    order = "".join(letter_of(each) for each in layers)
    stripped = order.lstrip("E").lstrip("R").lstrip("D").lstrip("S")
    if stripped or order.count("E") > 1:
        raise UnreadableError(
            "its layers are in an order that charrnn's networks do not have",
            "charrnn has an embedding or one-hot inputs, recurrent layers and a dense one",
        )


def letter_of(layer: Layer) -> str:
    """Which part of the network a layer is."""
    if layer.kind == "Activation":
        return "" if layer.config.get("activation") == "linear" else softmax_alone(layer)
    if layer.kind in CELLS:
        if layer.config.get("go_backwards"):
            raise UnreadableError("its network reads from the end, by go_backwards")
        return "R"
    if layer.kind in ("Dense", "TimeDistributedDense"):
        function = layer.config.get("activation", "linear")
        return "D" if function == "linear" else "D" + softmax_alone(layer)
    if layer.kind == "Embedding":
        return "E"
    why, way_out = NO_PLACE.get(layer.kind, ("charrnn's networks do not have that", ""))
    raise UnreadableError(f"it has a layer {quoted(layer.kind)}: {why}", way_out)


def softmax_alone(layer: Layer) -> str:
    """The letter of a softmax; UnreadableError for another function."""
    if layer.config.get("activation") != "softmax":
        function = quoted(str(layer.config.get("activation")))
        raise UnreadableError(f"it has a layer with the activation {function}")
    return "S"


@dataclass(frozen=True)
class Made:
    """A recurrent layer in our layout."""

    cell: str
    activation: str | None
    recurrent_activation: str | None
    weights: Tensors
    assumed: list[str]


def recurrent_weights(layer: Layer, functions: Functions) -> Made:
    """A recurrent layer's weights, with the functions that it computes."""
    cell, config = CELLS[layer.kind], layer.config
    kernel, recurrent, bias = joined(layer, GATES[cell])
    assumed = ["gates in the order " + {"lstm": "i, f, c, o", "gru": "z, r, h"}.get(cell, "")]
    if layer.kind.startswith("CuDNN") or (cell == "lstm" and bias.size == 2 * kernel.shape[-1]):
        kernel, recurrent, bias = from_cudnn(kernel, recurrent, bias, cell)
        assumed.append("kernels in cuDNN's layout, the halves of the bias summed")
    gate = config.get("recurrent_activation", config.get("inner_activation", functions.default))
    gate = functions.recurrent_activation or ("sigmoid" if layer.kind.startswith("CuDNN") else gate)
    if gate is None and cell != "rnn":
        raise UnreadableError(
            "it tells neither the gates' function nor the version of Keras",
            "give `recurrent_activation`: hard_sigmoid was Keras's own before 2.3, then sigmoid",
        )
    function = functions.activation or config.get("activation", "tanh")
    cell = "gru_classic" if cell == "gru" and bias.ndim == 1 else cell
    choices = {"lstm": ("tanh",), "gru": ("tanh",), "gru_classic": ("tanh", "relu")}
    choices["rnn"] = ("tanh", "relu")
    gate_choices = ("sigmoid",) if cell == "gru" else ("sigmoid", "hard_sigmoid")
    if function not in choices[cell] or (cell != "rnn" and gate not in gate_choices):
        raise UnreadableError(
            f"its {layer.kind} has the functions {quoted(str(function))} and {quoted(str(gate))},"
            f" which charrnn's {cell} does not have"
        )
    made = recurrent_layer(kernel, recurrent, bias, GATES[CELLS[layer.kind]])
    if cell == "rnn":
        return Made(cell, function, None, made, [function])
    assumed.append(f"gates by {gate}" + ("" if gate == "sigmoid" else slope_of(functions)))
    if gate == "hard_sigmoid" and not functions.steep:
        made = scaled(made, 4 if cell == "lstm" else 3)
    if cell == "gru_classic":
        return Made(cell, function, gate, made, [*assumed, "reset before the product"])
    return Made(cell, None, gate if cell == "lstm" else None, made, assumed)


def slope_of(functions: Functions) -> str:
    """The slope of a hard_sigmoid, in words."""
    return " of slope 1/6" if functions.steep else " of slope 0.2"


def scaled(layer: Tensors, gates: int) -> Tensors:
    """The layer with all gates, but not the new values g, times 1.2."""
    factors = np.full((gates, 1), STEEPER, np.float32)
    factors[2] = 1
    return {
        name: (each.reshape(-1, gates, each.shape[-1] // gates) * factors).reshape(each.shape)
        for name, each in layer.items()
    }


def joined(layer: Layer, gates: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W [D, G], U [U, G] and b of a layer, in the order of Keras 2."""
    arrays, letters = layer.arrays, gates.replace("g", "c" if "f" in gates else "h")
    if f"W_{letters[0]}" in arrays:  # Keras 1 lists i, c, f, o: the names tell
        parts = [[array(layer, f"{kind}_{gate}") for gate in letters] for kind in "WUb"]
        return tuple(np.concatenate(each, -1) for each in parts)  # type: ignore[return-value]
    kernel, recurrent = array(layer, "kernel", "W"), array(layer, "recurrent_kernel", "U")
    bias = arrays.get("bias", arrays.get("b", np.zeros(kernel.shape[-1], np.float32)))
    return kernel, recurrent, bias


def array(layer: Layer, *names: str) -> np.ndarray:
    """A layer's array under one of its names."""
    for name in names:
        if name in layer.arrays:
            return layer.arrays[name]
    raise ValueError(f"its layer {quoted(layer.name)} lacks its {names[0]}")


def from_cudnn(
    kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, cell: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weights of cuDNN's layout as Keras has them: it keeps each gate's block transposed."""
    gates = len(GATES[cell])
    if bias.size != 2 * kernel.shape[-1] or recurrent.shape[0] * gates != recurrent.shape[-1]:
        raise ValueError("the weights of a layer do not fit together")
    kernels = [each.T.reshape(each.shape, order="F") for each in np.split(kernel, gates, -1)]
    states = [each.T for each in np.split(recurrent, gates, -1)]
    halves = bias.reshape(2, -1)
    bias = halves.sum(0) if cell == "lstm" else halves
    return np.concatenate(kernels, -1), np.concatenate(states, -1), bias


def inputs_of_characters(layer: Tensors, size: int) -> tuple[Tensors, str]:
    """The first layer with a row for each of V characters, and what its inputs were."""
    kernel = layer["kernel"]
    if len(kernel) == size:
        return layer, "one-hot inputs"
    if len(kernel) == 1:
        numbers = np.arange(size, dtype=np.float32)[:, None] / size
        return layer | {"kernel": numbers * kernel}, "a character is the number n / V"
    raise UnreadableError(
        f"its first layer reads {len(kernel)} numbers, which are not {size} characters",
        "charrnn has no networks that read a context beside the characters",
    )


def guessed(name: str, arrays: Tensors) -> Layer:
    """A layer whose class nothing tells, by its arrays; UnreadableError where they are of none."""
    names = set(arrays)
    recurrent = next((n for n in ("recurrent_kernel", "U", "U_i", "U_z") if n in names), None)
    if recurrent is not None and arrays[recurrent].ndim == 2:
        units, columns = arrays[recurrent].shape
        gates = {"U_i": 4, "U_z": 3}.get(recurrent, columns // max(units, 1))
        kind = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}.get(gates)
        bias = arrays.get("bias")
        if kind == "GRU" and bias is not None and bias.shape == (6 * units,):
            kind = "CuDNNGRU"
        if kind:
            return Layer(kind, {}, arrays, name)
    if names == {"embeddings"} or (names == {"W"} and arrays["W"].ndim == 2):
        return Layer("Embedding", {}, arrays, name)
    if names in ({"kernel", "bias"}, {"kernel"}, {"W", "b"}):
        return Layer("Dense", {}, arrays, name)
    raise UnreadableError(
        f"its layer {quoted(name)} is not one of charrnn's, by its weights",
        "give the whole model's file, or put its JSON beside it",
    )


def has_layers(config: object) -> bool:
    """Whether a configuration tells the layers of a network."""
    inner = config.get("config") if isinstance(config, Mapping) else None
    return isinstance(inner, list) or (isinstance(inner, Mapping) and "layers" in inner)


def layers_in(config: object) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Class, name and settings of each layer in a model's configuration, which must be a chain."""
    if not isinstance(config, Mapping):
        raise ValueError("its configuration has no layers")
    inner = config.get("config")
    entries = inner.get("layers") if isinstance(inner, Mapping) else inner
    if not isinstance(entries, list):
        raise ValueError("its configuration has no layers")
    before: str | None = None
    for entry in entries:
        kind, settings = entry.get("class_name"), entry.get("config")
        if not isinstance(kind, str) or not isinstance(settings, Mapping):
            raise ValueError("its configuration has a layer without a class")
        name = str(settings.get("name", entry.get("name", "")))
        read = set(texts_in(entry.get("inbound_nodes"))) & {str(n) for n in names_of(entries)}
        if read - {before}:
            raise UnreadableError(
                "its layers are not one after the other",
                "charrnn has networks whose layers are a chain",
            )
        yield kind, name, settings
        before = name


def names_of(entries: list[Any]) -> Iterator[str]:
    """The names of a configuration's layers."""
    for entry in entries:
        yield str(entry["config"].get("name", entry.get("name", "")))


def texts_in(nested: object) -> Iterator[str]:
    """Every text in lists and objects."""
    waiting = [nested]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
