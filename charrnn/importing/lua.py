"""torch-rnn and char-rnn, which wrote Torch 7's files."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from charrnn.checked_json import quoted
from charrnn.importing.foreign import Foreign, Options, UnreadableError, recurrent_layer, scaled
from charrnn.importing.nngraph import read_graph
from charrnn.importing.t7 import Object, Reader, Value
from charrnn.importing.vocabularies import symbols_of
from charrnn.types import Tensors

LAYERS = {
    "nn.LSTM": (
        "lstm",
        "ifog",
        ("gates in the order i, f, o, g", "forget bias as it is in the file"),
    ),
    "nn.GRU": (
        "gru_classic",
        "zrg",
        ("gates in the order z, r, g", "reset before the product", "z weighs the new"),
    ),
    "nn.VanillaRNN": ("rnn", "h", ("tanh",)),
}
"""Our cell, the order of torch-rnn's gates, and what is assumed."""
OTHERS = ("nn.Dropout", "nn.View", "nn.LookupTable", "nn.Linear")


def read_checkpoint(path: Path, _: Options) -> Foreign:
    """The network in a file of either tool; ValueError where neither of them wrote it."""
    root = Reader(path.read_bytes()).read()
    if isinstance(root, Object) and isinstance(root.get("model"), Object):
        root = root.object("model")
    if isinstance(root, Object) and root.kind == "nn.LanguageModel":
        return torch_rnn(root)
    if isinstance(root, Object) and isinstance(root.get("protos"), Object):
        return char_rnn(root)
    raise UnreadableError(
        "a file of Torch 7, but not a checkpoint of torch-rnn or char-rnn",
        "name the file cv/….t7 that their train.lua wrote",
    )


def torch_rnn(model: Object) -> Foreign:
    """The network of an `nn.LanguageModel`."""
    modules = list(model.object("net").object("modules").items())
    for module in modules:
        kind = module.kind if isinstance(module, Object) else "something"
        if kind not in (*OTHERS, *LAYERS):
            raise UnreadableError(f"its network has {quoted(kind)}, which charrnn does not have")
    layers = [each for each in modules if isinstance(each, Object) and each.kind in LAYERS]
    if len({layer.kind for layer in layers}) != 1:
        raise ValueError("its network has no recurrent layers, or several kinds of them")
    cell, gates, assumed = LAYERS[layers[0].kind]
    output, embedding = the_one(modules, "nn.Linear"), the_one(modules, "nn.LookupTable")
    kernel, bias = output.array("weight").T, output.array("bias")
    found = tokens(model.object("idx_to_token"), False)
    symbols = symbols_of(found, bias.size, "by torch-rnn's table")
    weights, embeddings = [layer_weights(each, gates) for each in layers], embedding.array("weight")
    return Foreign(
        "torch-rnn", cell, weights, kernel, bias, embeddings, symbols, [*assumed], "first"
    )


def layer_weights(layer: Object, gates: str) -> Tensors:
    """A layer's weights, which stand in one matrix [D + U, G], the inputs' rows first."""
    weight, bias = layer.array("weight"), layer.array("bias")
    units = bias.size // len(gates)
    if weight.ndim != 2 or len(weight) <= units:
        raise ValueError("the weights of a layer do not fit together")
    made = recurrent_layer(weight[:-units], weight[-units:], bias, gates)
    return scaled(made, (-1, 1, 1)) if gates == "zrg" else made


def char_rnn(root: Object) -> Foreign:
    """The network of char-rnn's `protos`."""
    protos = root.object("protos")
    (cell, layers, function), decoder = read_graph(protos.object("rnn"))
    if decoder is None:  # early versions had it beside the recurrent network
        module = protos.get("softmax") or protos.get("decoder")
        inner = module.get("modules") if isinstance(module, Object) else None
        linear = the_one(inner.items() if isinstance(inner, Object) else [module], "nn.Linear")
        decoder = linear.array("weight"), linear.array("bias")
    kernel, bias = decoder
    symbols = symbols_of(tokens(root.object("vocab"), True), bias.size, "by char-rnn's table")
    told = {"lstm": "forget bias as it is in the file", "gru_classic": "reset before the product"}
    assumed = ["gates by what the graph computes", told[cell]] if cell in told else [function]
    assumed.append("two biases summed")
    found = Foreign("char-rnn", cell, layers, kernel.T, bias, None, symbols, assumed)
    return replace(found, functions=(function if cell == "rnn" else None, None))


def the_one(modules: Iterable[Value], kind: str) -> Object:
    """The module of a class, of which there has to be one."""
    found = [each for each in modules if isinstance(each, Object) and each.kind == kind]
    if len(found) != 1:
        raise ValueError(f"its network has {len(found)} layers {kind}, where one is needed")
    return found[0]


def tokens(table: Object, of_bytes: bool) -> dict[object, object]:
    """A vocabulary with whole numbers, and with bytes or texts in UTF-8.

    char-rnn's are bytes, but in some of its offspring texts. torch-rnn's are texts; where it read
    bytes, those above 127 stand as [195].
    """
    known = {each for pair in table.fields.items() for each in pair if isinstance(each, bytes)}
    single = {each: as_byte(each) for each in known}
    of_bytes = of_bytes or any(len(each) > 1 for each in known)
    of_bytes = of_bytes and all(single.values())
    texts = {each: single[each] if of_bytes else each.decode("utf-8") for each in known}

    def plain(value: Value) -> object:
        if isinstance(value, bytes):
            return texts[value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return {plain(key): plain(value) for key, value in table.fields.items()}


def as_byte(token: bytes) -> bytes:
    """The byte that a token stands for; empty where it is none."""
    inner = token[1:-1] if token[:1] + token[-1:] == b"[]" else b""
    if len(token) == 5 and inner.isdigit() and 127 < int(inner) < 256:
        return bytes([int(inner)])
    return token if len(token) == 1 else b""
