"""Keras layers around the scan. Time stands first: [T, B, …]."""

from typing import Any

from charrnn.cells import Cell
from charrnn.model.backend import keras, tf
from charrnn.model.scan import Weights, scan_cell

Tensor = Any
Shape = tuple[int | None, ...]

TABLE_CHARACTERS = 1024
"""Up to this vocabulary the first layer's input product is a table of V rows."""
STOCK = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
"""Cells whose stock layer runs on cuDNN, with the same weights."""


def on_cudnn(cell: Cell) -> bool:
    """Whether the cell runs on cuDNN here; XLA then keeps out."""
    return cell.name in STOCK and bool(tf.config.list_physical_devices("GPU"))


def recurrent_layer(cell: Cell, units: int, inputs: int, name: str) -> keras.layers.Layer:
    """The layer that runs the cell fastest on this machine."""
    kind = StockRecurrent if on_cudnn(cell) else Recurrent
    return kind(cell, units, inputs, name=name)


class Embedding(keras.layers.Layer):
    """The whole table of embeddings [V, D]: the first recurrent layer folds it into its W."""

    def __init__(self, characters: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.shape = (characters, width)

    def build(self, shape: Shape) -> None:
        self.embeddings = self.add_weight(name="embeddings", shape=self.shape, initializer="zeros")

    def call(self, ids: Tensor) -> Tensor:
        return tf.convert_to_tensor(self.embeddings)

    def compute_output_shape(self, shape: Shape) -> Shape:
        return self.shape


class Recurrent(keras.layers.Layer):
    """One cell run over time; weights in Keras's layout, under Keras's names.

    Inputs: features [T, B, D], or ids [T, B] with the table of embeddings [V, D] (V = D
    and no table: one-hot). State: the cell's parts, each [B, U].
    Outputs: h [T, B, U] and the state after the last step.
    """

    def __init__(self, cell: Cell, units: int, inputs: int, **options: Any) -> None:
        super().__init__(**options)
        self.cell, self.units, self.inputs = cell, units, inputs

    def build(self, *shapes: Shape) -> None:
        for name, weight in self.cell.weights(self.inputs, self.units).items():
            value = self.add_weight(name=name, shape=weight.shape, initializer="zeros")
            setattr(self, name, value)

    def call(self, x: Tensor, state: tuple[Tensor, ...], table: Tensor | None = None) -> Any:
        kernel, bias = map(tf.convert_to_tensor, (self.recurrent_kernel, self.bias))
        biases = tf.unstack(bias) if len(bias.shape) == 2 else [bias]
        weights = Weights(biases[0], kernel, *biases[1:])
        return scan_cell(self.cell, self.input_product(x, table), weights, tuple(state))

    def input_product(self, x: Tensor, table: Tensor | None) -> Tensor:
        """x W for every time step, [T, B, G]."""
        kernel = tf.convert_to_tensor(self.kernel)
        if x.dtype.is_floating:
            return tf.tensordot(x, kernel, 1)
        if table is None:
            return look_up(kernel, x)
        if table.shape[0] <= TABLE_CHARACTERS:
            return look_up(tf.matmul(table, kernel), x)
        return tf.tensordot(look_up(table, x), kernel, 1)

    def compute_output_shape(
        self, x_shape: Shape, state_shape: tuple[Shape, ...], table_shape: Shape | None = None
    ) -> Any:
        return (*x_shape[:2], self.units), tuple(state_shape)


class StockRecurrent(Recurrent):
    """`Recurrent` by way of Keras's own layer, for cuDNN: same weights, inputs and outputs."""

    def build(self, *shapes: Shape) -> None:
        self.stock = STOCK[self.cell.name](
            self.units,
            return_sequences=True,
            return_state=True,
            name="stock",
            dtype=self.dtype_policy,
        )
        self.stock.build((None, None, self.inputs))

    def call(self, x: Tensor, state: tuple[Tensor, ...], table: Tensor | None = None) -> Any:
        if not x.dtype.is_floating:
            x = tf.one_hot(x, self.inputs) if table is None else look_up(table, x)
        outputs, *after = self.stock(tf.transpose(x, [1, 0, 2]), initial_state=list(state))
        return tf.transpose(outputs, [1, 0, 2]), tuple(after)


def look_up(table: Tensor, ids: Tensor) -> Tensor:
    """Rows [T, B, G] of the table [V, G].

    The gradient of a small table is a product with one-hot rows: a scatter, which it is
    otherwise, runs on one thread.
    """
    size = table.shape[0]
    if size > TABLE_CHARACTERS:
        return tf.gather(table, ids)

    @tf.custom_gradient
    def rows(table: Tensor) -> Any:
        def gradient(d_rows: Tensor) -> Tensor:
            one_hot = tf.one_hot(ids, size, dtype=d_rows.dtype)
            return tf.tensordot(one_hot, d_rows, [[0, 1], [0, 1]])

        return tf.gather(table, ids), gradient

    return rows(table)


class Dropout(keras.layers.Layer):
    """Inverted dropout whose mask is a function of the seed given with the input.

    `place` keeps the masks of several such layers apart. Philox is named because XLA's
    default generator takes 70 times as long on a CPU.
    """

    def __init__(self, rate: float, place: int, **options: Any) -> None:
        super().__init__(**options)
        self.rate, self.place = rate, place

    def call(self, x: Tensor, seed: Tensor, training: bool = False) -> Tensor:
        if not training or not self.rate:
            return x
        seed = seed + tf.constant([self.place << 20, 0])
        noise = tf.random.stateless_uniform(tf.shape(x), seed, alg="philox")
        return tf.where(noise < self.rate, 0.0, x / (1 - self.rate))

    def compute_output_shape(self, x_shape: Shape, seed_shape: Shape) -> Shape:
        return x_shape
