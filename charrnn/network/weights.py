"""A network's weights and states: their names, their shapes, and how the weights start."""

import zlib
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from charrnn.cells import CELLS, Weight, initializers
from charrnn.config import ModelConfig
from charrnn.types import Tensors

Item = TypeVar("Item")

EMBEDDINGS = "embedding/embeddings"
LOGITS_KERNEL, LOGITS_BIAS = "logits/kernel", "logits/bias"


def recurrent(layer: int) -> str:
    """Under which name the weights of recurrent layer number `layer` stand, from 1."""
    return f"recurrent_{layer}"


def norm(layer: int) -> str:
    """Under which name the weights of the normalisation after layer number `layer` stand."""
    return f"norm_{layer}"


def specify(config: ModelConfig, vocabulary_size: int) -> dict[str, Weight]:
    """Shape and initialiser of every weight by name, in the order of the network.

    Embeddings start normal with deviation 1/sqrt(D), the dense layer Glorot uniform with
    zero bias; the recurrent layers as their cell says.
    """
    specified = {}
    width = config.embedding or vocabulary_size
    if config.embedding:
        shape = (vocabulary_size, config.embedding)
        specified[EMBEDDINGS] = Weight(shape, initializers.unit_normal)
    for layer, units in enumerate(config.layer_units, start=1):
        specified |= prefixed(recurrent(layer), config.make_cell().weights(width, units))
        if config.layer_norm:
            specified[f"{norm(layer)}/gamma"] = Weight((units,), initializers.ones)
            specified[f"{norm(layer)}/beta"] = Weight((units,), initializers.zeros)
        width = units
    if not config.tie_embeddings:
        shape = (config.features, vocabulary_size)
        specified[LOGITS_KERNEL] = Weight(shape, initializers.glorot_uniform)
    specified[LOGITS_BIAS] = Weight((vocabulary_size,), initializers.zeros)
    return specified


def initial_weights(config: ModelConfig, vocabulary_size: int, seed: int) -> Tensors:
    """Fresh weights. Each depends only on the seed and its own name and shape."""
    return {
        name: weight.initializer(
            np.random.default_rng([seed, zlib.crc32(name.encode())]), weight.shape
        )
        for name, weight in specify(config, vocabulary_size).items()
    }


def character_axes(config: ModelConfig) -> dict[str, int]:
    """The weights that have a row or column for each character, and which axis that is."""
    inputs = EMBEDDINGS if config.embedding else f"{recurrent(1)}/kernel"
    axes = {inputs: 0, LOGITS_KERNEL: 1, LOGITS_BIAS: 0}
    if config.tie_embeddings:
        del axes[LOGITS_KERNEL]
    return axes


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


def state_widths(config: ModelConfig) -> list[int]:
    """The units of each part of the state, in the order of `state_names`."""
    return [units for units, parts in layers_of(config) for _ in parts]


def prefixed(prefix: str, items: Mapping[str, Item]) -> dict[str, Item]:
    """The items with `prefix/` before their names."""
    return {f"{prefix}/{name}": item for name, item in items.items()}


def below(items: Mapping[str, Item], prefix: str) -> dict[str, Item]:
    """The items under `prefix/`, named without it."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): item for name, item in items.items() if name.startswith(start)
    }
