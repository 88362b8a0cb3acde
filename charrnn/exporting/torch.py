"""PyTorch: the weights as `nn.Embedding`, `nn.LSTM` (or `GRU`, `RNN`) and `nn.Linear` have them.

Each recurrent layer is one of PyTorch's, of a single layer, since residual and skip connections
go from layer to layer.

    weight_ih_l0 [G, D] = W^T    weight_hh_l0 [G, U] = U^T    bias_ih_l0, bias_hh_l0 [G]

An LSTM's gates have the same order as here, i, f, g, o; a GRU's are r, z, g in place of z, r, g.
PyTorch has two biases; the second is zero where a cell has one alone.
"""

import json
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from safetensors.numpy import save

from charrnn.config import ModelConfig
from charrnn.exporting.exporting import facts_as_texts, program, register
from charrnn.exporting.keras import STOCK, stock_weights
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import EMBEDDINGS, LOGITS_BIAS, LOGITS_KERNEL, recurrent, strip_prefix
from charrnn.types import Tensors

LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
"""PyTorch's class for each stock layer."""
GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "rnn": (0,)}
"""The order of its gates, as places in ours."""
NONLINEARITIES = ("tanh", "relu")
"""What `nn.RNN` offers."""

READING = """
import json

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

with safe_open("PATH", "pt") as file:
    facts = {name: json.loads(fact) for name, fact in file.metadata().items()}
    weights = {name: file.get_tensor(name) for name in file.keys()}
embedding = nn.Embedding(*weights["embedding.weight"].shape)
kind = getattr(nn, facts["kind"])
layers = nn.ModuleList(kind(**arguments, batch_first=True) for arguments in facts["layers"])
output = nn.Linear(*reversed(weights["output.weight"].shape))
network = nn.ModuleDict({"embedding": embedding, "layers": layers, "output": output})
network.load_state_dict(weights)
states = [None] * len(layers)


@torch.no_grad()
def step(number):
    x, passed_on = embedding(torch.tensor([[number]])), []
    for place, layer in enumerate(layers):
        y, states[place] = layer(x, states[place])
        x = x + y if facts["network"]["residual"] and place else y
        passed_on.append(x)
    features = torch.cat(passed_on, -1) if facts["network"]["skip_connections"] else x
    return output(features)[0, 0].numpy()
"""


def obstacles(config: ModelConfig) -> Iterator[str]:
    """What PyTorch's layers cannot do."""
    if config.cell not in STOCK:
        yield f"PyTorch has no layer for the cell {config.cell}"
        return
    layer = f"nn.{LAYERS[STOCK[config.cell]]}"
    if config.cell == "rnn" and config.activation not in NONLINEARITIES:
        yield f"nn.RNN does not know `activation {config.activation}`"
    if config.recurrent_activation not in (None, "sigmoid"):
        yield f"{layer} does not know `recurrent_activation {config.recurrent_activation}`"
    if config.layer_norm:
        yield f"{layer} has no `layer_norm`"


@register(
    "torch",
    "the weights for PyTorch's nn.LSTM, nn.GRU or nn.RNN, as safetensors",
    suffix=".safetensors",
    obstacles=obstacles,
    usage=program("torch safetensors numpy", READING),
)
def to_torch(model: LanguageModel) -> bytes:
    """The file, made without PyTorch."""
    config, weights = model.checkpoint.config.model, model.checkpoint.weights
    tensors = {name: np.ascontiguousarray(each) for name, each in arranged(config, weights).items()}
    metadata = facts_as_texts(model) | layer_facts(config, tensors)
    return bytes(save(tensors, metadata))


def arranged(config: ModelConfig, weights: Tensors) -> Tensors:
    """The weights under PyTorch's names. One-hot inputs are the rows of an identity matrix."""
    embeddings = weights.get(EMBEDDINGS)
    if embeddings is None:
        embeddings = np.eye(len(weights[LOGITS_BIAS]), dtype=np.float32)
    kernel = embeddings.T if config.tie_embeddings else weights[LOGITS_KERNEL]
    tensors = {"embedding.weight": embeddings}
    for number in range(config.layers or 1):
        own = layer_weights(config.cell, strip_prefix(weights, recurrent(number + 1)))
        tensors |= {f"layers.{number}.{name}_l0": each for name, each in own.items()}
    return tensors | {"output.weight": kernel.T, "output.bias": weights[LOGITS_BIAS]}


def layer_weights(cell: str, weights: Tensors) -> Tensors:
    """A layer's weights as PyTorch has them."""
    weights = stock_weights(cell, weights)
    biases = np.atleast_2d(weights["bias"])
    second = biases[1] if len(biases) > 1 else np.zeros_like(biases[0])
    ours = {
        "weight_ih": weights["kernel"].T,
        "weight_hh": weights["recurrent_kernel"].T,
        "bias_ih": biases[0],
        "bias_hh": second,
    }
    return {name: reordered(each, GATES[STOCK[cell]]) for name, each in ours.items()}


def reordered(rows: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    gates = np.split(rows, len(order))
    return np.concatenate([gates[place] for place in order])


def layer_facts(config: ModelConfig, tensors: Tensors) -> dict[str, str]:
    """The recurrent layers' class in PyTorch, and the arguments of each layer."""
    chosen = {"nonlinearity": config.activation} if config.activation else {}
    widths = (tensors["embedding.weight"].shape[1], *config.layer_units)
    layers = [
        {"input_size": inputs, "hidden_size": units, **chosen} for inputs, units in pairwise(widths)
    ]
    return {"kind": json.dumps(LAYERS[STOCK[config.cell]]), "layers": json.dumps(layers)}
