"""A network's weights and states by name, as NumPy arrays: how they start, get in and get out."""

import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from charrnn.cells import CELLS, Weight, initializers
from charrnn.config import ModelConfig

Weights = dict[str, np.ndarray]
NORM_EPSILON = 1e-5
"""What layer normalisation adds to the variance."""


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
    for layer, units in enumerate(config.layer_units, start=1):
        for name, weight in config.make_cell().weights(width, units).items():
            specified[f"recurrent_{layer}/{name}"] = weight
        if config.layer_norm:
            specified[f"norm_{layer}/gamma"] = Weight((units,), initializers.ones)
            specified[f"norm_{layer}/beta"] = Weight((units,), initializers.zeros)
        width = units
    if not config.tie_embeddings:
        shape = (width, vocabulary_size)
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


def layers_of(config: ModelConfig) -> list[tuple[int, tuple[str, ...]]]:
    """Units and parts of the state, for each layer."""
    return [(units, CELLS[config.cell].state_names) for units in config.layer_units]


def state_names(config: ModelConfig) -> list[str]:
    """A name for each part of the state, in order: '1/h', '1/c', '2/h', …"""
    return [
        f"{layer}/{part}"
        for layer, (_, parts) in enumerate(layers_of(config), start=1)
        for part in parts
    ]


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
