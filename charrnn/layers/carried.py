"""The state that a stateful layer carries from batch to batch."""

from charrnn.errors import ConfigError
from charrnn.tf.backend import keras
from charrnn.types import State


class Carried:
    """The state that goes on from batch to batch: variables, but no weights of the layer."""

    def __init__(self) -> None:
        self.parts: list = []

    def start(self, layer: "keras.layers.Layer", batch_size: int | None) -> None:
        """Make the variables, for batches of this size."""
        if batch_size is None:
            raise ConfigError(
                "a stateful layer needs to know the batch size",
                where=layer.name,
                way_out="give keras.Input a `batch_size`",
            )
        zeros = layer.get_initial_state(batch_size)
        self.parts = [keras.Variable(each, trainable=False, name="state") for each in zeros]

    def assign(self, state: State) -> None:
        """Take the state after a batch."""
        for part, value in zip(self.parts, state, strict=True):
            part.assign(value)
