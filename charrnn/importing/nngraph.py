"""The recurrent layers of a graph of nngraph, as char-rnn built it: read from what it computes.

Only an LSTM's layers have names in there, and only those of late versions. So the graph is followed
from its inputs to its outputs, each node becomes an expression, and a layer is recognised by the
equations of its output h:

    RNN     h = φ(x W + h' U)
    LSTM    h = σ(o) ⊙ tanh(c)                c = σ(f) ⊙ c' + σ(i) ⊙ tanh(g)
    GRU     h = σ(z) ⊙ tanh(g) + (1 - σ(z)) ⊙ h'        g = x W + (σ(r) ⊙ h') U
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from charrnn.importing.foreign import UnreadableError, negated, recurrent_layer
from charrnn.importing.t7 import Object, Tensor, Value
from charrnn.plain import quoted
from charrnn.types import Tensors

FUNCTIONS = {"nn.Sigmoid": "sigmoid", "nn.Tanh": "tanh", "nn.ReLU": "relu"}
SILENT = ("nn.Identity", "nn.Dropout", "nn.LogSoftMax", "nn.SoftMax", "OneHot", "nn.Copy")
"""Modules behind which the expression stays what it is."""
MOST_LAYERS = 64
MOST_INPUTS, MOST_NODES = 1 + 2 * MOST_LAYERS, 64 * MOST_LAYERS
"""The character and two parts of the state for each layer; an LSTM's layer has about 20 nodes."""


@dataclass(eq=False, frozen=True)
class Input:
    """One of the graph's inputs: the character, or a part of the state."""

    number: int


@dataclass(eq=False, frozen=True)
class Affine:
    """A sum of matrix products: W x + … + b."""

    terms: tuple[tuple["Expression", np.ndarray], ...]
    """What is multiplied, and with which W [G, D]."""
    bias: np.ndarray
    """[G]"""

    def rows(self, begin: int, count: int) -> "Affine":
        """Some of the rows alone."""
        if not 0 <= begin <= begin + count <= len(self.bias):
            raise ValueError("its network takes rows that are not there")
        chosen = slice(begin, begin + count)
        return Affine(tuple((x, w[chosen]) for x, w in self.terms), self.bias[chosen])


@dataclass(eq=False, frozen=True)
class Applied:
    """A function of something, or the sum or product of several things."""

    name: str
    arguments: tuple["Expression", ...]


Expression = Input | Affine | Applied


@dataclass
class Graph:
    """What was found in a graph."""

    cell: str
    layers: list[Tensors]
    decoder: Affine | None
    """The logits; None where the output layer stands elsewhere."""
    linears: list[Object]
    """The modules whose weights were read."""
    assumed: list[str]
    activation: str | None = None


@dataclass
class Reading:
    """The expressions of the nodes that have been followed, by the identity of their data."""

    known: dict[int, Expression | tuple[Expression, ...]]
    linears: list[Object] = field(default_factory=list)

    def follow_all(self, nodes: Sequence[Object]) -> None:
        """Find the expressions of nodes in any order; ValueError where some wait for each other."""
        waiting = [each for each in nodes if id(each) not in self.known]
        if len(waiting) > MOST_NODES:
            raise ValueError("its network has more nodes than that of 64 layers")
        while waiting:
            for each in waiting:
                if all(id(other) in self.known for other in inputs_of(each)):
                    self.follow(each)
            left = [each for each in waiting if id(each) not in self.known]
            if len(left) == len(waiting):
                raise ValueError("its network has nodes that cannot be computed")
            waiting = left

    def follow(self, data: Object) -> None:
        """Find the expression of a node, whose inputs have theirs."""
        given = [self.known[id(each)] for each in inputs_of(data)]
        module, select = data.get("module"), data.get("selectindex")
        if isinstance(module, Object):
            self.known[id(data)] = self.computed(module, given)
        elif select is not None:
            cut = given[0] if given else ()
            place = int(select) - 1 if isinstance(select, float) else -1
            if not isinstance(cut, tuple) or not 0 <= place < len(cut):
                raise ValueError("its network selects what is not there")
            self.known[id(data)] = cut[place]
        else:
            self.known[id(data)] = given[0] if len(given) == 1 else ()

    def computed(
        self, module: Object, given: Sequence[Expression | tuple[Expression, ...]]
    ) -> Expression | tuple[Expression, ...]:
        """What a module makes of its inputs."""
        if module.kind in ("nn.CAddTable", "nn.CMulTable"):
            return combined(module.kind, [each for each in given if not isinstance(each, tuple)])
        x = (
            given[0]
            if len(given) == 1
            else tuple(each for each in given if not isinstance(each, tuple))
        )
        if module.kind in SILENT or (module.kind == "nn.SplitTable" and isinstance(x, tuple)):
            return x
        if isinstance(x, tuple):
            raise UnreadableError(
                f"its network has {quoted(module.kind)} where charrnn has nothing"
            )
        if module.kind in FUNCTIONS:
            return Applied(FUNCTIONS[module.kind], (x,))
        if module.kind == "nn.Linear":
            return self.linear(module, x)
        return rearranged(module, x)

    def linear(self, module: Object, x: Expression) -> Affine:
        """A matrix product; early versions of some layers have no bias."""
        weight, bias = module.get("weight"), module.get("bias")
        if not isinstance(weight, Tensor):
            raise ValueError("its nn.Linear has no weight")
        self.linears.append(module)
        w = weight.array("nn.Linear.weight")
        b = bias.array("nn.Linear.bias") if isinstance(bias, Tensor) else np.zeros(len(w))
        if w.ndim != 2 or b.shape != w.shape[:1]:
            raise ValueError("the weights of a layer do not fit together")
        return Affine(((x, w),), b.astype(np.float32))


def combined(kind: str, given: Sequence[Expression]) -> Expression:
    """A sum or a product; a sum of matrix products is one of them."""
    if kind == "nn.CMulTable":
        return Applied("times", tuple(given))
    if not all(isinstance(each, Affine) for each in given) or not given:
        return Applied("plus", tuple(given))
    sums = [each for each in given if isinstance(each, Affine)]
    if len({each.bias.shape for each in sums}) > 1:
        raise ValueError("its network adds layers of different sizes")
    terms = tuple(term for each in sums for term in each.terms)
    return Affine(terms, np.sum([each.bias for each in sums], axis=0))


def rearranged(module: Object, x: Expression) -> Expression | tuple[Expression, ...]:
    """Gates cut out of a wider array, and 1 - x, which is two modules."""
    if module.kind in ("nn.Reshape", "nn.View") and isinstance(x, Affine):
        shape = module.get("size")
        count = int(shape[0]) if isinstance(shape, np.ndarray) and len(shape) == 2 else 0
        units = len(x.bias) // count if count else 0
        if not units or count * units != len(x.bias):
            raise ValueError("its network cuts a layer into parts that do not fit")
        return tuple(x.rows(place * units, units) for place in range(count))
    if module.kind == "nn.Narrow":
        begin, count = (int(number(module, name)) for name in ("index", "length"))
        if isinstance(x, Affine):
            return x.rows(begin - 1, count)
        if isinstance(x, Applied) and isinstance(x.arguments[0], Affine):
            return Applied(x.name, (x.arguments[0].rows(begin - 1, count),))
    if module.kind == "nn.MulConstant" and number(module, "constant_scalar") == -1:
        return Applied("minus", (x,))
    negative = isinstance(x, Applied) and x.name == "minus"
    if module.kind == "nn.AddConstant" and number(module, "constant_scalar") == 1 and negative:
        return Applied("rest", x.arguments)  # type: ignore[union-attr]
    raise UnreadableError(f"its network has {quoted(module.kind)}, which charrnn does not have")


def number(module: Object, name: str) -> float:
    """A module's number."""
    value = module.get(name)
    if not isinstance(value, float) or not abs(value) < 2**31:
        raise ValueError(f"its {module.kind} has no {name}")
    return value


def inputs_of(data: Object) -> list[Value]:
    """The data of the nodes that a node reads, in their order."""
    mapped = data.get("mapindex")
    return list(mapped.items()) if isinstance(mapped, Object) else []


def read_graph(network: Object) -> Graph:
    """The layers of an `nn.gModule`; ValueError where they are not what char-rnn built."""
    start = network.object("innode").object("data")
    fed = inputs_of(start)
    reading = Reading({id(each): Input(place) for place, each in enumerate(fed)})
    reading.known[id(start)] = tuple(map(Input, range(MOST_INPUTS)))
    nodes = [each for each in network.object("forwardnodes").items() if isinstance(each, Object)]
    reading.follow_all([each.object("data") for each in nodes])
    outputs = [reading.known.get(id(each)) for each in inputs_of(out_of(network))]
    found = [each for each in outputs if isinstance(each, (Affine, Applied))]
    if len(found) < len(outputs) or not found:
        raise ValueError("its network has outputs that are not computed")
    decoder = found.pop() if isinstance(found[-1], Affine) else None
    graph = layers_of(found)
    if isinstance(decoder, Affine) and (
        len(decoder.terms) != 1 or decoder.terms[0][0] is not found[-1]
    ):
        raise ValueError("its output layer does not read the last recurrent layer alone")
    graph.decoder = decoder if isinstance(decoder, Affine) else None
    graph.linears = reading.linears
    return graph


def out_of(network: Object) -> Object:
    """The data of the node that collects the outputs."""
    return network.object("outnode").object("data")


def layers_of(outputs: Sequence[Affine | Applied]) -> Graph:
    """The recurrent layers, from the parts of the new state."""
    makers = {"lstm": lstm, "gru_classic": gru, "rnn": rnn}
    for cell, make in makers.items():
        wide = 2 if cell == "lstm" else 1
        states, below, layers = list(outputs), None, []
        try:
            while states:
                *_, h = states[:wide]
                if not isinstance(h, Applied) or len(states) < wide:
                    raise Unlike
                layers.append(make(h, below, states[0]))
                below, states = h, states[wide:]
        except Unlike:
            continue
        return Graph(cell, layers, None, [], *told(cell, outputs[-1]))
    raise UnreadableError(
        "its layers are not the LSTM, GRU or RNN of char-rnn",
        "charrnn cannot read a network that was changed",
    )


def told(cell: str, last: Affine | Applied) -> tuple[list[str], str | None]:
    """What is taken for granted of a cell, and its activation."""
    if cell == "lstm":
        return ["gates by what the graph computes", "forget bias as it is in the file"], None
    if cell == "rnn":
        name = last.name if isinstance(last, Applied) else ""
        return [name], name
    return ["gates by what the graph computes", "reset before the product"], None


class Unlike(Exception):
    """An expression is not that of the layer that was looked for."""


def lstm(h: Applied, below: Applied | None, c: Expression) -> Tensors:
    """The weights of an LSTM's layer."""
    output, squashed = parts(h, "times", "sigmoid", "tanh")
    if squashed.arguments[0] is not c or not isinstance(c, Applied) or c.name != "plus":
        raise Unlike
    forget, new = keeping(c)
    i, g = parts(new, "times", "sigmoid", "tanh")
    return joined([i, forget, output, g], "ifog", below)


def keeping(c: Applied) -> tuple[Applied, Applied]:
    """The forget gate, and the product of input gate and new values."""
    if len(c.arguments) != 2:
        raise Unlike
    for old, new in (c.arguments, c.arguments[::-1]):
        if isinstance(old, Applied) and old.name == "times" and isinstance(new, Applied):
            states = [each for each in old.arguments if isinstance(each, Input)]
            gates = [each for each in old.arguments if isinstance(each, Applied)]
            if len(states) == len(gates) == 1 and gates[0].name == "sigmoid":
                return gates[0], new
    raise Unlike


def gru(h: Applied, below: Applied | None, _: Expression) -> Tensors:
    """The weights of a GRU's layer, whose z weighs the new values: ours weighs the old ones."""
    if h.name != "plus" or len(h.arguments) != 2:
        raise Unlike
    for new, old in (h.arguments, h.arguments[::-1]):
        if isinstance(new, Applied) and isinstance(old, Applied):
            try:
                z, g = parts(new, "times", "sigmoid", "tanh")
                rest, _state = parts(old, "times", "rest", None)
            except Unlike:
                continue
            if rest.arguments[0] is not z:
                raise Unlike
            return negated(joined([z, reset_of(g), g], "zrg", below), 0)
    raise Unlike


def reset_of(g: Applied) -> Applied:
    """The reset gate, which weighs the state within a GRU's new values."""
    weighed = [x for x, _ in affine(g).terms if isinstance(x, Applied) and x.name == "times"]
    if not weighed:
        raise Unlike
    reset, _ = parts(weighed[0], "times", "sigmoid", None)
    return reset


def rnn(h: Applied, below: Applied | None, _: Expression) -> Tensors:
    """The weights of a simple recurrent layer."""
    if h.name not in ("tanh", "relu"):
        raise Unlike
    return joined([h], "h", below)


def parts(product: Applied, name: str, first: str, second: str | None) -> tuple[Applied, Applied]:
    """The two factors of a product, by the functions that they are; None is an input."""
    if product.name != name or len(product.arguments) != 2:
        raise Unlike
    for one, other in (product.arguments, product.arguments[::-1]):
        of_second = other.name if isinstance(other, Applied) else None
        if isinstance(one, Applied) and one.name == first and of_second == second:
            return one, other  # type: ignore[return-value]
    raise Unlike


def affine(function: Applied) -> Affine:
    """What a function is taken of, where that is a sum of matrix products."""
    inner = function.arguments[0]
    if not isinstance(inner, Affine):
        raise Unlike
    return inner


def joined(gates: Sequence[Applied], order: str, below: Applied | None) -> Tensors:
    """A layer's weights from those of its gates, each of which reads x and the state."""
    kernels, states, biases, read = [], [], [], set()
    for gate in map(affine, gates):
        if len(gate.terms) != 2:
            raise Unlike
        reads_x = [is_below(x, below) for x, _ in gate.terms]
        if reads_x.count(True) != 1:
            raise Unlike
        place = reads_x.index(True)
        read.add(state_of(gate.terms[1 - place][0]))
        kernels.append(gate.terms[place][1].T)
        states.append(gate.terms[1 - place][1].T)
        biases.append(gate.bias)
    if len(read) > 1:
        raise Unlike
    if len({each.shape for each in kernels}) > 1 or len({each.shape for each in states}) > 1:
        raise ValueError("the weights of a layer do not fit together")
    kernel, recurrent, bias = (np.concatenate(each, -1) for each in (kernels, states, biases))
    return recurrent_layer(kernel, recurrent, bias, order)


def state_of(x: Expression) -> int:
    """Which of the graph's inputs an expression is, alone or weighed by a gate."""
    inner = x.arguments if isinstance(x, Applied) and x.name == "times" else (x,)
    numbers = [each.number for each in inner if isinstance(each, Input)]
    if len(numbers) != 1:
        raise Unlike
    return numbers[0]


def is_below(x: Expression, below: Applied | None) -> bool:
    """Whether an expression is what a layer reads: the one below, or at first the character."""
    return x is below if below else isinstance(x, Input) and x.number == 0
