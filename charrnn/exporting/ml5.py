"""ml5: a folder that its charRNN reads, and sketches of p5 with it; two layers of LSTM, no other.

Each variable is a file of float32. The gates stand in the order i, j, f, o; ml5 itself adds 1 to
the forget bias, and takes the second layer's output. It has no unknown symbol.
"""

import json
from collections.abc import Iterator, Mapping

import numpy as np

from charrnn.config import ModelConfig
from charrnn.exporting.exporting import register
from charrnn.exporting.keras import STOCK, stock_weights
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import EMBEDDINGS, LOGITS_BIAS, LOGITS_KERNEL, recurrent, strip_prefix
from charrnn.types import Tensors

CELL = "rnnlm/multi_rnn_cell/cell_{}/basic_lstm_cell"


def obstacles(config: ModelConfig) -> Iterator[str]:
    """What ml5 does not compute."""
    lstm = STOCK.get(config.cell) == "lstm" and config.recurrent_activation in (None, "sigmoid")
    if not lstm or config.layers != 2:
        yield "ml5 has two layers of the cell lstm alone"
    for setting in ("layer_norm", "residual", "skip_connections"):
        if getattr(config, setting):
            yield f"ml5 has no `{setting}`"


@register("ml5", "a folder for ml5's charRNN: manifest.json and vocab.json", obstacles=obstacles)
def to_ml5(model: LanguageModel) -> Mapping[str, bytes]:
    """The folder's files."""
    tensors = dict(variables(model.checkpoint.config.model, model.checkpoint.weights))
    files = {name.replace("/", "_"): each.astype("<f4").tobytes() for name, each in tensors.items()}
    listed = zip(tensors.items(), files, strict=True)
    manifest = {name: {"filename": file, "shape": each.shape} for (name, each), file in listed}
    numbers = {each: number for number, each in enumerate(model.vocabulary.characters)}
    texts = {"manifest.json": manifest, "vocab.json": numbers}
    return files | {name: json.dumps(each).encode() for name, each in texts.items()}


def variables(config: ModelConfig, weights: Tensors) -> Iterator[tuple[str, np.ndarray]]:
    """The variables by ml5's names, without the unknown symbol."""
    if EMBEDDINGS in weights:
        yield "embedding", weights[EMBEDDINGS][:-1]
    for place in range(2):
        own = stock_weights(config.cell, strip_prefix(weights, recurrent(place + 1)))
        rows = own["kernel"][:-1] if not place and EMBEDDINGS not in weights else own["kernel"]
        i, f, j, o = np.split(np.vstack([rows, own["recurrent_kernel"], own["bias"]]), 4, -1)
        whole = np.concatenate([i, j, f, o], -1)
        whole[-1, 2 * f.shape[1] : 3 * f.shape[1]] -= 1
        yield f"{CELL.format(place)}/kernel", whole[:-1]
        yield f"{CELL.format(place)}/bias", whole[-1]
    kernel = weights[EMBEDDINGS].T if config.tie_embeddings else weights[LOGITS_KERNEL]
    yield "rnnlm/softmax_w", kernel[:, :-1]
    yield "rnnlm/softmax_b", weights[LOGITS_BIAS][:-1]
