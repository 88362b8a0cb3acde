"""PyTorch: a state_dict of `nn.LSTM`, `nn.GRU` or `nn.RNN`, with or without an embedding.

    weight_ih_l0 [G, D] = W^T    weight_hh_l0 [G, U] = U^T    bias_ih_l0, bias_hh_l0 [G]

`torch.save` writes a zip archive since 1.6; before, it wrote four pickles and then the storages.
Both are read here without PyTorch.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.importing.archives import member, members
from charrnn.importing.foreign import Foreign, UnreadableError, recurrent_layer
from charrnn.importing.pickles import Name, Unbuilt, Unpickler
from charrnn.importing.vocabularies import symbols_of
from charrnn.plain import quoted
from charrnn.types import Tensors

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file that PyTorch wrote before 1.6."""
PICKLES = 4
"""The magic number, the protocol's version, the machine's sizes, and the value."""
DTYPES = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "Long": "<i8", "Int": "<i4"}
DTYPES |= {"Short": "<i2", "Byte": "u1", "Char": "i1", "Bool": "?", "BFloat16": "<u2"}
CELLS = {4: ("lstm", "ifgo"), 3: ("gru", "rzg"), 1: ("rnn", "h")}
"""Our cell and PyTorch's order of the gates, by their number."""
RECURRENT = re.compile(r"(.*?)(weight_ih|weight_hh|bias_ih|bias_hh)(?:_l(\d+))?(_reverse)?$")
VOCABULARIES: tuple[str, ...] = (
    "tokens",
    "chars",
    "vocab",
    "char2int",
    "int2char",
    "char_to_idx",
    "idx_to_char",
)
VOCABULARIES += ("char2idx", "idx2char", "vocabulary", "stoi", "itos", "chars_vocab")
"""What courses call the vocabulary that they save beside the weights."""
WHOLE_MODULE = "save model.state_dict() where its program runs, and import that"


@dataclass(eq=False)
class Storage:
    """The numbers that tensors are views of, not yet read."""

    kind: str
    key: str
    count: int
    data: np.ndarray | None = None


@dataclass(eq=False)
class View:
    """A tensor: a view of a storage."""

    storage: Storage
    start: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, name: str) -> np.ndarray:
        """The numbers, float32; ValueError where they do not lie within the storage."""
        data, last = self.storage.data, self.start
        last += sum((size - 1) * step for size, step in zip(self.sizes, self.strides, strict=True))
        positive = min((*self.sizes, 1)) > 0 and min((*self.strides, self.start)) >= 0
        if data is None or not positive or last >= data.size or prod(self.sizes) > data.size:
            raise ValueError(f"its {quoted(name)} reaches beyond its storage")
        steps = tuple(each * data.itemsize for each in self.strides)
        view = np.lib.stride_tricks.as_strided(data[self.start :], self.sizes, steps)
        if self.storage.kind == "BFloat16":
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view.astype(np.float32)


@dataclass
class Storages:
    """The storages that a pickle refers to, by key."""

    found: dict[str, Storage]

    def refer(self, reference: tuple) -> Storage | Name:
        """The storage of a reference: its type, its key, where it lay, and how many numbers.

        A class may be referred to as well, with its source beside it.
        """
        if reference[:1] in (("module",), (b"module",)) and isinstance(reference[1], Name):
            return reference[1]
        if len(reference) < 5 or reference[0] not in ("storage", b"storage"):
            raise ValueError("its pickle refers to what is no storage")
        kind, key, count = reference[1], reference[2], reference[4]
        if not isinstance(kind, Name) or type(count) is not int:
            raise ValueError("its pickle refers to what is no storage")
        name = kind.name.removeprefix("torch ").removeprefix("cuda ").removesuffix("Storage")
        name = name.rpartition(" ")[2]
        if name not in DTYPES:
            raise ValueError(f"it has numbers of the type {quoted(kind.name)}, which is not known")
        key = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        known = self.found.setdefault(key, Storage(name, key, count))
        if (known.kind, known.count) != (name, count):
            raise ValueError("its pickle tells two sizes of one storage")
        return known


def build_tensor(arguments: tuple) -> View:
    """`torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`."""
    storage, start, sizes, strides = arguments[:4]
    whole = all(type(each) is int for each in (start, *sizes, *strides))
    if not isinstance(storage, Storage) or not whole or len(sizes) != len(strides):
        raise ValueError("its pickle has a tensor that is none")
    return View(storage, start, tuple(sizes), tuple(strides))


BUILDERS = {
    "torch._utils _rebuild_tensor": build_tensor,
    "torch._utils _rebuild_tensor_v2": build_tensor,
    "torch._utils _rebuild_parameter": lambda arguments: arguments[0],
    "torch Size": lambda arguments: arguments[0],
}


def is_legacy(head: bytes) -> bool:
    """Whether a file begins as PyTorch wrote it before 1.6."""
    number = MAGIC.to_bytes(10, "little")
    return head[:1] == b"\x80" and head[2:14] == b"\x8a\x0a" + number


def read_checkpoint(path: Path) -> Foreign:
    """The network in a file; ValueError where there is none that charrnn has."""
    data = path.read_bytes()
    value = read_legacy(data) if is_legacy(data[:14]) else read_archive(data)
    if isinstance(value, Unbuilt):
        raise UnreadableError(
            f"it is a whole pickled module, {quoted(value.name.replace(' ', '.'))}", WHOLE_MODULE
        )
    if not isinstance(value, dict):
        raise UnreadableError("it has no state_dict", WHOLE_MODULE)
    return network(value)


def read_archive(data: bytes) -> object:
    """The value in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = next((name for name in members(archive) if name.endswith("/data.pkl")), None)
        if name is None:
            raise UnreadableError("a zip archive, but neither PyTorch's nor Keras's")
        folder = name.removesuffix("data.pkl")
        if (
            f"{folder}byteorder" in members(archive)
            and member(archive, f"{folder}byteorder") != b"little"
        ):
            raise UnreadableError("its numbers are big-endian", WHOLE_MODULE)
        storages, total = Storages({}), 0
        value = Unpickler(member(archive, name), 0, BUILDERS, storages.refer).read()
        for each in storages.found.values():
            own = member(archive, f"{folder}data/{each.key}")
            total += len(own)
            if len(own) != each.count * np.dtype(DTYPES[each.kind]).itemsize or total > len(data):
                raise ValueError("a storage in it is not of the size that it says")
            each.data = np.frombuffer(own, DTYPES[each.kind])
    return value


def read_legacy(data: bytes) -> object:
    """The value in a file of before 1.6."""
    storages, place = Storages({}), 0
    for _ in range(PICKLES):
        unpickler = Unpickler(data, place, BUILDERS, storages.refer)
        value, place = unpickler.read(), unpickler.place
    unpickler = Unpickler(data, place)
    keys = unpickler.read()
    if not isinstance(keys, list):
        raise ValueError("it has no list of its storages")
    place = unpickler.place
    for key in keys:
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        if name not in storages.found or storages.found[name].data is not None:
            raise ValueError("it has a storage that no tensor is a view of")
        place = fill(storages.found[name], data, place)
    if place != len(data):
        raise ValueError("it has bytes that belong to no storage")
    return value


def fill(storage: Storage, data: bytes, place: int) -> int:
    """Give a storage its numbers, which begin at a place; where they end."""
    dtype = np.dtype(DTYPES[storage.kind])
    count, begin = int.from_bytes(data[place : place + 8], "little"), place + 8
    end = begin + count * dtype.itemsize
    if count != storage.count or end > len(data):
        raise ValueError("it is cut short, or a storage is not of the size that it says")
    storage.data = np.frombuffer(data[begin:end], dtype)
    return end


def network(saved: dict[Any, Any]) -> Foreign:
    """The network of a state_dict, alone or beside a vocabulary and other things."""
    state = state_of(saved)
    arrays = {
        str(name): each.array(str(name)) for name, each in state.items() if isinstance(each, View)
    }
    recurrent = {name: each for name, each in arrays.items() if RECURRENT.match(name)}
    layers = list(recurrent_layers(recurrent))
    gates = {len(layer["bias_hh"]) // layer["weight_hh"].shape[1] for layer in layers}
    if len(gates) != 1 or not gates <= set(CELLS):
        raise ValueError("it has no recurrent layers, or of several kinds")
    (count,) = gates
    cell, order = CELLS[count]
    embeddings, kernel, bias = around(
        {name: each for name, each in arrays.items() if name not in recurrent},
        layers[0]["weight_ih"].shape[1],
        layers[-1]["weight_hh"].shape[1],
    )
    vocabulary = vocabulary_in(saved)
    return Foreign(
        cell,
        [layer_weights(layer, order) for layer in layers],
        kernel.T,
        bias,
        embeddings,
        None if vocabulary is None else symbols_of(vocabulary, bias.size, "as in the file"),
        [*ASSUMED[cell], *(["one-hot inputs"] if embeddings is None else [])],
        activation="tanh" if cell == "rnn" else None,
    )


ASSUMED = {
    "lstm": ["gates in the order i, f, g, o", "two biases summed", "forget bias as in the file"],
    "gru": ["gates in the order r, z, g", "reset after the product, with two biases"],
    "rnn": ["tanh", "two biases summed"],
}


def state_of(saved: dict[Any, Any]) -> Mapping[Any, Any]:
    """The state_dict: what was saved, or the dictionary in it that has recurrent weights."""
    candidates = [saved, *(each for each in saved.values() if isinstance(each, dict))]
    for each in candidates:
        if any(isinstance(name, str) and RECURRENT.match(name) for name in each):
            return each
    for each in saved.values():
        if isinstance(each, Unbuilt):
            raise UnreadableError(
                f"it has a pickled module, {quoted(each.name.replace(' ', '.'))}", WHOLE_MODULE
            )
    raise UnreadableError("it has no weights of nn.LSTM, nn.GRU or nn.RNN", WHOLE_MODULE)


def vocabulary_in(saved: dict[Any, Any]) -> object:
    """The vocabulary that was saved beside the weights; None where there is none."""
    named = [saved[name] for name in VOCABULARIES if name in saved]
    return next((each for each in named if isinstance(each, (dict, list, tuple, str))), None)


def recurrent_layers(arrays: Tensors) -> Iterator[Tensors]:
    """The weights of each recurrent layer, in the order of the network, without their prefixes."""
    layers: dict[tuple[str, int], Tensors] = {}
    for name, each in arrays.items():
        prefix, own, number, reverse = RECURRENT.match(name).groups()  # type: ignore[union-attr]
        if reverse:
            raise UnreadableError(
                "its network is bidirectional: it reads what follows, too",
                "charrnn has networks that read in one direction",
            )
        layers.setdefault((prefix, int(number or 0)), {})[own] = each
    for layer in layers.values():
        if "weight_ih" not in layer or "weight_hh" not in layer:
            raise ValueError("it lacks weights of a recurrent layer")
        for name, other in (("bias_ih", "weight_ih"), ("bias_hh", "weight_hh")):
            layer.setdefault(name, np.zeros(len(layer[other]), np.float32))
        if layer["weight_hh"].ndim != 2 or layer["weight_ih"].ndim != 2:
            raise ValueError("the weights of a layer do not fit together")
    yield from layers.values()


def layer_weights(layer: Tensors, order: str) -> Tensors:
    """A layer's weights in our layout: a GRU keeps both biases."""
    biases = [layer["bias_ih"], layer["bias_hh"]]
    if biases[0].shape != biases[1].shape:
        raise ValueError("the weights of a layer do not fit together")
    bias = np.stack(biases) if order == "rzg" else biases[0] + biases[1]
    return recurrent_layer(layer["weight_ih"].T, layer["weight_hh"].T, bias, order)


def around(
    others: Tensors, inputs: int, units: int
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The embeddings [V, E], where there are some, and the output layer's [V, U] and [V].

    Args:
        others: All that is not of the recurrent layers.
        inputs: What the first of these reads.
        units: What the last one gives.
    """
    bias_name = only_name([name for name, each in others.items() if each.ndim == 1], "bias")
    kernel_name = bias_name.removesuffix("bias") + "weight"
    matrices = [name for name, each in others.items() if each.ndim == 2 and name != kernel_name]
    if kernel_name not in others or others[kernel_name].shape != (len(others[bias_name]), units):
        raise ValueError("its output layer does not read the last recurrent layer alone")
    unknown = [name for name, each in others.items() if each.ndim not in (1, 2)] + matrices[1:]
    if unknown:
        raise UnreadableError(f"it has {quoted(unknown[0])}, which charrnn's networks do not have")
    kernel, bias = others[kernel_name], others[bias_name]
    embeddings = others[matrices[0]] if matrices else None
    if (len(bias) if embeddings is None else embeddings.shape[1]) != inputs:
        raise UnreadableError(
            f"its first layer reads {inputs} numbers, which are not {len(bias)} characters",
            "charrnn has no networks that read a context beside the characters",
        )
    if embeddings is not None and len(embeddings) != len(bias):
        raise ValueError(f"it reads {len(embeddings)} characters, and writes {len(bias)}")
    return embeddings, kernel, bias


def only_name(names: list[str], what: str) -> str:
    """The one name; UnreadableError where there is another."""
    if len(names) != 1:
        told = f"{quoted(names[0])} and {quoted(names[1])}" if names else f"no {what}"
        raise UnreadableError(
            f"beside its recurrent layers it has {told}, where one output layer is needed",
            "charrnn has no other layers between the recurrent ones and the output",
        )
    return names[0]
