"""The network in Keras, one for training, evaluation and sampling alike.

    logits, state = network((ids, state, seed), training=…)

The layers are those of `charrnn.network.stack`; what is added here are variables, dropout
and the scan over time.
"""

from collections.abc import Callable, Mapping

import numpy as np

from charrnn.cells import RECURRENT_KERNEL, Weight
from charrnn.config import MOST_LAYERS, ModelConfig
from charrnn.network.stack import TABLE_CHARACTERS, Drop, Run, Stack
from charrnn.network.weights import recurrent, specify, state_widths, strip_prefix
from charrnn.tf.ops import TensorOps
from charrnn.tf.scan import scan_cell
from charrnn.tf.start import has_gpu, keras, start, tf
from charrnn.types import State, Tensor, Tensors, Weights

STOCK = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
"""Cells whose stock layer runs on cuDNN, with the same weights."""


def drop(x: Tensor, rate: float, seed: Tensor, place: int, shape: list | None = None) -> Tensor:
    """Inverted dropout of x, with a mask of its shape or of the one given.

    Args:
        x: Any tensor.
        rate: The share of entries that become zero.
        seed: int32 [2], the run's seed and the step.
        place: Keeps the masks of several places apart.
        shape: The mask's shape, if one mask is to serve several rows of x.
    """
    seed = seed + tf.constant([place << 20, 0])
    # Philox is named because XLA's default generator takes 70 times as long on a CPU.
    noise = tf.random.stateless_uniform(tf.shape(x) if shape is None else shape, seed, alg="philox")
    return tf.where(noise < rate, tf.zeros((), x.dtype), x / (1 - rate))


def output_dropout(config: ModelConfig, seed: Tensor) -> Drop | None:
    """Dropout of the layers' outputs [T, B, U]; None where the settings want none.

    A mask for each time step or, where `variational`, one for all of them (Gal and
    Ghahramani 2016).
    """
    if not config.dropout:
        return None

    def drop_outputs(y: Tensor, place: int) -> Tensor:
        steps, *rest = tf.unstack(tf.shape(y))
        shape = [1 if config.variational else steps, *rest]
        return drop(y, config.dropout, seed, place + 1, shape)

    return drop_outputs


def drop_recurrent(config: ModelConfig, seed: Tensor, kernel: Tensor, layer: int) -> Tensor:
    """Dropout of the recurrent weights of layer `layer` (DropConnect; Merity et al. 2018)."""
    return drop(kernel, config.recurrent_dropout, seed, MOST_LAYERS + layer)


def on_cudnn(config: ModelConfig) -> bool:
    fits = config.cell in STOCK and config.recurrent_activation in (None, "sigmoid")
    return fits and not config.recurrent_dropout and has_gpu()


class StockLayers:
    """Keras's layers for a network. Their own weights are never used: each call brings others."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        specified = specify(config, vocabulary_size)
        self._layers = [
            STOCK[config.cell](units, return_sequences=True, return_state=True)
            for units in config.layer_units
        ]
        for number, layer in enumerate(self._layers, start=1):
            inputs = specified[f"{recurrent(number)}/kernel"].shape[0]
            layer.build((None, None, inputs))

    def run(self, weights: Weights) -> Run:
        """A `Run` over the time steps [T, B, …] with these weights of the network."""

        def run(stack: Stack, place: int, read: Tensor, state: State) -> tuple[Tensor, State]:
            own = list(strip_prefix(weights, recurrent(place + 1)).values())
            x = tf.transpose(read if place else embed(stack, read), [1, 0, 2])
            layer, start = self._layers[place], list(state)
            (outputs, *after), _ = layer.stateless_call(
                own, layer.non_trainable_variables, x, initial_state=start
            )
            return tf.transpose(outputs, [1, 0, 2]), tuple(after)

        return run


def embed(stack: Stack, ids: Tensor) -> Tensor:
    """What the first layer reads, [T, B, D]: embeddings or one-hot rows."""
    if stack.embeddings is None:
        return tf.one_hot(ids, stack.layers[0].kernel.shape[0])
    return stack.ops.take(stack.embeddings, ids, 0)


class Network(keras.Model):
    """The Keras model of a configuration; its weights are zero until `set_weights`.

    Args:
        config: The network's shape.
        vocabulary_size: V, the unknown symbol included.

    Raises:
        ConfigError: The cell's step does not do what a cell's does.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__(name="network")
        self.config, self.vocabulary_size = config, vocabulary_size
        specified = specify(config, vocabulary_size)
        names = dict.fromkeys(name.split("/")[0] for name in specified)
        self.groups = [Group(name, strip_prefix(specified, name)) for name in names]
        self.built = True
        self._make_run = make_run(config, vocabulary_size)

    def call(
        self, inputs: tuple[Tensor, State, Tensor], training: bool = False
    ) -> tuple[Tensor, State]:
        """Logits of the characters that follow, for every time step.

        Args:
            inputs: ids int32 [T, B]; the state, the cells' parts layer after layer, each
                [B, U]; and seed int32 [2], the run's seed and the step, which fixes the
                dropout masks. T and B are free.
            training: Whether there is dropout.

        Returns:
            Logits [T, B, V] and the state after the last time step.
        """
        ids, state, seed = inputs
        weights = {each.path: tf.convert_to_tensor(each) for each in self.weights}
        if training and self.config.recurrent_dropout:
            for layer, _ in enumerate(self.config.layer_units, start=1):
                name = f"{recurrent(layer)}/{RECURRENT_KERNEL}"
                weights[name] = drop_recurrent(self.config, seed, weights[name], layer)
        table = self.vocabulary_size <= TABLE_CHARACTERS
        stack = Stack(TensorOps(), self.config, weights, table=table)
        drop = output_dropout(self.config, seed) if training else None
        features, after = stack.features(ids, tuple(state), self._make_run(weights), drop)
        return stack.logits(features), after


class Group(keras.layers.Layer):
    """The variables of one layer of the stack, under its name."""

    def __init__(self, name: str, specified: Mapping[str, Weight]) -> None:
        super().__init__(name=name)
        for own, weight in specified.items():
            bound = None if weight.bound is None else Clipped(weight.bound)
            self.add_weight(name=own, shape=weight.shape, initializer="zeros", constraint=bound)
        self.built = True


class Clipped(keras.constraints.Constraint):
    """No entry above the bound or below its negative: taken back there after each step."""

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def __call__(self, value: Tensor) -> Tensor:
        return keras.ops.clip(value, -self.bound, self.bound)


def make_run(config: ModelConfig, vocabulary_size: int) -> Callable[[Mapping[str, Tensor]], Run]:
    if on_cudnn(config):
        return StockLayers(config, vocabulary_size).run
    return lambda weights: run_scan


def run_scan(stack: Stack, place: int, read: Tensor, state: State) -> tuple[Tensor, State]:
    """A `Run` over all time steps [T, B, …]."""
    layer = stack.layers[place]
    return scan_cell(layer.cell, stack.products(place, read), layer.weights, state)


def get_weights(model: keras.Model) -> Tensors:
    return {weight.path: weight.numpy() for weight in model.weights}


def set_weights(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    for weight in model.weights:
        weight.assign(weights[weight.path])


def build_network(
    config: ModelConfig, vocabulary_size: int, weights: Mapping[str, np.ndarray] | None = None
) -> Network:
    """The Keras model of a configuration, with these weights if given, else zeros."""
    start()
    network = Network(config, vocabulary_size)
    if weights is not None:
        set_weights(network, weights)
    return network


def compile_function(function: Callable, config: ModelConfig) -> Callable:
    """The function compiled for a network of this configuration."""
    compiled: Callable = tf.function(function, jit_compile=not on_cudnn(config), autograph=False)
    return compiled


def zero_state(config: ModelConfig, batch_size: int) -> tuple[Tensor, ...]:
    return tuple(tf.zeros((batch_size, units)) for units in state_widths(config))
