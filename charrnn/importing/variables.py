"""Networks of TensorFlow 1, by their variables' names: char-rnn-tensorflow, and ml5's dumps of it.

Three generations of names tell the same: `…/Cell0/BasicLSTMCell/Linear/Matrix` and `…/Bias`,
`…/cell_0/basic_lstm_cell/weights` and `…/biases`, `…/cell_0/basic_lstm_cell/kernel` and `…/bias`. A
matrix has the inputs' rows first. An LSTM's gates are i, j, f, o, a GRU's r, u, and beside them its
candidate; the tools add 1 to an LSTM's forget gate when they run, and the file does not have it.
"""

import re
from math import prod
from pathlib import Path

import numpy as np

from charrnn.checked_json import parse, quoted, table, typed
from charrnn.importing.foreign import Foreign, Options, UnreadableError, recurrent_layer
from charrnn.importing.vocabularies import symbols_of
from charrnn.types import Tensors

MANIFEST, VOCABULARY = "manifest.json", "vocab.json"
SLOTS = re.compile(r"/((Adam|RMSProp)(_\d+)?|Momentum|Adagrad|Exp\w+Average)$|\.OPTIMIZER_SLOT")
"""What optimizers keep beside a variable."""
LAYER = re.compile(
    r"(?P<where>.*?)(?:cell_?(?P<number>\d+)/)?"
    r"(?P<cell>basic_?lstm_?cell|lstm_?cell|gru_?cell|basic_?rnn_?cell)/"
    r"(?P<part>(?:(?:gates|candidate)/)?)(?:linear/)?"
    r"(?P<kind>matrix|weights|kernel|bias|biases)$",
    re.IGNORECASE,
)
CELLS = {
    "lstm": ("lstm", ("gates in the order i, j, f, o",)),
    "gru": ("gru_classic", ("gates in the order r, u", "reset before the product", "tanh")),
    "rnn": ("rnn", ("tanh",)),
}
"""Ours, by TensorFlow's, and what is assumed."""
OTHER_CELLS = re.compile(r"(nas_?cell|bidirectional|layer_norm|attention|/w_[fio]_diag$)", re.I)
READ = "charrnn reads the variables of char-rnn-tensorflow: BasicLSTMCell, LSTMCell, GRUCell and"
READ += " BasicRNNCell, and one softmax"


def network(variables: Tensors, options: Options) -> Foreign:
    """The network of some variables by name.

    What the tool adds to the forget gate is 1 where the options do not say, or 0 where the
    variables are those of tensorflow-char-rnn, which has one-hot inputs.
    """
    own = {name: each for name, each in variables.items() if not SLOTS.search(name) and each.ndim}
    for name in own:
        if OTHER_CELLS.search(name):
            raise UnreadableError(f"it has {quoted(name)}, which charrnn's cells do not have", READ)
    kind, layers = recurrent_layers(own)
    kernel, bias = (softmax(own, axes) for axes in (2, 1))
    embeddings = next((own[name] for name in own if name.split("/")[-1] == "embedding"), None)
    one_hot = embeddings is None and any(name.endswith("/softmax_w") for name in own)
    added = 0.0 if one_hot or any("loss_monitor" in name for name in variables) else 1.0
    added = added if options.forget_bias is None else options.forget_bias
    width, made = bias.size if embeddings is None else embeddings.shape[-1], []
    for layer in layers:
        made.append(layer_weights(kind, layer, width, added))
        width = len(made[-1]["recurrent_kernel"])
    cell, order_of_gates = CELLS[kind]
    assumed = [*order_of_gates, *(["one-hot inputs"] if embeddings is None else [])]
    if cell == "lstm":
        told = f"{added:g} added to the forget bias, as the tool does when it runs"
        assumed.insert(1, told if added else "nothing added to the forget bias")
    tool, order = "char-rnn-tensorflow", "sorted" if embeddings is None else "frequency"
    return Foreign(tool, cell, made, kernel, bias, embeddings, None, assumed, order)


def softmax(variables: Tensors, axes: int) -> np.ndarray:
    """The output layer's matrix, of 2 axes, or its bias, of 1."""
    found = [each for name, each in variables.items() if "softmax" in name and each.ndim == axes]
    if len(found) != 1:
        count = len(found) or "no"
        raise UnreadableError(f"it has {count} softmax variables of {axes} axes, not one", READ)
    return found[0]


def recurrent_layers(variables: Tensors) -> tuple[str, list[Tensors]]:
    """The kind of cell, and each layer's variables by "kernel", "gates/bias" and so on."""
    layers: dict[tuple[str, int], Tensors] = {}
    kinds: set[str] = set()
    for match, each in ((LAYER.match(name), each) for name, each in variables.items()):
        if match:
            kinds |= {kind for kind in CELLS if kind in match["cell"].lower()}
            part = "bias" if match["kind"].lower().startswith("bias") else "kernel"
            key = match["where"], int(match["number"] or 0)
            layers.setdefault(key, {})[match["part"].lower() + part] = each
    if len(kinds) != 1 or len({where for where, _ in layers}) != 1:
        raise UnreadableError("it has no variables of one recurrent network", READ)
    if {number for _, number in layers} != set(range(len(layers))):
        raise ValueError("it lacks one of its layers")
    return kinds.pop(), [layers[key] for key in sorted(layers)]


def layer_weights(kind: str, layer: Tensors, inputs: int, forget_bias: float) -> Tensors:
    """A layer's weights in our layout."""
    parts = ("gates/", "candidate/") if kind == "gru" else ("",)
    if not all(f"{part}{name}" in layer for part in parts for name in ("kernel", "bias")):
        raise ValueError("one of its layers lacks a kernel or bias")
    kernels = [layer[f"{part}kernel"] for part in parts]
    if len({each.shape[0] for each in kernels}) > 1:
        raise ValueError("the weights of a layer do not fit together")
    kernel = np.concatenate(kernels, -1)
    bias = np.concatenate([layer[f"{part}bias"] for part in parts])
    if kind == "lstm":
        units = len(bias) // 4
        bias[2 * units : 3 * units] += forget_bias
    gates = {"lstm": "igfo", "gru": "rzg", "rnn": "h"}[kind]
    return recurrent_layer(kernel[:inputs], kernel[inputs:], bias, gates)


def is_manifest(path: Path) -> bool:
    """Whether a file is ml5's manifest, or a folder has one."""
    return (path / MANIFEST).is_file() or (path.name == MANIFEST and path.is_file())


def read_folder(path: Path, options: Options) -> Foreign:
    """ml5's network: each variable a file of float32 beside a manifest that has its shape."""
    if not is_manifest(path):
        raise UnreadableError("no manifest.json of ml5", "name the folder that has it")
    folder = path if path.is_dir() else path.parent
    tensors: Tensors = {}
    files = [folder / MANIFEST]
    for name, entry in table(parse(files[0].read_bytes()), MANIFEST).items():
        file = folder / typed(str, table(entry, name).get("filename"), name)
        if file.parent != folder or "\\" in file.name or not file.is_file():
            raise ValueError(f"its manifest lists {quoted(file.name)}, which is no file beside it")
        if file in files:
            raise ValueError(f"its manifest lists {quoted(file.name)} twice")
        shape = typed(tuple[int, ...], table(entry, name).get("shape"), f"{name}.shape")
        if min(shape, default=0) < 0 or prod(shape) * 4 != file.stat().st_size:
            raise ValueError(f"its file {quoted(file.name)} is not of the size that it says")
        tensors[name] = np.fromfile(file, "<f4").reshape(shape)
        files.append(file)
    foreign = network(tensors, options)
    foreign.tool, foreign.files = "ml5", files
    if (folder / VOCABULARY).is_file():
        data = parse((folder / VOCABULARY).read_bytes())
        foreign.symbols = symbols_of(data, foreign.size, f"as in {VOCABULARY}")
    return foreign
