"""torch-rnn and char-rnn, which wrote Torch 7's files."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from charrnn.importing.foreign import (
    Foreign,
    UnreadableError,
    negated,
    recurrent_layer,
)
from charrnn.importing.nngraph import read_graph
from charrnn.importing.t7 import Object, Tensor, Value, read_t7
from charrnn.importing.vocabularies import symbols_of
from charrnn.plain import quoted
from charrnn.types import Tensors

GATES = {"nn.LSTM": "ifog", "nn.GRU": "zrg", "nn.VanillaRNN": "h"}
"""Of torch-rnn's layers, whose weights stand in one matrix, the inputs' rows first."""
CELLS = {"nn.LSTM": "lstm", "nn.GRU": "gru_classic", "nn.VanillaRNN": "rnn"}
PASSED_OVER = ("nn.Dropout", "nn.View", "nn.LookupTable", "nn.Linear")


def read_checkpoint(path: Path) -> tuple[str, Foreign]:
    """The tool that wrote a file, and the network in it; ValueError where neither of them did."""
    root = read_t7(path.read_bytes())
    if isinstance(root, Object) and isinstance(root.get("model"), Object):
        return "torch-rnn", torch_rnn(root.object("model"))
    if isinstance(root, Object) and isinstance(root.get("protos"), Object):
        return "char-rnn", char_rnn(root)
    if isinstance(root, Object) and root.kind == "nn.LanguageModel":
        return "torch-rnn", torch_rnn(root)
    raise UnreadableError(
        "a file of Torch 7, but not a checkpoint of torch-rnn or char-rnn",
        "name the file cv/….t7 that their train.lua wrote",
    )


def torch_rnn(model: Object) -> Foreign:
    """The network of an `nn.LanguageModel`."""
    modules = list(model.object("net").object("modules").items())
    layers = list(of_kind(modules, *GATES))
    kinds = {layer.kind for layer in layers}
    for module in modules:
        kind = module.kind if isinstance(module, Object) else "something"
        if kind not in (*PASSED_OVER, *GATES):
            raise UnreadableError(f"its network has {quoted(kind)}, which charrnn does not have")
    if len(kinds) != 1:
        raise ValueError("its network has no recurrent layers, or several kinds of them")
    (kind,) = kinds
    embeddings, output = the_one(modules, "nn.LookupTable"), the_one(modules, "nn.Linear")
    taken = [embeddings, output, *layers]
    check_apart([tensor(each, name) for each in taken for name in parameters(each)])
    bias = array(output, "bias")
    assumed = {
        "nn.LSTM": ["gates in the order i, f, o, g", "forget bias as it is in the file"],
        "nn.GRU": ["gates in the order z, r, g", "reset before the product", "z weighs the new"],
        "nn.VanillaRNN": ["tanh"],
    }
    return Foreign(
        CELLS[kind],
        [torch_rnn_layer(layer) for layer in layers],
        array(output, "weight").T,
        bias,
        array(embeddings, "weight"),
        symbols_of(tokens(model), bias.size, "by torch-rnn's table"),
        assumed[kind],
        order="first",
    )


def torch_rnn_layer(layer: Object) -> Tensors:
    """A layer's weights."""
    weight, bias = array(layer, "weight"), array(layer, "bias")
    gates = GATES[layer.kind]
    units = bias.size // len(gates)
    if weight.ndim != 2 or len(weight) <= units:
        raise ValueError("the weights of a layer do not fit together")
    made = recurrent_layer(weight[:-units], weight[-units:], bias, gates)
    return negated(made, gates.index("z")) if layer.kind == "nn.GRU" else made


def tokens(model: Object) -> dict[int, object]:
    """torch-rnn's characters by number.

    They are texts in UTF-8; where the text was read as bytes, those above 127 stand as [195].
    """
    table = model.object("idx_to_token").fields
    if not all(isinstance(each, bytes) for each in table.values()):
        raise ValueError("its vocabulary has something that is no character")
    numbered = {whole(key): bytes(value) for key, value in table.items()}  # type: ignore[arg-type]
    as_bytes = {number: as_byte(token) for number, token in numbered.items()}
    if all(as_bytes.values()) and any(len(token) > 1 for token in numbered.values()):
        return dict(as_bytes)
    return {number: token.decode("utf-8") for number, token in numbered.items()}


def as_byte(token: bytes) -> bytes:
    """The byte that a token stands for; empty where it is none."""
    inner = token[1:-1] if token[:1] + token[-1:] == b"[]" else b""
    if len(token) > 1 and inner.isdigit() and 127 < int(inner) < 256:
        return bytes([int(inner)])
    return token if len(token) == 1 else b""


def whole(number: Value) -> int:
    """A number of Lua's as a whole one."""
    if not isinstance(number, float) or not number.is_integer():
        raise ValueError("its vocabulary has a number that is none")
    return int(number)


def char_rnn(root: Object) -> Foreign:
    """The network of char-rnn's `protos`."""
    network = root.object("protos").object("rnn")
    if network.kind != "nn.gModule":
        raise ValueError(f"its network is {quoted(network.kind)}, not a graph")
    read = read_graph(network)
    taken = list(read.linears)
    if read.decoder is None:
        decoder = separate_decoder(root.object("protos"))
        taken, kernel = [*taken, decoder], array(decoder, "weight")
        bias = array(decoder, "bias")
    else:
        ((_, kernel),), bias = read.decoder.terms, read.decoder.bias
    check_apart([tensor(each, name) for each in taken for name in parameters(each)])
    vocabulary = {whole(number): token for token, number in root.object("vocab").fields.items()}
    if len(vocabulary) < len(root.object("vocab").fields):
        raise ValueError("its vocabulary gives two characters the same number")
    return Foreign(
        read.cell,
        read.layers,
        kernel.T,
        bias,
        None,
        symbols_of(characters(vocabulary), bias.size, "by char-rnn's table"),
        [*read.assumed, "two biases summed"],
        activation=read.activation,
    )


def characters(vocabulary: dict[int, Value]) -> dict[int, object]:
    """char-rnn's characters: bytes, or in some of its offspring texts in UTF-8."""
    values = list(vocabulary.values())
    if not all(isinstance(each, bytes) for each in values):
        raise ValueError("its vocabulary has something that is no character")
    if all(len(bytes(each)) == 1 for each in values):  # type: ignore[arg-type]
        return dict(vocabulary)
    return {n: bytes(each).decode("utf-8") for n, each in vocabulary.items()}  # type: ignore[arg-type]


def separate_decoder(protos: Object) -> Object:
    """The output layer of early versions, which stands beside the recurrent network."""
    for name in ("softmax", "decoder"):
        module = protos.get(name)
        if isinstance(module, Object):
            inner = module.get("modules")
            modules = list(inner.items()) if isinstance(inner, Object) else [module]
            return the_one(modules, "nn.Linear")
    raise ValueError("its network has no output layer")


def of_kind(modules: Sequence[Value], *kinds: str) -> Iterator[Object]:
    """The modules of these classes."""
    for each in modules:
        if isinstance(each, Object) and each.kind in kinds:
            yield each


def the_one(modules: Sequence[Value], kind: str) -> Object:
    """The module of a class, of which there has to be one."""
    found = list(of_kind(modules, kind))
    if len(found) != 1:
        raise ValueError(f"its network has {len(found)} layers {kind}, where one is needed")
    return found[0]


def parameters(module: Object) -> list[str]:
    """The names of a module's weights."""
    return [name for name in ("weight", "bias") if isinstance(module.get(name), Tensor)]


def tensor(module: Object, name: str) -> Tensor:
    """A module's tensor."""
    value = module.get(name)
    if not isinstance(value, Tensor):
        raise ValueError(f"its {module.kind} has no {name}")
    return value


def array(module: Object, name: str) -> np.ndarray:
    """A module's tensor, as float32."""
    return tensor(module, name).array(f"{module.kind}.{name}")


def check_apart(tensors: list[Tensor]) -> None:
    """ValueError where two tensors share numbers of a storage, as no network's weights do."""
    extents = sorted(each.extent for each in {id(each): each for each in tensors}.values())
    for (one, _, end), (other, begin, _) in pairwise(extents):
        if one == other and begin < end:
            raise ValueError("two of its weights lie in the same place")
