"""PyTorch: a state_dict of `nn.LSTM`, `nn.GRU` or `nn.RNN`, with or without an embedding.

    weight_ih_l0 [G, D] = W^T    weight_hh_l0 [G, U] = U^T    bias_ih_l0, bias_hh_l0 [G]

`torch.save` writes a zip archive since 1.6; before, it wrote four pickles and then the storages.
Both are read here without PyTorch.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.checked_json import quote_name
from charrnn.importing.foreign import Foreign, Options, UnreadableError, recurrent_layer, symbols_of
from charrnn.importing.lua_torch import DTYPES, Storage, View, member
from charrnn.importing.pickles import Builder, Unbuilt, load
from charrnn.types import Tensors

MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
"""In the first pickle of a file that PyTorch wrote before 1.6."""
PICKLES = 4
"""The magic number, the protocol's version, the machine's sizes, and the value."""
CELLS = {
    4: ("lstm", "ifgo", ("gates in the order i, f, g, o", "two biases summed")),
    3: ("gru", "rzg", ("gates in the order r, z, g", "reset after the product, with two biases")),
    1: ("rnn", "h", ("two biases summed",)),
}
"""By the number of gates: our cell, PyTorch's order, and what is assumed."""
RECURRENT = re.compile(r"(.*?)(weight_ih|weight_hh|bias_ih|bias_hh)(?:_l(\d+))?(_reverse)?$")
VOCABULARIES = "tokens chars vocab char2int int2char char_to_idx idx_to_char char2idx idx2char"
VOCABULARIES += " vocabulary stoi itos chars_vocab"
"""What courses call the vocabulary that they save beside the weights."""
WHOLE_MODULE = "save model.state_dict() where its program runs, and import that"


class Storages(dict[str, Storage]):
    """The storages that a pickle refers to, by key."""

    def refer(self, what: object, kind: object, key: object = "", *rest: object) -> object:
        """The storage of a reference: its type, its key, where it lay, and how many numbers.

        A class may be referred to as well, with its source beside it.
        """
        if what in ("module", b"module") and isinstance(kind, Unbuilt):
            return kind
        key = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        if not isinstance(kind, Unbuilt) or len(rest) < 2 or type(rest[1]) is not int:
            raise UnreadableError("its pickle refers to what is no storage")
        own = re.fullmatch(r"torch(?:\.cuda)? (\w+)Storage", kind.name)
        if own is None or own[1] not in DTYPES:
            raise UnreadableError(f"it has numbers of the type {quote_name(kind.name)}")
        dtype = np.dtype(DTYPES[own[1]])
        known = self.setdefault(key, Storage(np.empty(0, dtype), rest[1]))
        if (known.data.dtype, known.count) != (dtype, rest[1]):
            raise UnreadableError("its pickle tells two sizes of one storage")
        return known


def tensor(storage: object, start: object, sizes: Any, strides: Any, *_: object) -> View:
    """`torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`."""
    if not all(type(each) is int for each in (start, *sizes, *strides)):
        raise UnreadableError("its pickle has a tensor that is none")
    return View(storage, start, tuple(sizes), tuple(strides))  # type: ignore[arg-type]


BUILDERS: dict[str, Builder] = {
    "torch._utils _rebuild_tensor": tensor,
    "torch._utils _rebuild_tensor_v2": tensor,
    "torch._utils _rebuild_parameter": lambda data, *_: data,
}


def is_legacy(head: bytes) -> bool:
    """Whether a file begins as PyTorch wrote it before 1.6."""
    return head[:1] == b"\x80" and head[2:14] == b"\x8a\x0a" + MAGIC


def read_checkpoint(path: Path, options: Options) -> Foreign:
    """The network in a file; ValueError where there is none that charrnn has."""
    data = path.read_bytes()
    value = read_legacy(data) if is_legacy(data[:14]) else read_archive(data)
    if isinstance(value, Unbuilt):
        raise whole_module("it is a whole pickled module", value)
    if not isinstance(value, dict):
        raise UnreadableError("it has no state_dict", WHOLE_MODULE)
    return network(value, options.activation or "tanh")


def whole_module(what: str, module: Unbuilt) -> UnreadableError:
    """Why a module cannot be read, and what to do."""
    return UnreadableError(f"{what}, {quote_name(module.name.replace(' ', '.'))}", WHOLE_MODULE)


def read_archive(data: bytes) -> object:
    """The value in a zip archive."""
    storages, room = Storages(), len(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        name = next((name for name in names if name.endswith("/data.pkl")), None)
        if name is None:
            raise UnreadableError("a zip archive, but neither PyTorch's nor Keras's")
        folder = name.removesuffix("data.pkl")
        if f"{folder}byteorder" in names and member(archive, f"{folder}byteorder") != b"little":
            raise UnreadableError("its numbers are big-endian", WHOLE_MODULE)
        value = load(io.BytesIO(member(archive, name)), BUILDERS, storages.refer)
        for key, each in storages.items():
            each.fill(member(archive, f"{folder}data/{key}"))
            room -= each.data.nbytes
            if room < 0:
                raise ValueError("its storages lie in the same place")
    return value


def read_legacy(data: bytes) -> object:
    """The value in a file of before 1.6."""
    storages, file = Storages(), io.BytesIO(data)
    *_, value = [load(file, BUILDERS, storages.refer) for _ in range(PICKLES)]
    for key in load(file, BUILDERS):
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        storage = storages.pop(name, None)
        if storage is None or int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError("it is cut short, or a storage is not of the size that it says")
        storage.fill(file.read(min(storage.count * storage.data.itemsize, len(data))))
    if file.read(1):
        raise ValueError("it has bytes that belong to no storage")
    return value


def network(saved: dict[Any, Any], activation: str) -> Foreign:
    """The network of a state_dict, alone or beside a vocabulary and other things."""
    arrays = {
        str(name): each.array(str(name), tied=True)
        for name, each in state_of(saved).items()
        if isinstance(each, View)
    }
    layers = recurrent_layers(arrays)
    gates = {len(layer["bias_hh"]) // layer["weight_hh"].shape[1] for layer in layers}
    if len(gates) != 1 or not gates <= set(CELLS):
        raise ValueError("it has no recurrent layers, or of several kinds")
    cell, order, assumed = CELLS[gates.pop()]
    others = {name: each for name, each in arrays.items() if not RECURRENT.match(name)}
    inputs, units = layers[0]["weight_ih"].shape[1], layers[-1]["weight_hh"].shape[1]
    embeddings, kernel, bias = around(others, inputs, units)
    named = [saved[name] for name in VOCABULARIES.split() if name in saved]
    named = [each for each in named if isinstance(each, (dict, list, tuple, str))]
    symbols = symbols_of(named[0], bias.size, "as in the file") if named else None
    function = activation if cell == "rnn" else None
    extra = function or ("forget bias as it is in the file" if cell == "lstm" else None)
    extras = [extra, "one-hot inputs" if embeddings is None else None]
    told = [*assumed, *(each for each in extras if each)]
    weights = [layer_weights(layer, order) for layer in layers]
    found = Foreign("pytorch", cell, weights, kernel.T, bias, embeddings, symbols, told)
    return replace(found, functions=(function, None))


def state_of(saved: dict[Any, Any]) -> Mapping[Any, Any]:
    """The state_dict: what was saved, or the dictionary in it that has recurrent weights."""
    for each in (saved, *saved.values()):
        names = each if isinstance(each, dict) else ()
        if any(isinstance(name, str) and RECURRENT.match(name) for name in names):
            return each  # type: ignore[no-any-return]
    for each in saved.values():
        if isinstance(each, Unbuilt):
            raise whole_module("it has a pickled module", each)
    raise UnreadableError("it has no weights of nn.LSTM, nn.GRU or nn.RNN", WHOLE_MODULE)


def recurrent_layers(arrays: Tensors) -> list[Tensors]:
    """The weights of each recurrent layer, in the order of the network, without their prefixes."""
    layers: dict[tuple[str, int], Tensors] = {}
    for match, each in ((RECURRENT.match(name), each) for name, each in arrays.items()):
        if match and match[4]:
            raise UnreadableError(
                "its network is bidirectional: it reads what follows, too",
                "charrnn has networks that read in one direction",
            )
        if match:
            layers.setdefault((match[1], int(match[3] or 0)), {})[match[2]] = each
    for layer in layers.values():
        for bias, weight in (("bias_ih", "weight_ih"), ("bias_hh", "weight_hh")):
            if weight not in layer or layer[weight].ndim != 2:
                raise ValueError("it lacks weights of a recurrent layer")
            layer.setdefault(bias, np.zeros(len(layer[weight]), np.float32))
    return list(layers.values())


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

    They are around recurrent layers that read so many inputs and give so many units.
    """
    biases = [name for name, each in others.items() if each.ndim == 1]
    kernels = [name.removesuffix("bias") + "weight" for name in biases]
    matrices = [name for name in others if name not in (*biases, *kernels[:1])]
    if len(biases) != 1 or len(matrices) > 1 or any(others[name].ndim != 2 for name in matrices):
        names = ", ".join(map(quote_name, [*biases, *matrices][:2])) or "nothing"
        raise UnreadableError(
            f"beside its recurrent layers it has {names}, where one output layer is needed",
            "charrnn has an embedding, recurrent layers and one output layer, and no others",
        )
    bias, kernel = others[biases[0]], others.get(kernels[0])
    if kernel is None or kernel.shape != (len(bias), units):
        raise ValueError("its output layer does not read the last recurrent layer alone")
    embeddings = others[matrices[0]] if matrices else None
    if (len(bias) if embeddings is None else embeddings.shape[-1]) != inputs:
        raise UnreadableError(
            f"its first layer reads {inputs} numbers, which are not {len(bias)} characters",
            "charrnn has no networks that read a context beside the characters",
        )
    if embeddings is not None and len(embeddings) != len(bias):
        raise ValueError(f"it reads {len(embeddings)} characters, and writes {len(bias)}")
    return embeddings, kernel, bias
