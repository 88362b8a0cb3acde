"""A network of Keras, from its layers and their arrays, whatever file they came from."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from charrnn.checked_json import check_object, parse, quote_name
from charrnn.importing.foreign import Foreign, Options, UnreadableError, recurrent_layer, scaled
from charrnn.importing.lua_torch import member
from charrnn.types import Tensors

SILENT = "InputLayer Dropout SpatialDropout1D GaussianNoise GaussianDropout AlphaDropout Masking"
"""Layers that do nothing when the network writes."""
CELLS = {"LSTM": "lstm", "CuDNNLSTM": "lstm", "GRU": "gru", "CuDNNGRU": "gru", "SimpleRNN": "rnn"}
DENSE = ("Dense", "TimeDistributedDense")
GATES = {"lstm": "ifgo", "gru": "zrg", "rnn": "h"}
"""Keras's order: i, f, c, o and z, r, h."""
FUNCTIONS = {
    "lstm": (("tanh",), ("sigmoid", "hard_sigmoid")),
    "gru": (("tanh",), ("sigmoid",)),
    "gru_classic": (("tanh", "relu"), ("sigmoid", "hard_sigmoid")),
    "rnn": (("tanh", "relu"), (None,)),
}
"""Those that our cells have for their values, and for their gates."""
NO_PLACE = {
    "Bidirectional": "it reads what follows, too",
    "AttentionWeightedAverage": "textgenrnn looks back over 40 characters by attention",
    "BatchNormalization": "batch normalisation has no place in charrnn's networks",
}
"""Why some layers cannot be read."""
STEEPER = 1.2
"""hard_sigmoid was clip(0.2 x + 0.5) until Keras 3; clip(x / 6 + 0.5) of 1.2 x is the same."""
RECURRENT_ARRAYS = ("kernel", "recurrent_kernel", "bias")


@dataclass(frozen=True)
class Layer:
    """A layer: its class, its settings, and its arrays by name."""

    kind: str
    config: Mapping[str, Any]
    arrays: Tensors
    """By their names in Keras 2 (`kernel`, `recurrent_kernel`, `bias`, `embeddings`), or those of
    Keras 1 without the layer's (`W_i`, `U_i`, `b_i`, …)."""
    name: str = ""

    def array(self, *names: str) -> np.ndarray:
        for name in names:
            if name in self.arrays:
                return self.arrays[name]
        raise ValueError(f"its layer {quote_name(self.name)} lacks its {names[0]}")

    @property
    def bias(self) -> np.ndarray:
        columns = self.array("kernel", "W").shape[-1]
        return self.arrays.get("bias", self.arrays.get("b", np.zeros(columns, np.float32)))


def default_gate(version: str) -> tuple[str | None, float, str]:
    """What gates compute in a version of Keras, None for an unknown one, if nothing else is said.

    And by how much the weights of a hard_sigmoid are multiplied, and its slope in words.
    """
    numbers = [int(each) for each in re.findall(r"\d{1,9}", version)[:2]]
    plain = numbers >= [2, 3] or version.startswith("2.2.4-tf")
    function = "sigmoid" if plain else "hard_sigmoid" if numbers else None
    return function, *((1.0, "1/6") if numbers >= [3] else (STEEPER, "0.2"))


def network(layers: Sequence[Layer], options: Options, version: str) -> Foreign:
    """The network of some layers, one after the other; ValueError where it is not one of ours."""
    own = [each for each in map(unwrapped, layers) if each.kind not in SILENT.split()]
    if not re.fullmatch("E?R*D*S*", "".join(map(letters_of, own))):
        raise UnreadableError(
            "its layers are in an order that charrnn's networks do not have",
            "charrnn has an embedding or one-hot inputs, recurrent layers and a dense one",
        )
    recurrent = [each for each in own if each.kind in CELLS]
    dense = [each for each in own if each.kind in DENSE]
    if len({CELLS[each.kind] for each in recurrent}) != 1 or len(dense) != 1:
        raise UnreadableError(
            f"it has {len(recurrent)} recurrent and {len(dense)} dense layers, where charrnn has"
            " recurrent layers of one kind and one dense layer"
        )
    kernel = dense[0].array("kernel", "W")
    embeddings = next((e.array("embeddings", "W") for e in own if e.kind == "Embedding"), None)
    made = [recurrent_weights(each, options, version) for each in recurrent]
    if len({cell for cell, _, _ in made}) != 1:
        raise UnreadableError("its recurrent layers have different functions")
    (cell, function, gate), _, assumed = made[0]
    weights = [each for _, each, _ in made]
    assumed.append("the state is carried on, beyond the windows of training")
    if embeddings is None:
        weights[0], told = inputs_of_characters(weights[0], kernel.shape[-1])
        assumed.append(told)
    functions = (
        function if cell in ("gru_classic", "rnn") else None,
        gate if cell != "gru" else None,
    )
    found = Foreign("keras", cell, weights, kernel, dense[0].bias, embeddings, None, assumed)
    return replace(found, functions=functions, spare=True)


def unwrapped(layer: Layer) -> Layer:
    """The layer that a TimeDistributed applies to each time step."""
    inner = layer.config.get("layer")
    if layer.kind != "TimeDistributed" or not isinstance(inner, Mapping):
        return layer
    config = check_object(inner.get("config"), "its TimeDistributed's layer")
    return replace(layer, kind=str(inner.get("class_name")), config=config)


def letters_of(layer: Layer) -> str:
    """Which parts of the network a layer is."""
    if layer.kind in CELLS:
        if layer.config.get("go_backwards"):
            raise UnreadableError("its network reads from the end, by go_backwards")
        return "R"
    if layer.kind in ("Activation", "Softmax", *DENSE):
        letter = "D" if layer.kind in DENSE else ""
        default = "softmax" if layer.kind == "Softmax" else "linear"
        function = layer.config.get("activation", default)
        if function not in ("linear", "softmax"):
            raise UnreadableError(f"it has a layer with the activation {quote_name(str(function))}")
        return letter + ("S" if function == "softmax" else "")
    if layer.kind == "Embedding":
        return "E"
    why = NO_PLACE.get(layer.kind, "charrnn's networks do not have that")
    raise UnreadableError(f"it has a layer {quote_name(layer.kind)}: {why}")


def recurrent_weights(
    layer: Layer, options: Options, version: str
) -> tuple[tuple[str, str, str | None], Tensors, list[str]]:
    """A recurrent layer's cell with its two functions, its weights, and what is assumed."""
    own, config = CELLS[layer.kind], layer.config
    kernel, recurrent, bias = side_by_side(layer, GATES[own])
    in_cudnn = layer.kind.startswith("CuDNN")
    orders = {"lstm": ["gates in the order i, f, c, o"], "gru": ["gates in the order z, r, h"]}
    assumed = orders.get(own, [])
    if in_cudnn or (own == "lstm" and bias.size == 2 * kernel.shape[-1]):
        kernel, recurrent, bias = from_cudnn(kernel, recurrent, bias, own)
        halves = ", the halves of the bias summed" if own == "lstm" else ""
        assumed.append(f"kernels in cuDNN's layout{halves}")
    cell = "gru_classic" if own == "gru" and bias.ndim == 1 else own
    default, factor, slope = default_gate(version)
    gate = config.get("recurrent_activation", config.get("inner_activation", default))
    gate = options.recurrent_activation or ("sigmoid" if in_cudnn else gate)
    gate = None if cell == "rnn" else gate
    if gate is None and cell != "rnn":
        raise UnreadableError(
            "it tells neither the gates' function nor the version of Keras",
            "give `recurrent_activation`: hard_sigmoid was Keras's own before 2.3, then sigmoid",
        )
    function = options.activation or config.get("activation", "tanh")
    if function not in FUNCTIONS[cell][0] or gate not in FUNCTIONS[cell][1]:
        raise UnreadableError(
            f"its {layer.kind} has the functions {quote_name(str(function))} and"
            f" {quote_name(str(gate))}, which charrnn's {cell} does not have"
        )
    made = recurrent_layer(kernel, recurrent, bias, GATES[own])
    told = f"gates by {gate}" if gate else str(function)
    if gate == "hard_sigmoid":
        made = scaled(made, [1 if letter == "g" else factor for letter in GATES[own]])
        told += f" of slope {slope}"
    assumed.append(told)
    assumed += ["reset before the product"] if cell == "gru_classic" else []
    return (cell, function, gate), made, assumed


def side_by_side(layer: Layer, gates: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W [D, G], U [U, G] and b of a layer, in the order of Keras 2."""
    letters = gates.replace("g", "c" if "f" in gates else "h")
    if f"W_{letters[0]}" in layer.arrays:  # Keras 1 lists i, c, f, o: the names tell
        parts = [[layer.array(f"{kind}_{gate}") for gate in letters] for kind in "WUb"]
        return tuple(np.concatenate(each, -1) for each in parts)  # type: ignore[return-value]
    return layer.array("kernel", "W"), layer.array("recurrent_kernel", "U"), layer.bias


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


def of_arrays(groups: Mapping[str, Tensors]) -> list[Layer]:
    numbers = {name: [int(each) for each in re.findall(r"\d{1,9}", name)] for name in groups}
    layers = [guessed(name, groups[name]) for name in sorted(groups, key=lambda x: (numbers[x], x))]
    return sorted(layers, key=lambda each: (each.kind != "Embedding") + (each.kind == "Dense"))


def of_attributes(variables: Tensors, options: Options) -> Foreign:
    """The network of a checkpoint of TensorFlow 2, whose variables have the names of attributes."""
    groups: dict[str, Tensors] = {}
    for name, each in variables.items():
        where, _, own = name.rpartition("/")
        if own in ("embeddings", *RECURRENT_ARRAYS):
            groups.setdefault(where.removesuffix("/cell"), {})[own] = each
    return network(of_arrays(groups), options, "2.4")


def guessed(name: str, arrays: Tensors) -> Layer:
    """A layer whose class nothing tells, by its arrays; UnreadableError where they are of none."""
    if "/forward_layer" in name:
        raise UnreadableError("it is bidirectional: it reads what follows, too")
    names = set(arrays)
    recurrent = next((n for n in ("recurrent_kernel", "U", "U_i", "U_z") if n in names), None)
    if recurrent is not None and arrays[recurrent].ndim == 2:
        units, columns = arrays[recurrent].shape
        gates = {"U_i": 4, "U_z": 3}.get(recurrent, columns // max(units, 1))
        kind = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}.get(gates)
        if kind == "GRU" and "bias" in names and arrays["bias"].shape == (6 * units,):
            kind = "CuDNNGRU"
        if kind:
            return Layer(kind, {}, arrays, name)
    if names in ({"embeddings"}, {"W"}):
        return Layer("Embedding", {}, arrays, name)
    if names in ({"kernel", "bias"}, {"kernel"}, {"W", "b"}):
        return Layer("Dense", {}, arrays, name)
    raise UnreadableError(
        f"its layer {quote_name(name)} is not one of charrnn's, by its weights",
        "give the whole model's file, or put its JSON beside it",
    )


def layers_in(config: object) -> Iterator[Layer]:
    """Each layer in a model's configuration, without arrays; none where it tells no layers."""
    inner = config.get("config") if isinstance(config, Mapping) else None
    entries = inner.get("layers") if isinstance(inner, Mapping) else inner
    if not isinstance(entries, list):
        return
    told = [(each.get("class_name"), each.get("config"), each) for each in entries]
    if not all(isinstance(kind, str) and isinstance(own, Mapping) for kind, own, _ in told):
        raise ValueError("its configuration has a layer without a class")
    names = [str(own.get("name", entry.get("name", ""))) for _, own, entry in told]
    for place, (kind, own, entry) in enumerate(told):
        texts = re.findall('"([^"]*)"', json.dumps(entry.get("inbound_nodes"), ensure_ascii=False))
        read = set(texts) & set(names)
        if read - set(names[max(place - 1, 0) : place]):
            raise UnreadableError(
                "its layers are not one after the other",
                "charrnn has networks whose layers are a chain",
            )
        yield Layer(kind, own, {}, names[place])


NUMBERED = re.compile(r"(?!optimizer)(?:_?layer\w*/)?(.+?)(?:/cell|/layer)?/vars/(\d{1,9})")
"""The name of an array of Keras 3: its layer, and its place there."""
TEXTGENRNN = {"rnn_1", "attention", "context_embedding"}
"""Names of layers, of which textgenrnn's networks have at least two."""
FLOATS = (h5py.h5t.IEEE_F16LE, h5py.h5t.IEEE_F32LE, h5py.h5t.IEEE_F64LE)
"""The types of numbers that are read."""


def read_file(path: Path, options: Options) -> Foreign:
    """The network in an archive or an HDF5 file; ValueError where there is none."""
    data = path.read_bytes()
    return (read_archive if zipfile.is_zipfile(path) else read_hdf5)(path, data, options)


def read_hdf5(path: Path, data: bytes, options: Options) -> Foreign:
    """The network of a whole model, or of weights with or without JSON beside them."""
    with intact(), h5py.File(io.BytesIO(data), "r") as file:
        arrays = Arrays(file, len(data))
        root = arrays.found.get("model_weights", file)
        root = root if isinstance(root, h5py.Group) else file
        told = text_of(file.attrs.get("model_config"))
        config = parse(told) if told else beside(path)
        version = [text_of(each.attrs.get("keras_version")) for each in (file, root)]
        version.append(str(config.get("keras_version", "")) if isinstance(config, dict) else "")
        known = next(filter(None, version), "")
        if "layer_names" not in root.attrs:
            return numbered_network(arrays, config, options, known or "3")
        groups = dict(arrays.named_groups(root))
    if len(TEXTGENRNN & set(groups)) > 1:
        raise UnreadableError(
            "it is a model of textgenrnn, which looks back over a window of 40 characters by"
            " attention; no recurrent network alone computes that",
            "train a model on the same text with charrnn",
        )
    layers = [replace(each, arrays=groups.get(each.name, {})) for each in layers_in(config)]
    if config is None:
        layers = of_arrays({name: each for name, each in groups.items() if each})
        early = any({"W_i", "W"} & set(each.arrays) for each in layers)
        known = "1" if early else known
    return network(layers, options, known)


def read_archive(_: Path, data: bytes, options: Options) -> Foreign:
    """The network in a `.keras` archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        config = parse(member(archive, "config.json"))
        told = parse(member(archive, "metadata.json"))
        version = str(told.get("keras_version", "3")) if isinstance(told, dict) else "3"
        weights = member(archive, "model.weights.h5")
    with intact(), h5py.File(io.BytesIO(weights), "r") as file:
        return numbered_network(Arrays(file, len(weights)), config, options, version)


@contextmanager
def intact() -> Iterator[None]:
    """Turn what h5py raises of a damaged file into a ValueError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError("its HDF5 is damaged or cut short") from error


class Arrays:
    """The arrays in an HDF5 file that lie in it as they are: neither compressed nor elsewhere.

    Links to other files are never followed.
    """

    def __init__(self, file: h5py.File, size: int) -> None:
        self._size = size
        self.found: dict[str, Any] = {}
        self._read: dict[int, int] = {}
        file.visititems(self.found.__setitem__)

    def read(self, name: str) -> np.ndarray:
        """An array, float32."""
        found = self.found.get(name)
        if not isinstance(found, h5py.Dataset):
            raise ValueError(f"it lacks its array {quote_name(name)}")
        plain = any(found.id.get_type().equal(each) for each in FLOATS)
        whole = found.size * found.dtype.itemsize if plain else -1
        inside = not found.is_virtual and not found.external and found.chunks is None
        if not inside or whole > self._size or found.id.get_storage_size() != whole:
            raise ValueError(
                f"its array {quote_name(name)} is not whole, compressed, or not of numbers"
            )
        begin = found.id.get_offset() or 0
        if any(begin < end and other < begin + whole for other, end in self._read.items()):
            raise ValueError("two of its arrays lie in the same place")
        self._read[begin] = begin + whole
        return np.asarray(found[...], np.float32)

    def named_groups(self, root: Any) -> Iterator[tuple[str, Tensors]]:
        """Each layer's name and arrays, as Keras 1 and 2 list them."""
        for layer in texts_of(root.attrs["layer_names"]):
            path = f"{root.name}/{layer}".strip("/")
            group = self.found.get(path)
            names = texts_of(group.attrs.get("weight_names", ())) if group is not None else []
            yield layer, {own_name(each): self.read(f"{path}/{each}") for each in names}

    def numbered_groups(self) -> dict[str, Tensors]:
        """Each layer's arrays under its own name, as Keras 3 numbers them in `vars`."""
        groups: dict[str, dict[int, np.ndarray]] = {}
        for name, found in self.found.items():
            match = NUMBERED.fullmatch(name)
            if match and isinstance(found, h5py.Dataset) and found.dtype.kind == "f":
                groups.setdefault(match[1], {})[int(match[2])] = self.read(name)
        return {
            name: by_place([each[number] for number in sorted(each)])
            for name, each in groups.items()
        }


def own_name(name: str) -> str:
    """An array's name without its layer's: "kernel" of "lstm_1/lstm_cell/kernel:0", "W_i" of
    "lstm_1_W_i:0"."""
    last = name.partition(":")[0].rpartition("/")[2]
    match = re.search(r"_([WUb](?:_[a-z])?)$", last)
    return match[1] if match else last


def by_place(arrays: Sequence[np.ndarray]) -> Tensors:
    """A layer's numbered arrays by name: one is an embedding's, two a dense layer's."""
    if len(arrays) > 3:
        raise UnreadableError("one of its layers has more arrays than charrnn's have")
    places = {1: ("embeddings",), 2: ("kernel", "bias")}.get(len(arrays), RECURRENT_ARRAYS)
    if len(arrays) == 2 and arrays[1].ndim == 2:
        places = RECURRENT_ARRAYS[:2]
    return dict(zip(places, arrays, strict=True))


def numbered_network(arrays: Arrays, config: object, options: Options, version: str) -> Foreign:
    """The network of a file of Keras 3, whose arrays have numbers in place of names."""
    groups, used = arrays.numbered_groups(), dict[str, int]()
    layers = []
    for layer in layers_in(config):
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", layer.kind).lower()
        count = used[kind] = used.get(kind, -1) + 1
        own = groups.get(f"{kind}_{count}" if count else kind, groups.get(layer.name, {}))
        layers.append(replace(layer, arrays=own))
    # weights alone, or a class of the user's own, tell no layers
    return network(layers or of_arrays(groups), options, version)


def beside(path: Path) -> object:
    """The configuration in a JSON file of the same name; None where there is none."""
    for place in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")):
        if place.is_file() and place != path:
            config = parse(place.read_bytes())
            config = parse(config) if isinstance(config, str) else config
            if isinstance(config, Mapping) and "class_name" in config:
                return config
    return None


def text_of(value: object) -> str:
    """An attribute that is a text; "" where it is absent."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) else ""


def texts_of(values: object) -> list[str]:
    """An attribute that is a list of texts."""
    return [text_of(each) for each in np.asarray(values).ravel().tolist()]
