"""The network, built by one function for training, evaluation and sampling alike.

    logits, state = model((ids, state, seed), training=…)

ids int32 [T, B]; state: the cells' parts, layer after layer, each [B, U]; seed int32 [2],
(seed, step), which fixes the dropout masks; logits [T, B, V]. T and B are free.
"""

from collections.abc import Callable
from typing import Any

from charrnn.cells import CELLS
from charrnn.config import ModelConfig
from charrnn.model.backend import keras, tf
from charrnn.model.layers import Dropout, Embedding, on_cudnn, recurrent_layer

Tensor = Any


def build_network(config: ModelConfig, vocabulary_size: int) -> keras.Model:
    """The functional model; its weights are zero until `set_weights`."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    seed = keras.Input(batch_shape=(2,), dtype="int32", name="seed")
    states = [keras.Input((config.units,)) for _ in state_names(config)]
    table = None
    if config.embedding:
        table = Embedding(vocabulary_size, config.embedding, name="embedding")(ids)
    x, after = recurrent_stack(config, vocabulary_size, ids, states, table, seed)
    logits = keras.layers.Dense(vocabulary_size, kernel_initializer="zeros", name="logits")(x)
    return keras.Model((ids, tuple(states), seed), (logits, after))


def recurrent_stack(
    config: ModelConfig, vocabulary_size: int, ids: Tensor, states: list, table: Tensor, seed: Any
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Features [T, B, U] and the new state, from ids [T, B]."""
    cell = CELLS[config.cell]
    parts = len(cell.state_names)
    x, after = ids, []
    width = config.embedding or vocabulary_size
    for layer in range(config.layers):
        state = tuple(states[layer * parts : (layer + 1) * parts])
        recurrent = recurrent_layer(cell, config.units, width, name=f"recurrent_{layer + 1}")
        x, state = recurrent(x, state, *([table] if layer == 0 and table is not None else []))
        x = Dropout(config.dropout, place=layer + 1)(x, seed)
        after.extend(state)
        width = config.units
    return x, tuple(after)


def compile_function(function: Callable[..., Any], config: ModelConfig) -> Any:
    """The function compiled for a network of this configuration."""
    jit = not on_cudnn(CELLS[config.cell])
    return tf.function(function, jit_compile=jit, autograph=False)


def state_names(config: ModelConfig) -> list[str]:
    """A name for each part of the state, in order: '1/h', '1/c', '2/h', …"""
    parts = CELLS[config.cell].state_names
    return [f"{layer + 1}/{part}" for layer in range(config.layers) for part in parts]


def zero_state(config: ModelConfig, batch_size: int) -> tuple[Tensor, ...]:
    """The state where a text starts."""
    return tuple(tf.zeros((batch_size, config.units)) for _ in state_names(config))
