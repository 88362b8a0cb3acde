"""Keras's files: HDF5 of Keras 1, 2 and 3, and `.keras` archives.

The HDF5 is read here, not by Keras: Keras 3 refuses recurrent networks of Keras 2 (see
findings/keras3_keras2_recurrent.sh), and a configuration may hold code, which nothing here runs.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from charrnn.checked_json import parse, quoted
from charrnn.importing.foreign import Foreign, Options, UnreadableError
from charrnn.importing.keras_network import RECURRENT_ARRAYS, layers_in, network, of_arrays
from charrnn.importing.storages import member
from charrnn.types import Tensors

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
            raise ValueError(f"it lacks its array {quoted(name)}")
        plain = any(found.id.get_type().equal(each) for each in FLOATS)
        whole = found.size * found.dtype.itemsize if plain else -1
        inside = not found.is_virtual and not found.external and found.chunks is None
        if not inside or whole > self._size or found.id.get_storage_size() != whole:
            raise ValueError(
                f"its array {quoted(name)} is not whole, compressed, or not of numbers"
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
