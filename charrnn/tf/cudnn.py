"""LSTM and GRU by way of Keras's own layers, which run on cuDNN where there is a GPU."""

from charrnn.config import ModelConfig
from charrnn.network.stack import Run, Stack
from charrnn.network.weights import below, recurrent, specify
from charrnn.tf.backend import has_gpu, keras, tf
from charrnn.types import State, Tensor, Weights

STOCK = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
"""Cells whose stock layer runs on cuDNN, with the same weights."""


def on_cudnn(config: ModelConfig) -> bool:
    """Whether the network's cell runs on cuDNN here, and is then not compiled with XLA."""
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
            own = list(below(weights, recurrent(place + 1)).values())
            x = tf.transpose(read if place else embedded(stack, read), [1, 0, 2])
            layer, start = self._layers[place], list(state)
            (outputs, *after), _ = layer.stateless_call(
                own, layer.non_trainable_variables, x, initial_state=start
            )
            return tf.transpose(outputs, [1, 0, 2]), tuple(after)

        return run


def embedded(stack: Stack, ids: Tensor) -> Tensor:
    """What the first layer reads, [T, B, D]: embeddings or one-hot rows."""
    if stack.embeddings is None:
        return tf.one_hot(ids, stack.layers[0].kernel.shape[0])
    return stack.ops.take(stack.embeddings, ids, 0)
