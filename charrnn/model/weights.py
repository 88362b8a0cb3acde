"""A network's weights by name, as NumPy arrays: how they start, get in and get out."""

import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from charrnn.cells import CELLS, Weight, initializers
from charrnn.config import ModelConfig

Weights = dict[str, np.ndarray]


def specify(config: ModelConfig, vocabulary_size: int) -> dict[str, Weight]:
    """Shape and initialiser of every weight, in the order of the network.

    Embeddings start normal with deviation 1/sqrt(D), the dense layer Glorot uniform with
    zero bias; the recurrent layers as their cell says.
    """
    specified = {}
    width = config.embedding or vocabulary_size
    if config.embedding:
        shape = (vocabulary_size, config.embedding)
        specified["embedding/embeddings"] = Weight(shape, initializers.unit_normal)
    for layer in range(1, config.layers + 1):
        for name, weight in CELLS[config.cell].weights(width, config.units).items():
            specified[f"recurrent_{layer}/{name}"] = weight
        width = config.units
    shape = (config.units, vocabulary_size)
    specified["logits/kernel"] = Weight(shape, initializers.glorot_uniform)
    specified["logits/bias"] = Weight((vocabulary_size,), initializers.zeros)
    return specified


def initial_weights(config: ModelConfig, vocabulary_size: int, seed: int) -> Weights:
    """Fresh weights. Each depends only on the seed and its own name and shape."""
    return {
        name: weight.initializer(
            np.random.default_rng([seed, zlib.crc32(name.encode())]), weight.shape
        )
        for name, weight in specify(config, vocabulary_size).items()
    }


def stored_name(variable: Any) -> str:
    """The path under which a weight or an optimizer slot is saved, whichever layer holds it."""
    return re.sub(r"stock([/_])(lstm|gru)_cell[/_]", "", variable.path)


def get_weights(model: Any) -> Weights:
    """Copies of the Keras model's weights by name."""
    return {stored_name(weight): weight.numpy() for weight in model.weights}


def set_weights(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Assign every weight of the Keras model by name."""
    for weight in model.weights:
        weight.assign(weights[stored_name(weight)])
