"""The network, built by one function for training, evaluation and sampling alike.

    logits, state = model((ids, state, seed), training=…)

ids int32 [T, B]; state: the cells' parts, layer after layer, each [B, U]; seed int32 [2],
(seed, step), which fixes the dropout masks; logits [T, B, V]. T and B are free.
"""

from collections.abc import Callable
from typing import Any

from charrnn.config import ModelConfig
from charrnn.model.backend import keras, tf
from charrnn.model.layers import Dropout, Embedding, TiedLogits, on_cudnn, recurrent_layer
from charrnn.model.weights import NORM_EPSILON, layers_of

Tensor = Any


def build_network(config: ModelConfig, vocabulary_size: int) -> keras.Model:
    """The functional model; its weights are zero until `set_weights`."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    seed = keras.Input(batch_shape=(2,), dtype="int32", name="seed")
    states = [[keras.Input((units,)) for _ in names] for units, names in layers_of(config)]
    table = None
    if config.embedding:
        table = Embedding(vocabulary_size, config.embedding, name="embedding")(ids)
    features, after = recurrent_stack(config, vocabulary_size, ids, states, table, seed)
    if config.tie_embeddings:
        logits = TiedLogits(vocabulary_size, name="logits")(features, table)
    else:
        dense = keras.layers.Dense(vocabulary_size, kernel_initializer="zeros", name="logits")
        logits = dense(features)
    return keras.Model(
        (ids, tuple(part for parts in states for part in parts), seed), (logits, after)
    )


def recurrent_stack(
    config: ModelConfig, vocabulary_size: int, ids: Tensor, states: list, table: Tensor, seed: Any
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Features [T, B, U] and the new state, from ids [T, B].

    Layer l reads x and leaves Dropout(Recurrent(x)), with --residual added to what it read;
    with --layer-norm, that is normalised wherever it is read (Xiong et al. 2020).
    """
    x, read, after = None, ids, []
    width = config.embedding or vocabulary_size
    for layer, units in enumerate(config.layer_units, start=1):
        options = {"table": table} if layer == 1 and table is not None else {}
        state = tuple(states[layer - 1])
        y, state = recurrent_layer(config, layer, width)(read, state, seed, **options)
        y = Dropout(config.dropout, layer, config.variational)(y, seed)
        x = x + y if config.residual and layer > 1 else y
        read = norm(layer)(x) if config.layer_norm else x
        after.extend(state)
        width = units
    return read, tuple(after)


def norm(layer: int) -> keras.layers.Layer:
    """Layer normalisation after layer number `layer` (Ba et al. 2016)."""
    return keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name=f"norm_{layer}")


def compile_function(function: Callable[..., Any], config: ModelConfig) -> Any:
    """The function compiled for a network of this configuration."""
    return tf.function(function, jit_compile=not on_cudnn(config), autograph=False)


def zero_state(config: ModelConfig, batch_size: int) -> tuple[Tensor, ...]:
    """The state where a text starts."""
    return tuple(tf.zeros((batch_size, units)) for units, parts in layers_of(config) for _ in parts)
