"""The recurrent layers of a graph of nngraph, as char-rnn built it: read from what it computes.

Only an LSTM's layers have names in there, and only those of late versions. So the graph is followed
from its inputs to its outputs, each node becomes an expression, and a layer is recognised by the
equations of its output h:

    RNN     h = φ(x W + h' U)
    LSTM    h = σ(o) ⊙ tanh(c)                c = σ(f) ⊙ c' + σ(i) ⊙ tanh(g)
    GRU     h = σ(z) ⊙ tanh(g) + (1 - σ(z)) ⊙ h'        g = x W + (σ(r) ⊙ h') U
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from charrnn.checked_json import quote_name
from charrnn.importing.foreign import (
    Foreign,
    Options,
    UnreadableError,
    recurrent_layer,
    scaled,
    symbols_of,
)
from charrnn.importing.lua_torch import Object, Reader, Storage, Value
from charrnn.types import Tensors

FUNCTIONS = {"nn.Sigmoid": "sigmoid", "nn.Tanh": "tanh", "nn.ReLU": "relu"}
COMBINED = {"nn.CAddTable": "plus", "nn.CMulTable": "times"}
SILENT = ("nn.Identity", "nn.Dropout", "nn.LogSoftMax", "nn.SoftMax", "OneHot", "nn.Copy")
"""Modules behind which the expression stays what it is."""
MOST_LAYERS = 64
MOST_INPUTS, MOST_NODES = 1 + 2 * MOST_LAYERS, 64 * MOST_LAYERS
"""The character and two parts of the state for each layer; an LSTM's layer has about 20 nodes."""


@dataclass(eq=False, frozen=True)
class Expression:
    """One of the graph's inputs, a function, sum or product of others, or W x + … + b."""

    name: str
    """input, affine, plus, times, minus (-x), rest (1 - x), or a function's name."""
    read: tuple["Expression", ...] = ()
    matrices: tuple[np.ndarray, ...] = ()
    """Of an affine one: W [G, D] for each x that it reads."""
    bias: np.ndarray | None = None
    """[G]"""

    def rows(self, begin: int, count: int) -> "Expression":
        """Some of the rows alone, of an affine one or a function of one."""
        if self.bias is None:
            inner = tuple(each.rows(begin, count) for each in self.read if each.bias is not None)
            if len(inner) != 1 or len(self.read) != 1:
                raise UnreadableError("its network cuts what charrnn does not")
            return Expression(self.name, inner)
        chosen = slice(begin, begin + count)
        if not 0 <= begin < begin + count <= len(self.bias):
            raise ValueError("its network takes rows that are not there")
        return Expression(
            "affine", self.read, tuple(each[chosen] for each in self.matrices), self.bias[chosen]
        )


Expressions = Sequence[Expression]
Graph = tuple[str, list[Tensors], str]
"""The cell, its layers' weights, and the function of the last one's values."""


def read_graph(network: Object) -> tuple[Graph, tuple[np.ndarray, np.ndarray] | None]:
    """The layers of an `nn.gModule`, and its output layer's [V, U] and [V], if it has one."""
    start = network.object("innode").object("data")
    inputs = [Expression("input") for _ in range(MOST_INPUTS)]
    known: dict[int, Expressions] = {
        id(each): [x] for each, x in zip(inputs_of(start), inputs, strict=False)
    }
    known[id(start)] = inputs
    nodes = [each for each in network.object("forwardnodes").items() if isinstance(each, Object)]
    follow([each.object("data") for each in nodes], known)
    ends = inputs_of(network.object("outnode").object("data"))
    outputs = [known.get(id(each), ()) for each in ends]
    if not outputs or any(len(each) != 1 for each in outputs):
        raise ValueError("its network has outputs that are not computed")
    found = [each for (each,) in outputs]
    decoder = found.pop() if found[-1].bias is not None else None
    graph = layers_of(found, inputs)
    if decoder is None or decoder.bias is None:
        return graph, None
    if decoder.read != (found[-1],):
        raise ValueError("its output layer does not read the last recurrent layer alone")
    return graph, (decoder.matrices[0], decoder.bias)


def inputs_of(data: Object) -> list[Value]:
    """The data of the nodes that a node reads, in their order."""
    mapped = data.get("mapindex")
    read = mapped.fields if isinstance(mapped, Object) else {}
    if len(read) > MOST_INPUTS:
        raise ValueError("its network has more inputs than that of 64 layers")
    return list(mapped.items()) if isinstance(mapped, Object) else []


def follow(nodes: Sequence[Object], known: dict[int, Expressions]) -> None:
    """Find the expressions of nodes in any order; ValueError where some wait for each other."""
    waiting = [each for each in nodes if id(each) not in known]
    if len(waiting) > MOST_NODES:
        raise ValueError("its network has more nodes than that of 64 layers")
    while waiting:
        before = len(waiting)
        for data in waiting:
            read = [known.get(id(each)) for each in inputs_of(data)]
            if None not in read and id(data) not in known:
                known[id(data)] = computed(data, [each for each in read if each is not None])
        waiting = [each for each in waiting if id(each) not in known]
        if len(waiting) == before:
            raise ValueError("its network has nodes that cannot be computed")


def computed(data: Object, read: Sequence[Expressions]) -> Expressions:
    """The expressions of a node: one, or the parts that something was cut into."""
    module, select = data.get("module"), data.get("selectindex")
    if isinstance(module, Object):
        return applied(module, [x for each in read for x in each])
    if not isinstance(select, float):
        return read[0] if len(read) == 1 else ()
    if not read or not 1 <= select <= len(read[0]):
        raise ValueError("its network selects what is not there")
    return [read[0][int(select) - 1]]


def applied(module: Object, read: Expressions) -> Expressions:
    """What a module makes of what it reads."""
    kind = module.kind
    if kind in SILENT or (kind == "nn.SplitTable" and len(read) > 1):
        return read
    if kind in COMBINED:
        return [combined(COMBINED[kind], read)]
    if len(read) != 1:
        raise UnreadableError(f"its network has {quote_name(kind)} where charrnn has nothing")
    (x,) = read
    if kind in FUNCTIONS:
        return [Expression(FUNCTIONS[kind], (x,))]
    if kind == "nn.Linear":
        return [linear(module, x)]
    if kind in ("nn.Reshape", "nn.View"):
        return split(module, x)
    if kind == "nn.Narrow":
        return [x.rows(int(number(module, "index")) - 1, int(number(module, "length")))]
    if kind == "nn.MulConstant" and number(module, "constant_scalar") == -1:
        return [Expression("minus", (x,))]
    if kind == "nn.AddConstant" and number(module, "constant_scalar") == 1 and x.name == "minus":
        return [Expression("rest", x.read)]
    raise UnreadableError(f"its network has {quote_name(kind)}, which charrnn does not have")


def linear(module: Object, x: Expression) -> Expression:
    """A matrix product; early versions of some layers have no bias."""
    w = module.array("weight")
    b = module.array("bias") if module.get("bias") is not None else np.zeros(len(w), np.float32)
    if w.ndim != 2 or b.shape != w.shape[:1]:
        raise ValueError("the weights of a layer do not fit together")
    return Expression("affine", (x,), (w,), b)


def split(module: Object, x: Expression) -> Expressions:
    """A layer's gates, which lie in one array."""
    size = module.get("size")
    shape = size.data if isinstance(size, Storage) else np.zeros(0)
    whole = 0 if x.bias is None else len(x.bias)
    if len(shape) != 2 or not 0 < shape[0] <= whole or shape[0] * shape[1] != whole:
        raise ValueError("its network cuts a layer into parts that do not fit")
    count, units = map(int, shape)
    return [x.rows(place * units, units) for place in range(count)]


def combined(name: str, read: Expressions) -> Expression:
    """A sum or a product; the sum of two matrix products is one expression."""
    biases = [each.bias for each in read if each.bias is not None]
    if name == "times" or not biases or len(biases) < len(read):
        return Expression(name, tuple(read))
    if len({each.shape for each in biases}) > 1:
        raise ValueError("its network adds layers of different sizes")
    terms = [(x, w) for each in read for x, w in zip(each.read, each.matrices, strict=True)]
    if len(terms) > 2:
        raise UnreadableError("its network adds more than an input and a state")
    xs, matrices = zip(*terms, strict=True)
    return Expression("affine", xs, matrices, np.sum(biases, axis=0))


def number(module: Object, name: str) -> float:
    value = module.get(name)
    if not isinstance(value, float) or not abs(value) < 2**31:
        raise ValueError(f"its {module.kind} has no {name}")
    return value


class Unlike(Exception):
    """An expression is not that of the layer that was looked for."""


def layers_of(outputs: Expressions, inputs: Expressions) -> Graph:
    """The recurrent layers, from the parts of the new state and of the old one."""
    for cell, (wide, make) in MAKERS.items():
        below, layers = inputs[0], []
        try:
            for place in range(0, len(outputs), wide):
                new = outputs[place : place + wide]
                layers.append(make(new, below, inputs[1 + place : 1 + place + wide]))
                below = new[-1]
        except Unlike:
            continue
        return cell, layers, outputs[-1].name
    raise UnreadableError(
        "its layers are not the LSTM, GRU or RNN of char-rnn",
        "charrnn cannot read a network that was changed",
    )


def lstm(new: Expressions, below: Expression, before: Expressions) -> Tensors:
    """The weights of an LSTM's layer."""
    if len(new) != 2:
        raise Unlike
    c, h = new
    o, squashed = operands(h, "times", "sigmoid", "tanh")
    i, g = product_in(c, "sigmoid", "tanh")
    f, kept = product_in(c, "sigmoid", "input")
    if squashed.read != (c,) or kept is not before[0]:
        raise Unlike
    return weights_of([i, f, o, g], "ifog", below, [before[1]] * 4)


def gru(new: Expressions, below: Expression, before: Expressions) -> Tensors:
    """The weights of a GRU's layer, whose z weighs the new values: ours weighs the old ones."""
    z, g = product_in(new[0], "sigmoid", "tanh")
    rest, kept = product_in(new[0], "rest", "input")
    (inner,) = g.read
    weighed = next((each for each in inner.read if each.name == "times"), inner)
    r, state = operands(weighed, "times", "sigmoid", "input")
    if rest.read != (z,) or (kept, state) != (before[0], before[0]):
        raise Unlike
    made = weights_of([z, r, g], "zrg", below, [before[0], before[0], weighed])
    return scaled(made, (-1, 1, 1))


def rnn(new: Expressions, below: Expression, before: Expressions) -> Tensors:
    if new[0].name not in ("tanh", "relu"):
        raise Unlike
    return weights_of(new, "h", below, before)


MAKERS = {"lstm": (2, lstm), "gru_classic": (1, gru), "rnn": (1, rnn)}
"""How many parts a layer's state has, and what makes its weights."""


def operands(whole: Expression, name: str, *kinds: str) -> list[Expression]:
    """What a sum or product reads, in the order of these kinds, of which it has each once."""
    by_kind = {each.name: each for each in whole.read}
    if whole.name != name or len(whole.read) != len(kinds) or by_kind.keys() != set(kinds):
        raise Unlike
    return [by_kind[kind] for kind in kinds]


def product_in(total: Expression, *kinds: str) -> list[Expression]:
    """What is multiplied in that product of a sum of two which reads these kinds."""
    found = [each for each in total.read if {inner.name for inner in each.read} == set(kinds)]
    if total.name != "plus" or len(total.read) != 2 or len(found) != 1:
        raise Unlike
    return operands(found[0], "times", *kinds)


def weights_of(gates: Expressions, order: str, below: Expression, states: Expressions) -> Tensors:
    """A layer's weights from those of its gates, each of which reads x and a state."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for gate, state in zip(gates, states, strict=True):
        (affine,) = gate.read
        matrix = dict(zip(affine.read, affine.matrices, strict=False))
        if affine.bias is None or matrix.keys() != {below, state} or len(affine.read) != 2:
            raise Unlike
        parts.append((matrix[below].T, matrix[state].T, affine.bias))
    if len({(kernel.shape, recurrent.shape) for kernel, recurrent, _ in parts}) > 1:
        raise ValueError("the weights of a layer do not fit together")
    kernel, recurrent, bias = (np.concatenate(each, -1) for each in zip(*parts, strict=True))
    return recurrent_layer(kernel, recurrent, bias, order)


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
            raise UnreadableError(
                f"its network has {quote_name(kind)}, which charrnn does not have"
            )
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
