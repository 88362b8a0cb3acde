"""Networks of TensorFlow 1, by their variables' names: char-rnn-tensorflow, and ml5's dumps of it.

Three generations of names tell the same: `…/Cell0/BasicLSTMCell/Linear/Matrix` and `…/Bias`,
`…/cell_0/basic_lstm_cell/weights` and `…/biases`, `…/cell_0/basic_lstm_cell/kernel` and `…/bias`. A
matrix has the inputs' rows first. An LSTM's gates are i, j, f, o, a GRU's r, u, and beside them its
candidate; the tools add 1 to an LSTM's forget gate when they run, and the file does not have it.
"""

import re

import numpy as np

from charrnn.importing.foreign import Foreign, UnreadableError, recurrent_layer
from charrnn.plain import quoted
from charrnn.types import Tensors

SLOTS = re.compile(r"/(Adam(_\d+)?|RMSProp(_\d+)?|Momentum|Adagrad|ExponentialMovingAverage)$")
"""What optimizers keep beside a variable."""
LAYER = re.compile(
    r"(?P<where>.*?)(?:cell_?(?P<number>\d+)/)?"
    r"(?P<cell>basic_?lstm_?cell|lstm_?cell|gru_?cell|basic_?rnn_?cell)/"
    r"(?P<part>(?:(?:gates|candidate)/)?)(?:linear/)?"
    r"(?P<kind>matrix|weights|kernel|bias|biases)$",
    re.IGNORECASE,
)
CELLS = {"lstm": "lstm", "gru": "gru_classic", "rnn": "rnn"}
"""Ours, by TensorFlow's."""
OTHER_CELLS = re.compile(r"(nas_?cell|bidirectional|layer_norm|attention|/w_[fio]_diag$)", re.I)
ONE = 1.0
"""The tools' forget bias, which they add when they run."""


def network(variables: Tensors, forget_bias: float | None = None) -> Foreign:
    """The network of some variables.

    Args:
        variables: By name; the optimizer's are left out.
        forget_bias: What the tool adds to an LSTM's forget gate when it runs. Without one: 1, or 0
            where the variables are those of tensorflow-char-rnn, which has one-hot inputs.
    """
    own = {name: each for name, each in variables.items() if not SLOTS.search(name) and each.ndim}
    for name in own:
        if OTHER_CELLS.search(name):
            raise UnreadableError(
                f"it has {quoted(name)}, which charrnn's cells do not have",
                "charrnn reads BasicLSTMCell, LSTMCell, GRUCell and BasicRNNCell",
            )
    kind, layers = recurrent_layers(own)
    kernel, bias = (softmax(own, axes) for axes in (2, 1))
    embeddings = [each for name, each in own.items() if name.rpartition("/")[2] == "embedding"]
    one_hot = not embeddings and any(name.endswith("/softmax_w") for name in own)
    without = one_hot or any("loss_monitor" in name for name in variables)
    added = forget_bias if forget_bias is not None else ONE * (not without)
    widths = [bias.size if not embeddings else embeddings[0].shape[-1]]
    made = []
    for layer in layers:
        made.append(layer_weights(kind, layer, widths[-1], added))
        widths.append(len(made[-1]["recurrent_kernel"]))
    assumed = {
        "lstm": ["gates in the order i, j, f, o", told_of(added)],
        "gru": ["gates in the order r, u", "reset before the product", "tanh"],
        "rnn": ["tanh"],
    }
    return Foreign(
        CELLS[kind],
        made,
        kernel,
        bias,
        embeddings[0] if embeddings else None,
        assumed=[*assumed[kind], *([] if embeddings else ["one-hot inputs"])],
        order="frequency" if embeddings else "sorted",
    )


def told_of(forget_bias: float) -> str:
    """What was done to the forget gate."""
    if forget_bias:
        return f"{forget_bias:g} added to the forget bias, as the tool does when it runs"
    return "nothing added to the forget bias"


def softmax(variables: Tensors, axes: int) -> np.ndarray:
    """The output layer's matrix, of 2 axes, or its bias, of 1."""
    found = [each for name, each in variables.items() if "softmax" in name and each.ndim == axes]
    if len(found) != 1:
        raise UnreadableError(
            f"it has {len(found) or 'no'} softmax variables of {axes} axes, where one is needed",
            "charrnn reads the variables of char-rnn-tensorflow",
        )
    return found[0]


def recurrent_layers(variables: Tensors) -> tuple[str, list[Tensors]]:
    """The kind of cell, and each layer's variables by "kernel", "gates/bias" and so on."""
    layers: dict[tuple[str, int], Tensors] = {}
    kinds: set[str] = set()
    for name, each in variables.items():
        match = LAYER.match(name)
        if match:
            kinds |= {kind for kind in CELLS if kind in match["cell"].lower()}
            part = "bias" if match["kind"].lower().startswith("bias") else "kernel"
            key = match["where"], int(match["number"] or 0)
            layers.setdefault(key, {})[match["part"].lower() + part] = each
    if len(kinds) != 1 or len({where for where, _ in layers}) != 1:
        raise UnreadableError(
            "it has no variables of one recurrent network",
            "charrnn reads the variables of char-rnn-tensorflow",
        )
    numbers = sorted(layers)
    if [number for _, number in numbers] != list(range(len(numbers))):
        raise ValueError("it lacks one of its layers")
    return kinds.pop(), [layers[number] for number in numbers]


def layer_weights(kind: str, layer: Tensors, inputs: int, forget_bias: float) -> Tensors:
    """A layer's weights in our layout."""
    if kind == "gru":
        (gates, gates_bias), (new, new_bias) = (
            (part_of(layer, f"{part}/kernel"), part_of(layer, f"{part}/bias"))
            for part in ("gates", "candidate")
        )
        if len(gates) != len(new):
            raise ValueError("the weights of a layer do not fit together")
        kernel, bias = np.concatenate([gates, new], -1), np.append(gates_bias, new_bias)
        return recurrent_layer(kernel[:inputs], kernel[inputs:], bias, "rzg")
    kernel, bias = part_of(layer, "kernel"), part_of(layer, "bias").copy()
    if kind == "rnn":
        return recurrent_layer(kernel[:inputs], kernel[inputs:], bias)
    units = len(bias) // 4
    bias[2 * units : 3 * units] += forget_bias
    return recurrent_layer(kernel[:inputs], kernel[inputs:], bias, "igfo")


def part_of(layer: Tensors, name: str) -> np.ndarray:
    """One of a layer's variables."""
    if name not in layer:
        raise ValueError(f"one of its layers lacks its {name}")
    return layer[name]
