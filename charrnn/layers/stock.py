"""LSTM and GRU with the arguments and the start of Keras's own layers."""

from typing import Any

from charrnn.errors import ConfigError
from charrnn.layers.recurrent import RNN, named
from charrnn.tf.start import keras, tf
from charrnn.types import Tensor

ONLY = {"activation": "tanh", "recurrent_activation": "sigmoid"}
"""The functions of a cell that leaves no choice."""


class Stock(RNN):
    """A layer whose cell Keras has too.

    Keras's arguments `implementation` and `use_cudnn` are taken, and without effect.
    """

    extra: tuple[str, ...] = ()
    """Arguments that it has beside those of `RNN`."""

    def __init__(
        self,
        cell: str,
        units: int,
        *,
        implementation: Any = 2,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, units, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {name: getattr(self, name) for name in self.extra}
        for name, only in ONLY.items():
            config[name] = config[name] or only
        return {name: value for name, value in config.items() if name != "cell"}


@keras.saving.register_keras_serializable("charrnn")
class LSTM(Stock):
    """Long short-term memory, in place of `keras.layers.LSTM`.

    Args:
        units: U.
        activation: tanh; there is no other.
        recurrent_activation: sigmoid; there is no other.
        use_bias: Whether there is b.
        kernel_initializer: Starts W.
        recurrent_initializer: Starts U.
        bias_initializer: Starts b.
        unit_forget_bias: Whether b_f starts at one, whatever the initializer.
        **kwargs: Whatever else `RNN` takes, and Keras's `implementation` and `use_cudnn`.

    Raises:
        ConfigError: An argument asks for what there is not.
    """

    extra = ("unit_forget_bias",)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        require_only(activation=activation, recurrent_activation=recurrent_activation)
        super().__init__(
            "lstm",
            units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            **kwargs,
        )
        self.unit_forget_bias = unit_forget_bias

    def initializer_of(self, name: str) -> Any:
        start = super().initializer_of(name)
        return forget_at_one(start) if name == "bias" and self.unit_forget_bias else start


@keras.saving.register_keras_serializable("charrnn")
class GRU(Stock):
    """Gated recurrent unit, in place of `keras.layers.GRU`.

    Args:
        units: U.
        activation: tanh, or with `reset_after=False` relu or leaky_relu.
        recurrent_activation: sigmoid, or with `reset_after=False` hard_sigmoid.
        use_bias: Whether there is b.
        kernel_initializer: Starts W.
        recurrent_initializer: Starts U.
        bias_initializer: Starts b.
        reset_after: Whether the reset comes after the recurrent product.
        **kwargs: Whatever else `RNN` takes, and Keras's `implementation` and `use_cudnn`.

    Raises:
        ConfigError: An argument asks for what there is not.
    """

    extra = ("reset_after",)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        reset_after: bool = True,
        **kwargs: Any,
    ) -> None:
        functions = {"activation": activation, "recurrent_activation": recurrent_activation}
        if reset_after:
            require_only(**functions)
            functions = {}
        require_some(**functions)
        super().__init__(
            "gru" if reset_after else "gru_classic",
            units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            **functions,
            **kwargs,
        )
        self.reset_after = reset_after


def require_only(**functions: Any) -> None:
    """ConfigError where another function is asked for than the one that there is."""
    require_some(**functions)
    for setting, asked in functions.items():
        if named(asked) != ONLY[setting]:
            raise ConfigError(f"the cell has {ONLY[setting]} alone", {setting: named(asked)})


def require_some(**functions: Any) -> None:
    """ConfigError where there is None, which is the identity in Keras and in no cell."""
    for setting, asked in functions.items():
        if asked is None:
            raise ConfigError("it cannot be None", {setting: None}, way_out="leave it out")


def forget_at_one(start: Any) -> Any:
    """An initializer of b [4U] with ones for the forget gate, as Keras has it."""

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        units = shape[0] // 4
        parts = [start((units,), dtype=dtype), tf.ones((units,), dtype)]
        return tf.concat([*parts, start((2 * units,), dtype=dtype)], 0)

    return initialize
