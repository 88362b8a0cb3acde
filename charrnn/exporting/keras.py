"""Keras: a `.keras` file of stock layers, which Keras reads without charrnn.

It takes ids int32 [B, T] and gives the logits float32 [B, T, V] after each of them, from the zero
state. The file is a zip archive; `charrnn.json` in it has the characters and the settings.
"""

import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from charrnn.config import ModelConfig
from charrnn.exporting.exporting import facts, program, register
from charrnn.models.language_model import LanguageModel
from charrnn.network.stack import NORM_EPSILON
from charrnn.network.weights import (
    EMBEDDINGS,
    LOGITS_BIAS,
    LOGITS_KERNEL,
    norm,
    recurrent,
    specify,
    strip_prefix,
)
from charrnn.types import Tensors

if TYPE_CHECKING:
    import keras


STOCK = {"lstm": "lstm", "coupled": "lstm", "gru": "gru", "rnn": "rnn", "irnn": "rnn"}
"""The stock layer of each cell that has one."""


def stock_weights(cell: str, weights: Tensors) -> Tensors:
    """A recurrent layer's weights by name, as its stock layer has them, in the order of its gates.

    A coupled cell is an LSTM whose input gate is 1 - f_t = σ(-z_f): its weights are those of the
    forget gate with the other sign.
    """
    if cell != "coupled":
        return weights
    return {name: uncoupled(each) for name, each in weights.items()}


def uncoupled(columns: np.ndarray) -> np.ndarray:
    """The gates i, f, g, o [..., 4U] of the gates f, g, o [..., 3U]."""
    f, g, o = np.split(columns, 3, axis=-1)
    return np.concatenate([-f, f, g, o], axis=-1)


EMBEDDING, RECURRENT, LOGITS = "embedding", "recurrent", "logits"
"""Names of layers, which are also the beginnings of the names of their weights."""
CONFIG, FACTS = "config.json", "charrnn.json"
"""The files in the archive with the layers, and with what Keras does not read."""
LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN", "gru_classic": "GRU"}
"""Keras's class for each stock layer, whose weights have the names, shapes and order of ours."""
OTHERWISE = ("leaky_relu",)
"""Activations that have another slope in Keras."""

READING = """
import json
import zipfile

import keras
import numpy as np

network = keras.saving.load_model("PATH")  # predict(ids [B, T]): logits [B, T, V]
facts = json.loads(zipfile.ZipFile("PATH").read("charrnn.json"))


def stateful(layer):
    settings = layer.get_config()
    carried = {"stateful": True, "unroll": True} if "stateful" in settings else {}
    return layer.from_config({**settings, **carried})


one = keras.Input(batch_shape=(1, 1), dtype="int32")  # a character; the layers keep the state
writer = keras.models.clone_model(network, input_tensors=one, clone_function=stateful)
writer.set_weights(network.get_weights())


def step(number):
    return keras.ops.convert_to_numpy(writer(np.array([[number]], np.int32)))[0, 0]
"""


def obstacles(config: ModelConfig) -> Iterator[str]:
    """What Keras's stock layers cannot do."""
    if layer_of(config) not in LAYERS:
        yield f"Keras has no layer for the cell {config.cell}"
    elif config.activation in OTHERWISE:
        yield f"Keras has another slope for `activation {config.activation}`"


def layer_of(config: ModelConfig) -> str:
    return STOCK.get(config.cell, config.cell)


@register(
    "keras",
    "stock layers of Keras, whole texts in and logits out",
    suffix=".keras",
    obstacles=obstacles,
    usage=program("tensorflow numpy", READING),
)
def to_keras(model: LanguageModel) -> bytes:
    """The file. Keras and TensorFlow are imported."""
    from charrnn.tf.start import keras

    config, size = model.checkpoint.config.model, model.vocabulary.size
    network = stacked(keras, config, size)
    fill(network, config, model.checkpoint.weights)
    with zipfile.ZipFile(io.BytesIO(saved(network))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[CONFIG] = json.dumps(json.loads(files[CONFIG], object_hook=without_nulls)).encode()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, contents in (files | {FACTS: json.dumps(facts(model)).encode()}).items():
            archive.writestr(name, contents)
    return data.getvalue()


def without_nulls(settings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def stacked(keras: ModuleType, config: ModelConfig, size: int) -> "keras.Model":
    """The layers of a network with so many characters, not yet with its weights."""
    layers, ids = keras.layers, keras.Input((None,), dtype="int32", name="ids")
    x = read = embedded(keras, config, size)(ids)
    passed_on = []
    for number, units in enumerate(config.layer_units, start=1):
        y = recurrent_layer(keras, config, units, recurrent(number))(read)
        x = read = layers.Add()([x, y]) if config.residual and number > 1 else y
        if config.layer_norm:
            read = layers.LayerNormalization(epsilon=NORM_EPSILON, name=norm(number))(x)
        passed_on.append(read)
    branched = len(passed_on) > 1 and (config.residual or config.skip_connections)
    features = layers.Concatenate()(passed_on) if branched and config.skip_connections else read
    network = keras.Model(ids, layers.Dense(size, name=LOGITS)(features))
    # Keras 3.10 reads a plain chain of layers without a warning only in this form.
    return network if branched else keras.Sequential(network.layers)


def embedded(keras: ModuleType, config: ModelConfig, size: int) -> Callable[[object], object]:
    """What turns ids [B, T] into what the first layer reads, [B, T, D]."""
    layers = keras.layers
    if not config.embedding:
        one_hot = layers.CategoryEncoding(size, output_mode="one_hot")
        return lambda ids: one_hot(layers.Reshape((-1, 1))(ids))
    embedding: Callable[[object], object] = layers.Embedding(size, config.embedding, name=EMBEDDING)
    return embedding


def recurrent_layer(keras: ModuleType, config: ModelConfig, units: int, name: str) -> "keras.Layer":
    """A layer of so many units with the functions of the cell."""
    functions = {
        each: getattr(config, each)
        for each in ("activation", "recurrent_activation")
        if getattr(config, each)
    }
    if config.cell == "gru_classic":
        functions["reset_after"] = False
    layer = getattr(keras.layers, LAYERS[layer_of(config)])
    return layer(units, return_sequences=True, name=name, **functions)


def fill(network: "keras.Model", config: ModelConfig, weights: Tensors) -> None:
    """Give each layer the weights under its name, in the order of `specify`, which is Keras's."""
    names = specify(config, len(weights[LOGITS_BIAS]))
    for layer in network.layers:
        own = {name: weights[f"{layer.name}/{name}"] for name in strip_prefix(names, layer.name)}
        if layer.name.startswith(RECURRENT):
            own = stock_weights(config.cell, own)
        if own and layer.name != LOGITS:
            layer.set_weights(list(own.values()))
    kernel = weights[EMBEDDINGS].T if config.tie_embeddings else weights[LOGITS_KERNEL]
    network.get_layer(LOGITS).set_weights([kernel, weights[LOGITS_BIAS]])


def saved(network: "keras.Model") -> bytes:
    """The file that Keras writes."""
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        path = Path(folder) / "network.keras"
        with warnings.catch_warnings():  # of NumPy 2, about how TensorFlow hands out arrays
            warnings.filterwarnings("ignore", "__array__", DeprecationWarning)
            network.save(path)
        return path.read_bytes()
