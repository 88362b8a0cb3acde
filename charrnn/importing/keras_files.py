"""Keras's files: HDF5 of Keras 1, 2 and 3, `.keras` archives, and TensorFlow 2's checkpoints.

The HDF5 is read here, not by Keras: Keras 3 refuses recurrent networks of Keras 2 (see
findings/keras3_keras2_recurrent.sh), and a configuration may hold code, which nothing here runs.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from charrnn.importing.archives import member, members
from charrnn.importing.foreign import Foreign, UnreadableError
from charrnn.importing.keras_network import (
    BIDIRECTIONAL,
    Functions,
    Layer,
    guessed,
    has_layers,
    layers_in,
    network,
)
from charrnn.importing.tf_checkpoint import OBJECT
from charrnn.plain import parse, quoted
from charrnn.types import Tensors

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
"""The files in a `.keras` archive."""
PLACES = {"Embedding": ("embeddings",), "Dense": ("kernel", "bias")}
"""The names of arrays that a file only numbers; a recurrent layer's are the other three."""
RECURRENT_PLACES = ("kernel", "recurrent_kernel", "bias")
NUMBERED = re.compile(r"(?!optimizer)(?:_?layer\w*/)?(.+?)(?:/cell|/layer)?/vars/(\d+)")
"""The name of an array of Keras 3: its layer, and its place there."""
TEXTGENRNN = {"rnn_1", "attention", "context_embedding"}
"""Names of layers, of which textgenrnn's networks have at least two."""
FLOATS = (h5py.h5t.IEEE_F16LE, h5py.h5t.IEEE_F32LE, h5py.h5t.IEEE_F64LE)
"""The types of numbers that are read."""
SIGMOID_SINCE = (2, 3)
"""From this version of Keras on, an LSTM's gates are sigmoids unless somebody asks for another."""


def read_hdf5(path: Path, functions: Functions) -> Foreign:
    """The network in an HDF5 file: a whole model, or weights with or without JSON beside them."""
    with opened(path, path.stat().st_size) as file:
        arrays = Arrays(file, path.stat().st_size)
        version = text_of(file.attrs.get("keras_version")) or text_of(
            arrays.group("model_weights").attrs.get("keras_version")
        )
        told = text_of(file.attrs.get("model_config"))
        config = parse(told) if told else beside(path)
        version = version or version_in(config)
        if "layer_names" not in arrays.group("model_weights").attrs:
            return numbered_network(arrays, config, versioned(functions, version or "3"))
        groups = dict(arrays.named_groups(arrays.group("model_weights")))
    refuse_textgenrnn(groups)
    functions = versioned(functions, version)
    if config is None:
        layers = [guessed(name, each) for name, each in groups.items() if each]
        early = any("W_i" in each.arrays or "W" in each.arrays for each in layers)
        return network(layers, versioned(functions, "1") if early else functions)
    layers = [
        Layer(kind, settings, groups.get(name, {}), name)
        for kind, name, settings in layers_in(config)
    ]
    return network(layers, functions)


def read_archive(path: Path, functions: Functions) -> Foreign:
    """The network in a `.keras` archive."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        config = parse(member(archive, CONFIG))
        told = parse(member(archive, METADATA)) if METADATA in members(archive) else {}
        version = str(told.get("keras_version", "3")) if isinstance(told, dict) else "3"
        data = member(archive, WEIGHTS)
    with opened(io.BytesIO(data), len(data)) as file:
        return numbered_network(Arrays(file, len(data)), config, versioned(functions, version))


def read_variables(variables: Tensors, functions: Functions) -> Foreign:
    """The network in a checkpoint of TensorFlow 2, whose variables have the names of attributes."""
    groups: dict[str, Tensors] = {}
    refuse_bidirectional(variables)
    for name, each in variables.items():
        where, _, own = name.removesuffix(OBJECT).rpartition("/")
        if name.endswith(OBJECT) and own in ("embeddings", *RECURRENT_PLACES):
            groups.setdefault(where.removesuffix("/cell"), {})[own] = each
    layers = [guessed(name, groups[name]) for name in sorted(groups, key=numbers_in)]
    order = {"Embedding": 0, "Dense": 2}
    layers.sort(key=lambda each: order.get(each.kind, 1))
    return network(layers, versioned(functions, "2.4"))


def versioned(functions: Functions, version: str) -> Functions:
    """The functions that a version of Keras has where nothing else is said."""
    numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
    plain = numbers >= SIGMOID_SINCE or version.startswith("2.2.4-tf")
    return Functions(
        functions.activation,
        functions.recurrent_activation,
        "sigmoid" if plain else "hard_sigmoid" if numbers else None,
        numbers >= (3,),
    )


def opened(source: Path | io.BytesIO, size: int) -> h5py.File:
    """An HDF5 file; ValueError where it is damaged."""
    try:
        return h5py.File(source, "r")
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError("its HDF5 is damaged or cut short") from error


class Arrays:
    """The arrays in an HDF5 file that lie in it as they are: neither compressed nor elsewhere.

    Links to other files are never followed.
    """

    def __init__(self, file: h5py.File, size: int) -> None:
        self._file, self._size = file, size
        self._found: dict[str, Any] = {}
        self._read: dict[int, int] = {}
        try:
            file.visititems(self._found.__setitem__)
        except (RuntimeError, KeyError, OSError, ValueError) as error:
            raise ValueError("its HDF5 is damaged or cut short") from error

    def group(self, name: str) -> Any:
        """The group of that name, or the file itself where there is none."""
        found = self._found.get(name, self._file)
        return found if isinstance(found, h5py.Group) else self._file

    def read(self, name: str) -> np.ndarray:
        """An array, float32."""
        found = self._found.get(name)
        if not isinstance(found, h5py.Dataset):
            raise ValueError(f"it lacks its array {quoted(name)}")
        plain = any(found.id.get_type().equal(each) for each in FLOATS)
        whole = found.size * found.dtype.itemsize if plain else -1
        inside = not found.is_virtual and not found.external and found.chunks is None
        if not inside or whole > self._size or found.id.get_storage_size() != whole:
            raise ValueError(
                f"its array {quoted(name)} is not whole, compressed, or not of numbers"
            )
        begin, end = found.id.get_offset() or 0, (found.id.get_offset() or 0) + whole
        if any(begin < other_end and other < end for other, other_end in self._read.items()):
            raise ValueError("two of its arrays lie in the same place")
        self._read[begin] = end
        try:
            with np.errstate(over="ignore"):  # what is infinite is refused later
                return np.asarray(found[...], np.float32)
        except (OSError, RuntimeError) as error:
            raise ValueError("its HDF5 is damaged or cut short") from error

    def named_groups(self, root: Any) -> Iterator[tuple[str, Tensors]]:
        """Each layer's name and arrays, as Keras 1 and 2 list them."""
        for layer in texts_of(root.attrs["layer_names"]):
            path = f"{root.name}/{layer}".strip("/")
            group = self._found.get(path)
            names = texts_of(group.attrs.get("weight_names", ())) if group is not None else []
            yield layer, {own_name(each, layer): self.read(f"{path}/{each}") for each in names}

    def numbered_groups(self) -> dict[str, list[np.ndarray]]:
        """Each layer's arrays under its own name, as Keras 3 numbers them in `vars`."""
        groups: dict[str, dict[int, np.ndarray]] = {}
        refuse_bidirectional(self._found)
        for name, found in self._found.items():
            match = NUMBERED.fullmatch(name)
            if match and isinstance(found, h5py.Dataset) and found.dtype.kind == "f":
                groups.setdefault(match[1], {})[int(match[2])] = self.read(name)
        return {name: [each[n] for n in sorted(each)] for name, each in groups.items()}


def own_name(name: str, layer: str) -> str:
    """An array's name without its layer's: "kernel" of "lstm_1/lstm_cell/kernel:0", "W_i" of
    "lstm_1_W_i:0"."""
    last = name.partition(":")[0].rpartition("/")[2]
    match = re.search(r"_([WUb](?:_[a-z])?)$", last)
    return match[1] if match else last


def numbered_network(arrays: Arrays, config: object, functions: Functions) -> Foreign:
    """The network of a file of Keras 3, whose arrays have numbers in place of names."""
    groups = arrays.numbered_groups()
    if not has_layers(config):  # weights alone, or a class of the user's own
        ordered = sorted(groups, key=numbers_in)
        layers = [guessed(name, by_place(groups[name])) for name in ordered]
        order = {"Embedding": 0, "Dense": 2}
        return network(sorted(layers, key=lambda each: order.get(each.kind, 1)), functions)
    used: dict[str, int] = {}
    layers = []
    for kind, name, settings in layers_in(config):
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()
        count = used[snake] = used.get(snake, -1) + 1
        own = groups.get(f"{snake}_{count}" if count else snake, groups.get(name, []))
        layers.append(Layer(kind, settings, by_place(own), name))
    return network(layers, functions)


def by_place(arrays: Sequence[np.ndarray]) -> Tensors:
    """A layer's numbered arrays by name: one is an embedding's, two a dense layer's."""
    places = {1: ("embeddings",), 2: ("kernel", "bias")}.get(len(arrays), RECURRENT_PLACES)
    if len(arrays) == 2 and arrays[1].ndim == 2:
        places = RECURRENT_PLACES[:2]
    if len(arrays) > 3:
        raise UnreadableError("one of its layers has more arrays than charrnn's have")
    return dict(zip(places, arrays, strict=False))


def beside(path: Path) -> object:
    """The configuration in a JSON file of the same name; None where there is none."""
    for place in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")):
        if place.is_file() and place != path:
            config = parse(place.read_bytes())
            config = parse(config) if isinstance(config, str) else config
            if isinstance(config, Mapping) and "class_name" in config:
                return config
    return None


def version_in(config: object) -> str:
    """The version of Keras that a configuration tells."""
    return str(config.get("keras_version", "")) if isinstance(config, Mapping) else ""


def refuse_bidirectional(names: Iterable[str]) -> None:
    """Raise UnreadableError where arrays are those of a layer that reads in both directions."""
    if any("/forward_layer/" in name for name in names):
        raise UnreadableError(f"it is bidirectional: {BIDIRECTIONAL[0]}", BIDIRECTIONAL[1])


def refuse_textgenrnn(groups: Mapping[str, object]) -> None:
    """Raise UnreadableError for a network of textgenrnn, by the names of its layers."""
    if len(TEXTGENRNN & set(groups)) > 1:
        raise UnreadableError(
            "it is a model of textgenrnn, which looks back over a window of 40 characters by"
            " attention; no recurrent network alone computes that",
            "train a model on the same text with charrnn",
        )


def text_of(value: object) -> str:
    """An attribute that is a text; "" where it is absent."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) else ""


def texts_of(values: object) -> list[str]:
    """An attribute that is a list of texts."""
    return [
        text_of(bytes(each) if isinstance(each, bytes) else each)
        for each in np.asarray(values).ravel().tolist()
    ]


def numbers_in(name: str) -> tuple[list[int], str]:
    """What sorts names by the numbers in them: lstm_2 before lstm_10."""
    return [int(each) for each in re.findall(r"\d+", name)], name
