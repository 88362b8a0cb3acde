"""TensorFlow's checkpoints: of char-rnn-tensorflow, in a folder with its vocabulary, and of Keras.

`tf.train.load_checkpoint` reads the old form (one file) and the new one (`.index` beside `.data-…`)
and verifies their checksums. TensorFlow is imported here alone, and only to read such a file.
"""

import glob
import re
from math import prod
from pathlib import Path

import numpy as np

from charrnn.checked_json import check_object, check_type, parse, quote_name
from charrnn.importing import keras_models
from charrnn.importing.foreign import (
    Foreign,
    Options,
    UnreadableError,
    plain_data,
    recurrent_layer,
    symbols_of,
)
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
            raise UnreadableError(
                f"it has {quote_name(name)}, which charrnn's cells do not have", READ
            )
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
    for name, entry in check_object(parse(files[0].read_bytes()), MANIFEST).items():
        file = folder / check_type(str, check_object(entry, name).get("filename"), name)
        if file.parent != folder or "\\" in file.name or not file.is_file():
            raise ValueError(
                f"its manifest lists {quote_name(file.name)}, which is no file beside it"
            )
        if file in files:
            raise ValueError(f"its manifest lists {quote_name(file.name)} twice")
        shape = check_type(tuple[int, ...], check_object(entry, name).get("shape"), f"{name}.shape")
        if min(shape, default=0) < 0 or prod(shape) * 4 != file.stat().st_size:
            raise ValueError(f"its file {quote_name(file.name)} is not of the size that it says")
        tensors[name] = np.fromfile(file, "<f4").reshape(shape)
        files.append(file)
    foreign = network(tensors, options)
    foreign.tool, foreign.files = "ml5", files
    if (folder / VOCABULARY).is_file():
        data = parse((folder / VOCABULARY).read_bytes())
        foreign.symbols = symbols_of(data, foreign.size, f"as in {VOCABULARY}")
    return foreign


STATE = "checkpoint"
"""The file in a folder that names the checkpoint that counts."""
NAMED = re.compile(r'^model_checkpoint_path: "(.*)"', re.MULTILINE)
SUFFIXES = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
"""The last bytes of a table of keys and values, as an index or an old checkpoint is."""
VOCABULARIES = ("chars_vocab.pkl", "vocab.json")
OBJECT = "/.ATTRIBUTES/VARIABLE_VALUE"
"""How the names of TensorFlow 2's variables end."""


def is_table(path: Path) -> bool:
    """Whether a file ends as TensorFlow's tables do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(TABLE_MAGIC)))
        return file.read() == TABLE_MAGIC


def checkpoint_in(path: Path) -> Path | None:
    """The prefix of the checkpoint that a folder or file means; None where it means none.

    A folder's is the one that its file `checkpoint` names, not the one with the highest number.
    """
    if path.is_dir() or path.name == STATE:
        folder = path if path.is_dir() else path.parent
        return named_in(folder) or the_only_one(folder)
    prefix = path.with_name(SUFFIXES.sub("", path.name))
    return prefix if files_of(prefix) else None


def named_in(folder: Path) -> Path | None:
    """The checkpoint that a folder's own files name; it may have lain elsewhere when they did."""
    state, result = folder / STATE, folder / "result.json"
    told = ""
    if state.is_file():
        match = NAMED.search(state.read_text("utf-8", "replace"))
        told = match[1] if match else ""
    elif result.is_file():
        best = parse(result.read_bytes())
        told = str(best.get("best_model", "")) if isinstance(best, dict) else ""
    parts = [part for part in re.split(r"[/\\]", told) if part not in ("", ".", "..")]
    for place in (folder.joinpath(*parts[-1:]), folder.joinpath(*parts[-2:])):
        if parts and files_of(place):
            return place
    if told and state.is_file():
        raise UnreadableError(
            f"its file {STATE} names {quote_name(parts[-1] if parts else told)}, which is not"
            " there",
            "name another checkpoint in the folder",
        )
    return None


def the_only_one(folder: Path) -> Path | None:
    tables = [each for each in folder.iterdir() if is_table(each)]
    found = sorted(each.with_name(SUFFIXES.sub("", each.name)) for each in tables)
    if len(found) > 1:
        raise UnreadableError(
            f"it has {len(found)} checkpoints and no file '{STATE}' that says which counts",
            f"name one of them, as {found[-1].name}",
        )
    return found[0] if found else None


def files_of(prefix: Path) -> list[Path]:
    """The files of a checkpoint: the index and the data, or one old file."""
    index = prefix.with_name(f"{prefix.name}.index")
    if is_table(index):
        return [index, *sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*-of-*"))]
    return [prefix] if is_table(prefix) else []


def read_checkpoint(path: Path, options: Options) -> Foreign:
    """The network that a folder, prefix or file means, of TensorFlow 1 or of Keras."""
    prefix = checkpoint_in(path)
    if prefix is None:
        raise UnreadableError("no checkpoint of TensorFlow", "name its folder, or its .index file")
    tensors = read_variables(prefix)
    if any(name.endswith(OBJECT) for name in tensors):
        own = {name.removesuffix(OBJECT): tensors[name] for name in tensors if OBJECT in name}
        foreign = keras_models.of_attributes(own, options)
    else:
        foreign = network(tensors, options)
        folders = (prefix.parent, prefix.parent.parent)
        tried = [folder / name for folder in folders for name in VOCABULARIES]
        for file in [each for each in tried if each.is_file()][:1]:
            data = plain_data(file.read_bytes())
            foreign.symbols = symbols_of(data, foreign.size, f"as in {file.name}")
    foreign.files = files_of(prefix)
    return foreign


def read_variables(prefix: Path) -> Tensors:
    """A checkpoint's variables by name, without the optimizer's; ValueError where it is damaged."""
    from charrnn.tf.start import tf

    room = sum(file.stat().st_size for file in files_of(prefix))
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        wanted = [
            name for name in sorted(shapes) if types[name].is_floating and not SLOTS.search(name)
        ]
        if sum(prod(shapes[name]) * types[name].size for name in wanted) > room:
            raise ValueError("it is cut short, or a variable in it is larger than the file")
        return {name: np.asarray(reader.get_tensor(name), np.float32) for name in wanted}
    except (tf.errors.OpError, RuntimeError, TypeError) as error:
        why = quote_name(str(error).partition("\n")[0].rpartition("; ")[2])
        raise ValueError(f"TensorFlow cannot read it: {why}") from error
