"""Models as other tools wrote them, in a few lines each, and what they compute.

A `Net` has random weights, gate by gate, and `logits_of` reads it by the equations of the papers in
double precision. Each writer lays the same weights out as one tool did.
"""

import io
import json
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

CHARACTERS = "e t\nabé"
"""In the tool's order, which is not ours."""
LETTERS = {"lstm": "ifog", "gru": "rzg", "rnn": "h"}


@dataclass
class Net:
    """Weights by layer and gate: W [D, U], R [U, U], b and b' [U]."""

    cell: str = "lstm"
    units: tuple[int, ...] = (5, 4)
    size: int = len(CHARACTERS)
    embedding: int = 3
    seed: int = 0
    layers: list[dict[str, list[np.ndarray]]] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        draw = lambda *shape: rng.normal(0, 0.9, shape).astype(np.float32)  # noqa: E731
        self.embeddings = draw(self.size, self.embedding) if self.embedding else None
        widths = [self.embedding or self.size, *self.units]
        self.layers = [
            {g: [draw(d, u), draw(u, u), draw(u), draw(u)] for g in LETTERS[self.cell]}
            for d, u in zip(widths, self.units, strict=False)
        ]
        self.kernel, self.bias = draw(self.units[-1], self.size), draw(self.size)

    def joined(self, layer: int, part: int, order: str) -> np.ndarray:
        """A part of a layer with its gates side by side: 0 W, 1 R, 2 b, 3 b'."""
        return np.concatenate([self.layers[layer][gate][part] for gate in order], -1)

    def stacked(self, layer: int, order: str) -> np.ndarray:
        """[D + U, G]: W above R."""
        return np.concatenate([self.joined(layer, part, order) for part in (0, 1)])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slope_02(x):
    """Keras's hard_sigmoid, before Keras 3."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def slope_16(x):
    """Keras 3's."""
    return np.clip(x / 6 + 0.5, 0, 1)


def logits_of(
    net, ids, *, biases=1, forget=0.0, gate=sigmoid, function=np.tanh, reset="after", z_weighs="old"
):
    """The logits after some characters, from the zero state.

    `biases` 2: there is b' beside b. `forget` is added to f. `reset` comes before or after the
    product with R. `z_weighs` the old state or the new values.
    """
    h = [np.zeros(u) for u in net.units]
    c = [np.zeros(u) for u in net.units]
    for number in ids:
        x = np.eye(net.size)[number] if net.embeddings is None else net.embeddings[number]
        x = x.astype(np.float64)
        for place, layer in enumerate(net.layers):
            w = {g: each[0].astype(np.float64) for g, each in layer.items()}
            r = {g: each[1].astype(np.float64) for g, each in layer.items()}
            b = {g: each[2].astype(np.float64) for g, each in layer.items()}
            d = {g: each[3].astype(np.float64) * (biases == 2) for g, each in layer.items()}
            a = {g: x @ w[g] + h[place] @ r[g] + b[g] + d[g] for g in layer}
            if net.cell == "lstm":
                c[place] = gate(a["f"] + forget) * c[place] + gate(a["i"]) * function(a["g"])
                h[place] = gate(a["o"]) * function(c[place])
            elif net.cell == "gru":
                z, reset_gate = gate(a["z"]), gate(a["r"])
                inner = reset_gate * (h[place] @ r["g"] + d["g"])
                if reset == "before":
                    inner = (reset_gate * h[place]) @ r["g"] + d["g"]
                new = function(x @ w["g"] + b["g"] + inner)
                z = z if z_weighs == "old" else 1 - z
                h[place] = z * h[place] + (1 - z) * new
            else:
                h[place] = function(a["h"])
            x = h[place]
    return x @ net.kernel + net.bias


# -- Torch 7 -----------------------------------------------------------------------------


@dataclass(eq=False)
class Lua:
    """An object of a class, or with "" a table."""

    kind: str = ""
    fields: dict[Any, Any] = field(default_factory=dict)


def listed(*values: Any) -> Lua:
    return Lua("", dict(enumerate(values, start=1)))


class T7:
    """Writes values; a thing that comes again is written as its number."""

    def __init__(self) -> None:
        self.data, self.known = bytearray(), dict[int, int]()
        self.kept: list[Any] = []

    def int(self, *values: int) -> None:
        self.data += struct.pack(f"<{len(values)}i", *values)

    def text(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        self.int(len(data))
        self.data += data

    def value(self, value: Any) -> "T7":
        if value is None:
            self.int(0)
        elif isinstance(value, bool):
            self.int(5, value)
        elif isinstance(value, (float, int)):
            self.int(1)
            self.data += struct.pack("<d", value)
        elif isinstance(value, (str, bytes)):
            self.int(2)
            self.text(value)
        elif self.again(value, 4 if isinstance(value, np.ndarray) or value.kind else 3):
            pass
        elif isinstance(value, np.ndarray):
            self.array(value)
        else:
            self.object(value)
        return self

    def again(self, value: Any, kind: int) -> bool:
        """Write a thing's kind and number, and say whether it has been written before."""
        known = id(value) in self.known
        self.kept.append(value)
        self.int(kind, self.known.setdefault(id(value), len(self.known) + 1))
        return known

    def object(self, value: Lua) -> None:
        if value.kind:
            self.text("V 1")
            self.text(value.kind)
            self.value(Lua("", value.fields))
            return
        self.int(len(value.fields))
        for key, each in value.fields.items():
            self.value(key).value(each)

    def array(self, value: np.ndarray) -> None:
        """A tensor; an array of one axis of int64 is a LongStorage."""
        names = {"f4": "Float", "f8": "Double", "i8": "Long"}
        name = names[value.dtype.str[1:]]
        self.text("V 1")
        if name == "Long":
            self.text("torch.LongStorage")
        else:
            self.text(f"torch.{name}Tensor")
            self.int(value.ndim)
            steps = [each // value.itemsize for each in np.ascontiguousarray(value).strides]
            self.data += struct.pack(f"<{2 * value.ndim + 1}q", *value.shape, *steps, 1)
            self.int(4, len(self.known) + 1)
            self.known[-len(self.known)] = 0
            self.text("V 1")
            self.text(f"torch.{name}Storage")
        self.data += struct.pack("<q", value.size) + np.ascontiguousarray(value).tobytes()


def module(kind: str, *weights: np.ndarray | None, **fields: Any) -> Lua:
    """A module of Torch with its weights, and gradients beside them."""
    own: dict[Any, Any] = dict(fields)
    for name, each in zip(("weight", "bias"), weights, strict=False):
        if each is not None:
            own |= {name: each, f"grad{name.title()}": np.zeros_like(each)}
    return Lua(kind, own)


def torch_rnn(net: Net, order: str = "ifog", characters=CHARACTERS, **more: Any) -> bytes:
    """cv/checkpoint_….t7 of torch-rnn."""
    kind = {"lstm": "nn.LSTM", "gru": "nn.GRU", "rnn": "nn.VanillaRNN"}[net.cell]
    order = {"gru": "zrg", "rnn": "h"}.get(net.cell, order)
    layers = [
        module(kind, net.stacked(place, order), net.joined(place, 2, order))
        for place in range(len(net.units))
    ]
    modules = [module("nn.LookupTable", net.embeddings), *layers, module("nn.Dropout")]
    modules += more.get("between", [])
    modules += [module("nn.View"), module("nn.Linear", net.kernel.T, net.bias), module("nn.View")]
    tokens = dict(enumerate(characters, start=1))
    model = Lua(
        "nn.LanguageModel",
        {
            "net": Lua("nn.Sequential", {"modules": listed(*modules)}),
            "idx_to_token": Lua("", tokens),
        },
    )
    root = Lua("", {"opt": Lua("", {"gpu": 0}), "model": model, "i": 8450})
    return bytes(T7().value(root).data)


class Graph:
    """What nngraph makes of modules that are applied to one another."""

    def __init__(self, inputs: int) -> None:
        self.nodes: list[Lua] = []
        self.inputs = [self(module("nn.Identity")) for _ in range(inputs)]
        self.start = Lua("", {"data": Lua(), "mapindex": listed(*self.inputs)})

    def __call__(self, module: Lua | None, *read: Lua, **fields: Any) -> Lua:
        data = Lua("", {"mapindex": listed(*read), "annotations": Lua(), **fields})
        if module is not None:
            data.fields["module"] = module
        self.nodes.append(data)
        return data

    def linear(self, x: Lua, w: np.ndarray, b: np.ndarray | None) -> Lua:
        return self(
            module("nn.Linear", w.T.astype(np.float64), None if b is None else b.astype("f8")), x
        )

    def sum(self, x: Lua, h: Lua, weights: list[np.ndarray]) -> Lua:
        w, r, b, d = weights
        return self(module("nn.CAddTable"), self.linear(x, w, b), self.linear(h, r, d))

    def done(self, *outputs: Lua) -> Lua:
        out = self(None, *outputs)
        wrap = lambda data: Lua("nngraph.Node", {"data": data, "children": Lua()})  # noqa: E731
        fields = {"innode": wrap(self.start), "outnode": wrap(out)}
        nodes = [fields["innode"], *map(wrap, self.nodes)]
        return Lua("nn.gModule", fields | {"forwardnodes": listed(*nodes)})


def char_rnn(net: Net, order: str = "ifog", narrow: bool = False, **more: Any) -> bytes:
    """cv/lm_….t7 of karpathy/char-rnn."""
    wide = 2 if net.cell == "lstm" else 1
    graph = Graph(1 + wide * len(net.units))
    x, outputs = graph(module("OneHot"), graph.inputs[0]), []
    layer = {"lstm": lstm_node, "gru": gru_node, "rnn": rnn_node}[net.cell]
    for place in range(len(net.units)):
        begin = 1 + wide * place
        x = graph(module("nn.Dropout"), x) if place else x
        new = layer(graph, net, place, x, graph.inputs[begin : begin + wide], order, narrow)
        outputs, x = [*outputs, *new], new[-1]
    outputs.append(graph(module("nn.LogSoftMax"), graph.linear(x, net.kernel, net.bias)))
    characters = more.get("characters", [bytes([each]) for each in b"e t\nab\xe9"])
    vocabulary = Lua("", {each: n for n, each in enumerate(characters, start=1)})
    protos = Lua("", {"rnn": graph.done(*outputs), "criterion": module("nn.ClassNLLCriterion")})
    return bytes(T7().value(Lua("", {"protos": protos, "vocab": vocabulary})).data)


def lstm_node(graph, net, place, x, state, order, narrow):
    c, h = state
    units = net.units[place]
    sums = graph.sum(x, h, [net.joined(place, part, order) for part in range(4)])
    if narrow:  # as before June 2015
        cut = lambda whole, n: graph(  # noqa: E731
            module("nn.Narrow", dimension=2, index=1 + n * units, length=units), whole
        )
        chunk = graph(module("nn.Narrow", dimension=2, index=1, length=3 * units), sums)
        chunk = graph(module("nn.Sigmoid"), chunk)
        i, f, o = (cut(chunk, n) for n in range(3))
        g = graph(module("nn.Tanh"), cut(sums, 3))
    else:
        shaped = graph(module("nn.Reshape", size=np.array([4, units])), sums)
        split = graph(None, graph(module("nn.SplitTable"), shaped), nSplitOutputs=4)
        i, f, o, g = (
            graph(module(f"nn.{kind}"), graph(None, split, selectindex=n))
            for n, kind in enumerate(("Sigmoid", "Sigmoid", "Sigmoid", "Tanh"), start=1)
        )
    times = lambda *both: graph(module("nn.CMulTable"), *both)  # noqa: E731
    new = graph(module("nn.CAddTable"), times(f, c), times(i, g))
    return [new, times(o, graph(module("nn.Tanh"), new))]


def gru_node(graph, net, place, x, state, order, narrow):
    (h,) = state
    z, r = (graph(module("nn.Sigmoid"), graph.sum(x, h, net.layers[place][g])) for g in "zr")
    times = lambda *both: graph(module("nn.CMulTable"), *both)  # noqa: E731
    w, u, b, d = net.layers[place]["g"]
    new = graph(module("nn.CAddTable"), graph.linear(times(r, h), u, d), graph.linear(x, w, b))
    rest = graph(module("nn.MulConstant", constant_scalar=-1), z)
    rest = graph(module("nn.AddConstant", constant_scalar=1), rest)
    both = times(z, graph(module("nn.Tanh"), new)), times(rest, h)
    return [graph(module("nn.CAddTable"), *both)]


def rnn_node(graph, net, place, x, state, order, narrow):
    return [graph(module("nn.Tanh"), graph.sum(x, state[0], net.layers[place]["h"]))]


# -- TensorFlow 1 and ml5 ----------------------------------------------------------------

NAMES = {
    1: "rnnlm/MultiRNNCell/Cell{}/{}/{}Linear/{}",
    2: "rnnlm/multi_rnn_cell/cell_{}/{}/{}{}",
    3: "rnnlm/multi_rnn_cell/cell_{}/{}/{}{}",
}
KINDS = {1: ("Matrix", "Bias"), 2: ("weights", "biases"), 3: ("kernel", "bias")}
CELLS = {"lstm": "BasicLSTMCell", "gru": "GRUCell", "rnn": "BasicRNNCell"}


def variables(net: Net, generation: int = 3, order: str = "igfo") -> dict[str, np.ndarray]:
    """char-rnn-tensorflow's variables, with Adam's beside them."""
    cell = CELLS[net.cell]
    if generation > 1:
        cell = {"lstm": "basic_lstm_cell", "gru": "gru_cell", "rnn": "basic_rnn_cell"}[net.cell]
    parts = {"lstm": {"": order}, "gru": {"gates/": "rz", "candidate/": "g"}, "rnn": {"": "h"}}
    made = {"rnnlm/softmax_w": net.kernel, "rnnlm/softmax_b": net.bias, "Variable": np.array(0.1)}
    made |= {} if net.embeddings is None else {"embedding": net.embeddings}
    for place in range(len(net.units)):
        for part, gates in parts[net.cell].items():
            shown = part.title() if generation == 1 else part
            values = net.stacked(place, gates), net.joined(place, 2, gates)
            for kind, value in zip(KINDS[generation], values, strict=True):
                made[NAMES[generation].format(place, cell, shown, kind)] = value
    slots = {f"{name}/Adam": np.zeros_like(each) for name, each in made.items()}
    return {name: each.astype(np.float32) for name, each in (made | slots).items()}


def save_variables(folder: Path, made: dict[str, np.ndarray], old: bool = False) -> None:
    """A checkpoint in the folder, beside one with a higher number that does not count."""
    import tensorflow as tf

    folder.mkdir(exist_ok=True)
    for number, factor in ((7, 1), (99, 2)):
        prefix, values = str(folder / f"model.ckpt-{number}"), [factor * v for v in made.values()]
        if old:
            tf.raw_ops.Save(filename=prefix, tensor_names=list(made), data=values)
        else:
            none = [""] * len(made)
            tf.raw_ops.SaveV2(
                prefix=prefix, tensor_names=list(made), shape_and_slices=none, tensors=values
            )
    told = 'model_checkpoint_path: "/home/anna/save/model.ckpt-7"\n'
    (folder / "checkpoint").write_text(told)


def chars_vocab(characters=CHARACTERS, protocol: int = 2) -> bytes:
    """chars_vocab.pkl."""
    return pickle.dumps(
        (tuple(characters), {each: n for n, each in enumerate(characters)}), protocol
    )


def ml5(folder: Path, net: Net, characters=CHARACTERS, order: str = "igfo") -> None:
    """A folder with manifest.json, as ml5's sketches read it."""
    folder.mkdir()
    manifest = {}
    for name, each in variables(net, order=order).items():
        if "Adam" not in name:
            file = name.replace("/", "_")
            manifest[name] = {"filename": file, "shape": list(each.shape)}
            (folder / file).write_bytes(each.tobytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    numbers = {each: n for n, each in enumerate(characters)}
    (folder / "vocab.json").write_text(json.dumps(numbers))


# -- PyTorch -----------------------------------------------------------------------------


class Kind:
    """Stands for `torch.FloatStorage`."""


def _rebuild_tensor_v2(*arguments: Any) -> None:
    """Stands for PyTorch's own."""


class Tensor:
    """An array that is pickled as PyTorch pickles a tensor."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.ascontiguousarray(array, np.float32)

    def __reduce__(self) -> Any:
        steps = tuple(each // 4 for each in self.array.strides)
        arguments = (Reference(self.array), 0, self.array.shape, steps, False, OrderedDict())
        return _rebuild_tensor_v2, arguments


@dataclass
class Reference:
    """A storage, which stands outside of the pickle."""

    array: np.ndarray


class TorchPickler(pickle.Pickler):
    """Pickles as `torch.save` does."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, 2)
        self.storages: dict[str, np.ndarray] = {}

    def persistent_id(self, thing: Any) -> Any:
        if not isinstance(thing, Reference):
            return None
        key = str(len(self.storages))
        self.storages[key] = thing.array
        return "storage", Kind, key, "cpu", thing.array.size


def torch_pickle(value: Any) -> tuple[bytes, dict[str, np.ndarray]]:
    """A value's pickle, in which our own names are PyTorch's, and its storages."""
    modules = {
        "torch": ("FloatStorage", Kind),
        "torch._utils": ("_rebuild_tensor_v2", _rebuild_tensor_v2),
    }
    before = {name: sys.modules.get(name) for name in modules}
    try:
        for name, (own, thing) in modules.items():
            sys.modules[name] = ModuleType(name)
            setattr(sys.modules[name], own, thing)
            thing.__module__, thing.__qualname__, thing.__name__ = name, own, own
        pickler = TorchPickler(file := io.BytesIO())
        pickler.dump(value)
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})
    return file.getvalue(), pickler.storages


def torch_zip(value: Any) -> bytes:
    """A file of PyTorch since 1.6."""
    data, storages = torch_pickle(value)
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("model/data.pkl", data)
        archive.writestr("model/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"model/data/{key}", array.tobytes())
    return file.getvalue()


def torch_legacy(value: Any) -> bytes:
    """A file of PyTorch before 1.6."""
    data, storages = torch_pickle(value)
    sizes = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    heads = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, sizes)]
    tail = [struct.pack("<q", each.size) + each.tobytes() for each in storages.values()]
    return b"".join([*heads, data, pickle.dumps(list(storages), 2), *tail])


def state_dict(net: Net, order: str = "", name: str = "rnn", second: bool = True) -> OrderedDict:
    """Of an nn.Embedding, an nn.LSTM, nn.GRU or nn.RNN, and an nn.Linear."""
    order = order or {"lstm": "ifgo", "gru": "rzg", "rnn": "h"}[net.cell]
    made = OrderedDict()
    if net.embeddings is not None:
        made["encoder.weight"] = net.embeddings
    for place in range(len(net.units)):
        made[f"{name}.weight_ih_l{place}"] = net.joined(place, 0, order).T
        made[f"{name}.weight_hh_l{place}"] = net.joined(place, 1, order).T
        made[f"{name}.bias_ih_l{place}"] = net.joined(place, 2, order)
        made[f"{name}.bias_hh_l{place}"] = net.joined(place, 3, order) * second
    made |= {"fc.weight": net.kernel.T, "fc.bias": net.bias}
    return OrderedDict((each, Tensor(value)) for each, value in made.items())


# -- Keras -------------------------------------------------------------------------------

KERAS = {"lstm": ("LSTM", "ifgo"), "gru": ("GRU", "zrg"), "rnn": ("SimpleRNN", "h")}


def keras_2(
    path: Path,
    net: Net,
    *,
    cudnn: bool = False,
    reset_after: bool = False,
    version: str = "2.1.6",
    settings: dict[str, Any] | None = None,
    config: bool = True,
    between: tuple[dict[str, Any], ...] = (),
    order: str = "",
) -> None:
    """A whole model in HDF5, as Keras 2 wrote it, or its weights alone."""
    kind, gates = KERAS[net.cell]
    gates = order or gates
    layers: list[tuple[str, str, dict[str, Any], dict[str, np.ndarray]]] = []
    if net.embeddings is not None:
        layers.append(("Embedding", "embedding_1", {}, {"embeddings": net.embeddings}))
    for place in range(len(net.units)):
        w, r, b, d = (net.joined(place, part, gates) for part in range(4))
        if cudnn:
            cut = lambda whole: np.split(whole, len(gates), -1)  # noqa: E731
            w = np.concatenate([each.T.reshape(each.shape) for each in cut(w)], -1)
            r = np.concatenate([each.T for each in cut(r)], -1)
            b = np.concatenate([b, d])
        elif reset_after:
            b = np.stack([b, d])
        own = {} if net.cell == "rnn" or cudnn else {"recurrent_activation": "hard_sigmoid"}
        own = {"activation": "tanh", **own, **(settings or {})}
        arrays = {"kernel": w, "recurrent_kernel": r, "bias": b}
        layers.append(("CuDNN" * cudnn + kind, f"rnn_{place}", own, arrays))
    layers += [(each["class_name"], each["config"]["name"], each["config"], {}) for each in between]
    dense = {"activation": "softmax"}
    layers.append(("Dense", "dense_1", dense, {"kernel": net.kernel, "bias": net.bias}))
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if config else file
        root.attrs["layer_names"] = np.array([name.encode() for _, name, _, _ in layers])
        (file if config else root).attrs["keras_version"] = version.encode()
        for _, name, _, arrays in layers:
            group, names = root.create_group(name), [f"{name}/{each}:0" for each in arrays]
            group.attrs["weight_names"] = np.array([each.encode() for each in names])
            for each, array in zip(names, arrays.values(), strict=True):
                group[each] = array.astype(np.float32)
        if config:
            told = [
                {"class_name": kind, "config": {"name": name, **own}}
                for kind, name, own, _ in layers
            ]
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": told})


def keras_1(path: Path, net: Net) -> None:
    """Weights of Keras 1, which lists each gate's arrays: i, c, f, o or z, r, h."""
    order = {"lstm": "igfo", "gru": "zrg"}[net.cell]
    with h5py.File(path, "w") as file:
        names = [f"lstm_{place}" for place in range(len(net.units))]
        file.attrs["layer_names"] = np.array([each.encode() for each in [*names, "dense_1"]])
        for place, layer in enumerate(names):
            group, told = file.create_group(layer), []
            for gate in order:
                letter = {"g": "c" if net.cell == "lstm" else "h"}.get(gate, gate)
                for kind, array in zip("WUb", net.layers[place][gate], strict=False):
                    told.append(f"{layer}_{kind}_{letter}:0".encode())
                    group[told[-1].decode()] = array
            group.attrs["weight_names"] = np.array(told)
        dense = file.create_group("dense_1")
        dense.attrs["weight_names"] = np.array([b"dense_1_W:0", b"dense_1_b:0"])
        dense["dense_1_W:0"], dense["dense_1_b:0"] = net.kernel, net.bias


def keras_3(net: Net, **settings: Any) -> Any:
    """A model of the Keras that is installed, with these weights."""
    import keras

    layers = keras.layers
    kind, gates = KERAS[net.cell]
    model = keras.Sequential([keras.Input((None,) if net.embedding else (None, net.size))])
    if net.embeddings is not None:
        model.add(layers.Embedding(net.size, net.embedding))
    for units in net.units:
        model.add(getattr(layers, kind)(units, return_sequences=True, **settings))
    model.add(layers.Dense(net.size))
    arrays = [] if net.embeddings is None else [net.embeddings]
    for place in range(len(net.units)):
        arrays += [net.joined(place, part, gates) for part in (0, 1)]
        biases = [net.joined(place, part, gates) for part in (2, 3)]
        after = net.cell == "gru" and settings.get("reset_after", True)
        arrays.append(np.stack(biases) if after else biases[0])
    model.set_weights([*arrays, net.kernel, net.bias])
    return model
