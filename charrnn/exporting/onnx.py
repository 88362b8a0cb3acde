"""ONNX: one step of the network, whatever its cell and its layers are.

The graph is the recorded step (see `charrnn.network.recording`): the operations of the cell's own
lines. What depends on the weights alone is computed here and stored.

Inputs: `ids` int64 [B], and each part of the state, float32 [B, U]; `1/h` is called `state_1_h`.
Outputs: `logits` float32 [B, V], and the state after in the same order, as `next_state_1_h`.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from charrnn.errors import ConfigError
from charrnn.exporting.exporting import facts_as_texts, program, register
from charrnn.models.language_model import LanguageModel
from charrnn.network.interpreter import Interpreter
from charrnn.network.recording import Operation, Recording, record
from charrnn.plugins import need

OPSET, IR_VERSION = 13, 7
"""The lowest that the operations need (2020): a newer number keeps older programs from the file."""
LARGEST_BYTES = 1 << 31
"""What a file of protocol buffers can hold."""
SAME = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "matmul": "MatMul",
    "transpose": "Transpose",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
    "take": "Gather",
}
"""Recorded operations that ONNX has under another name."""
COMPUTED = "value_"
"""How the names of what nodes compute begin, until they are outputs."""
STEEP = np.float32(2.0**100)
"""Takes every number beyond 1e-30 out of [-1, 1], and none below 1e8 to infinity."""
NUDGE = np.float32(2.0**-20)
"""Added to a quotient before it is cut: ncnn and GPUs divide 1 by 1 and may get 0.9999999."""

READING = """
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("PATH")
facts = session.get_modelmeta().custom_metadata_map
facts = {name: json.loads(facts[name]) for name in ("vocabulary", "network", "charrnn_version")}


def typed(array, part):  # the file's type: another after a conversion
    kind = part.type.removeprefix("tensor(").removesuffix(")")
    return array.astype({"float": "float32"}.get(kind, kind))


read, *parts = session.get_inputs()
state = {part.name: typed(np.zeros((1, part.shape[1])), part) for part in parts}


def step(number):
    logits, *after = session.run(None, {"ids": typed(np.array([number]), read), **state})
    state.update(zip(state, after))
    return logits[0]
"""


@register(
    "onnx",
    "one step of the network, of any cell, for ONNX Runtime and other programs",
    suffix=".onnx",
    usage=program("onnxruntime numpy", READING),
)
def to_onnx(model: LanguageModel) -> bytes:
    """The file; ConfigError where the package is not there, or the model is too large."""
    onnx = need("onnx", "onnx")
    config, weights = model.checkpoint.config.model, model.checkpoint.weights
    recording = record(config, model.vocabulary.size)
    graph = Graph(onnx)
    values = graph.stored(recording, Interpreter(recording, weights).prepared)
    inputs, outputs = graph.run(recording, values)
    made = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "step", inputs, outputs, graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="charrnn",
    )
    onnx.helper.set_model_props(made, facts_as_texts(model))
    if made.ByteSize() >= LARGEST_BYTES:
        raise ConfigError("the model is larger than an ONNX file can be, 2 GB", {"to": "onnx"})
    data: bytes = made.SerializeToString()
    return data


class Graph:
    """A graph while it is made: its nodes and its stored arrays. Values go by their names."""

    def __init__(self, onnx: ModuleType) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def stored(self, recording: Recording, prepared: list[np.ndarray]) -> dict[int, str]:
        """Store what the step takes of the values computed beforehand; their names by number."""
        taken = {number for _, inputs, _ in recording["step"] for number in inputs}
        taken.update([recording["logits"], *recording["state"]])
        return {
            number: self.constant(value) for number, value in enumerate(prepared) if number in taken
        }

    def run(self, recording: Recording, values: dict[int, str]) -> tuple[list[Any], list[Any]]:
        """Add the nodes of the step; the graph's inputs and outputs."""
        states = {f"state_{name.replace('/', '_')}": name for name in recording["states"]}
        given = {("state", name): called for called, name in states.items()}
        for number, operation in enumerate(recording["step"], len(recording["prepare"])):
            values[number] = self._value(operation, values, given)
        widths = list(recording["states"].values())
        inputs = [self._info("ids", self._onnx.TensorProto.INT64)]
        inputs += [self._floats(*each) for each in zip(states, widths, strict=True)]
        results = dict(zip([f"next_{name}" for name in states], recording["state"], strict=True))
        outputs = [self._floats("logits", recording["weights"]["logits/bias"][0])]
        outputs += [self._floats(*each) for each in zip(results, widths, strict=True)]
        for name, number in {"logits": recording["logits"], **results}.items():
            self._result(values, number, name)
        return inputs, outputs

    def _result(self, values: dict[int, str], number: int, name: str) -> None:
        """Name a value as an output. What is no node's, or an output already, is passed on."""
        old = values[number]
        if not old.startswith(COMPUTED):
            self._add("Identity", [old], name, {})
            return
        values.update({each: name for each, called in values.items() if called == old})
        for node in self.nodes:
            node.input[:] = [name if each == old else each for each in node.input]
            node.output[:] = [name if each == old else each for each in node.output]

    def _value(
        self, operation: Operation, values: dict[int, str], given: dict[tuple[str, str], str]
    ) -> str:
        name, numbers, more = operation
        inputs = [values[number] for number in numbers]
        match name:
            case "ids":
                return "ids"
            case "state":
                return given[name, more]
            case "index":
                return self.indexed(inputs[0], more)
            case "concatenate":
                return self.node("Concat", *inputs, axis=more)
            case "mean":
                return self.node("ReduceMean", *inputs, axes=[more], keepdims=1)
            case "square":
                return self.node("Mul", inputs[0], inputs[0])
            case "zeros_like":
                return self.node("ConstantOfShape", self.node("Shape", *inputs))
            case "mod":
                return self.mod(*inputs)
            case "sign":
                return self.sign(*inputs)
            case "maximum":
                return self.maximum(*inputs)
            case "minimum":
                return self.minimum(*inputs)
            case _:
                return self.node(SAME[name], *inputs)

    # ONNX has Mod, Sign, Max and Min, but ONNX Runtime has no kernels of WebGPU for them, and
    # ncnn no Sign.

    def mod(self, a: str, b: str) -> str:
        """a - ⌊a / b⌋ b, which has the sign of b, as NumPy's."""
        quotient = self.node("Add", self.node("Div", a, b), self.constant(NUDGE))
        whole = self.node("Floor", quotient)
        return self.node("Sub", a, self.node("Mul", whole, b))

    def sign(self, x: str) -> str:
        """So steep a line, cut off at -1 and 1."""
        limits = map(self.constant, (np.float32(-1), np.float32(1)))
        return self.node("Clip", self.node("Mul", x, self.constant(STEEP)), *limits)

    def maximum(self, a: str, b: str) -> str:
        """Of an array and a number, a limit; of two arrays, a + max(b - a, 0)."""
        a, b = self._number_last(a, b)
        return self.node("Clip", a, b) if b in self._numbers() else self._moved(a, b)

    def minimum(self, a: str, b: str) -> str:
        """Of an array and a number, a limit; of two arrays, a + min(b - a, 0)."""
        a, b = self._number_last(a, b)
        return self.node("Clip", a, "", b) if b in self._numbers() else self._moved(a, b, "")

    def _moved(self, a: str, b: str, *lower: str) -> str:
        """An array moved to another one where that lies on the other side of it."""
        zero = self.constant(np.float32(0))
        return self.node("Add", a, self.node("Clip", self.node("Sub", b, a), *lower, zero))

    def _number_last(self, a: str, b: str) -> tuple[str, str]:
        return (b, a) if a in self._numbers() else (a, b)

    def _numbers(self) -> set[str]:
        return {each.name for each in self.constants if not each.dims}

    def indexed(self, x: str, places: Sequence[object]) -> str:
        """An index: first the slices, then the numbers, from the last axis on, then new axes."""
        axes = [place for place in places if place != "new"]
        cuts = [(axis, each) for axis, each in enumerate(axes) if isinstance(each, list)]
        cuts = [(axis, each) for axis, each in cuts if each != [None, None]]
        if cuts:
            starts = [each[0] or 0 for _, each in cuts]
            ends = [each[1] for _, each in cuts]
            numbers = (starts, ends, [axis for axis, _ in cuts])
            x = self.node("Slice", x, *map(self._integers, numbers))
        for axis, each in reversed(list(enumerate(axes))):
            if isinstance(each, int):
                x = self.node("Gather", x, self.constant(np.int64(each)), axis=axis)
        new = list(new_axes(places))
        return self.node("Unsqueeze", x, self._integers(new)) if new else x

    def node(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"{COMPUTED}{len(self.nodes)}"
        self._add(operator, inputs, name, attributes)
        return name

    def _add(
        self, operator: str, inputs: Sequence[str], output: str, attributes: Mapping[str, object]
    ) -> None:
        """Add a node; it has a name too, without which ONNX Runtime 1.20 takes two for one."""
        make = self._onnx.helper.make_node
        self.nodes.append(make(operator, inputs, [output], name=f"make_{output}", **attributes))

    def constant(self, value: np.ndarray | np.generic) -> str:
        """Store an array, and return its name."""
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _integers(self, numbers: Sequence[int]) -> str:
        return self.constant(np.array(numbers, np.int64))

    def _floats(self, name: str, width: int) -> Any:
        return self._info(name, self._onnx.TensorProto.FLOAT, width)

    def _info(self, name: str, kind: int, *width: int) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, kind, ["batch", *width])


def new_axes(places: Sequence[object]) -> Iterator[int]:
    """Where the new axes of an index stand in its result, which lacks the axes of numbers."""
    axis = 0
    for place in places:
        if place == "new":
            yield axis
        axis += not isinstance(place, int)
