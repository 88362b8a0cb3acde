"""Names, shapes and initial values of a network's weights and states."""

import zlib
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from charrnn.cells import CELLS, Weight, initializers
from charrnn.checked_json import quote_name
from charrnn.config import ModelConfig
from charrnn.types import Tensors

Item = TypeVar("Item")
Layout = Mapping[str, tuple[tuple[int, ...], np.dtype]]
"""Shape and type by name."""
FLOAT32 = np.dtype(np.float32)

EMBEDDINGS = "embedding/embeddings"
LOGITS_KERNEL, LOGITS_BIAS = "logits/kernel", "logits/bias"


def recurrent(layer: int) -> str:
    """The prefix of the weights of recurrent layer number `layer`, from 1."""
    return f"recurrent_{layer}"


def norm(layer: int) -> str:
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
        specified |= add_prefix(recurrent(layer), config.make_cell().weights(width, units))
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
    """The axis of the characters in each weight that has a row or column for each of them."""
    inputs = EMBEDDINGS if config.embedding else f"{recurrent(1)}/kernel"
    axes = {inputs: 0, LOGITS_KERNEL: 1, LOGITS_BIAS: 0}
    if config.tie_embeddings:
        del axes[LOGITS_KERNEL]
    return axes


def state_names(config: ModelConfig) -> list[str]:
    """A name for each part of the state, in order: '1/h', '1/c', '2/h', …"""
    parts = CELLS[config.cell].state_names
    layers = range(1, len(config.layer_units) + 1)
    return [f"{layer}/{part}" for layer in layers for part in parts]


def state_widths(config: ModelConfig) -> list[int]:
    """The units of each part of the state, in the order of `state_names`."""
    return [units for units in config.layer_units for _ in CELLS[config.cell].state_names]


def add_prefix(prefix: str, items: Mapping[str, Item]) -> dict[str, Item]:
    """The items with `prefix/` before their names."""
    return {f"{prefix}/{name}": item for name, item in items.items()}


def strip_prefix(items: Mapping[str, Item], prefix: str) -> dict[str, Item]:
    """The items under `prefix/`, named without it."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): item for name, item in items.items() if name.startswith(start)
    }


def weights_layout(config: ModelConfig, vocabulary_size: int) -> Layout:
    specified = specify(config, vocabulary_size)
    return {name: (weight.shape, FLOAT32) for name, weight in specified.items()}


def state_layout(config: ModelConfig, batch_size: int) -> Layout:
    """[B, U] for each part of the state."""
    parts = zip(state_names(config), state_widths(config), strict=True)
    return {name: ((batch_size, units), FLOAT32) for name, units in parts}


def check_layout(tensors: Tensors, layout: Layout, part: str) -> None:
    """Raise ValueError unless the tensors have the layout's names, shapes and types."""
    for name, (shape, dtype) in layout.items():
        if name not in tensors:
            raise ValueError(f"its {part} lack {quote_name(name)}")
        found = tensors[name]
        if (found.shape, found.dtype) != (shape, dtype):
            raise ValueError(
                f"its {part} have {quote_name(name)} as {found.dtype} {list(found.shape)},"
                f" where its settings ask for {dtype} {list(shape)}"
            )
    for name in tensors:
        if name not in layout:
            raise ValueError(
                f"its {part} have {quote_name(name)}, which its settings do not ask for"
            )


def check_finite(tensors: Tensors, part: str) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ValueError(f"its {part} have a number in {quote_name(name)} that is not finite")
