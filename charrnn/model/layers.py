"""Keras layers around the scan. Time stands first: [T, B, …]."""

from typing import Any

from charrnn.cells import RECURRENT_KERNEL, Cell
from charrnn.config import MOST_LAYERS, ModelConfig
from charrnn.model.backend import has_gpu, keras, tf
from charrnn.model.scan import scan_cell

Tensor = Any
Shape = tuple[int | None, ...]

TABLE_CHARACTERS = 256
"""Up to this vocabulary the first layer's input product is a table of V rows."""
STOCK = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
"""Cells whose stock layer runs on cuDNN, with the same weights."""


def on_cudnn(config: ModelConfig) -> bool:
    """Whether the network's cell runs on cuDNN here, and is then not compiled with XLA."""
    return config.cell in STOCK and not config.recurrent_dropout and has_gpu()


def recurrent_layer(config: ModelConfig, layer: int, inputs: int) -> keras.layers.Layer:
    """Layer number `layer` of the network, of the kind that is fastest on this machine."""
    kind = StockRecurrent if on_cudnn(config) else Recurrent
    drop = Drop(config.recurrent_dropout, place=MOST_LAYERS + layer)
    units = config.layer_units[layer - 1]
    return kind(config.make_cell(), units, inputs, drop, name=f"recurrent_{layer}")


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


class Clipped(keras.constraints.Constraint):
    """No entry above the bound or below its negative: taken back there after each step."""

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def __call__(self, value: Tensor) -> Tensor:
        return keras.ops.clip(value, -self.bound, self.bound)


class Recurrent(keras.layers.Layer):
    """One cell run over time; weights in Keras's layout, under Keras's names.

    Inputs: features [T, B, D], or ids [T, B] with the table of embeddings [V, D] (V = D
    and no table: one-hot). State: the cell's parts, each [B, U].
    Outputs: h [T, B, U] and the state after the last step.
    """

    def __init__(
        self, cell: Cell, units: int, inputs: int, drop: "Drop | None" = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.cell, self.units, self.inputs = cell, units, inputs
        self.drop = drop or Drop(0, place=0)

    def build(self, *shapes: Shape, **more: Shape) -> None:
        self.variables_by_name = {
            name: self.add_weight(
                name=name,
                shape=weight.shape,
                initializer="zeros",
                constraint=None if weight.bound is None else Clipped(weight.bound),
            )
            for name, weight in self.cell.weights(self.inputs, self.units).items()
        }

    def call(
        self,
        x: Tensor,
        state: tuple[Tensor, ...],
        seed: Tensor | None = None,
        table: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        weights = {
            name: tf.convert_to_tensor(variable)
            for name, variable in self.variables_by_name.items()
        }
        if training and self.drop.rate:
            weights[RECURRENT_KERNEL] = self.drop(weights[RECURRENT_KERNEL], seed)
        weights = self.cell.prepare(keras.ops, weights)
        z = self.input_product(x, weights.pop("kernel"), table)
        return scan_cell(self.cell, z, weights, tuple(state))

    @staticmethod
    def input_product(x: Tensor, kernel: Tensor, table: Tensor | None) -> Tensor:
        """x W for every time step, [T, B, G]."""
        if x.dtype.is_floating:
            return tf.tensordot(x, kernel, 1)
        if table is None:
            return look_up(kernel, x)
        if table.shape[0] <= TABLE_CHARACTERS:
            return look_up(tf.matmul(table, kernel), x)
        return tf.tensordot(look_up(table, x), kernel, 1)

    def compute_output_shape(
        self, x_shape: Shape, state_shape: tuple[Shape, ...], **more: Shape
    ) -> Any:
        return (*x_shape[:2], self.units), tuple(state_shape)


class StockRecurrent(Recurrent):
    """`Recurrent` by way of Keras's own layer, for cuDNN: same weights, inputs and outputs."""

    def build(self, *shapes: Shape, **more: Shape) -> None:
        self.stock = STOCK[self.cell.name](
            self.units,
            return_sequences=True,
            return_state=True,
            name="stock",
            dtype=self.dtype_policy,
        )
        self.stock.build((None, None, self.inputs))

    def call(
        self,
        x: Tensor,
        state: tuple[Tensor, ...],
        seed: Tensor | None = None,
        table: Tensor | None = None,
        training: bool = False,
    ) -> Any:
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


class Drop:
    """Inverted dropout whose mask is a function of a seed int32 [2].

    `place` keeps the masks of several such apart. Philox is named because XLA's default
    generator takes 70 times as long on a CPU.
    """

    def __init__(self, rate: float, place: int) -> None:
        self.rate, self.place = rate, place

    def __call__(self, x: Tensor, seed: Tensor, shape: Any = None) -> Tensor:
        """x with zeros where the mask, of x's shape or the one given, says so."""
        seed = seed + tf.constant([self.place << 20, 0])
        noise = tf.random.stateless_uniform(
            tf.shape(x) if shape is None else shape, seed, alg="philox"
        )
        return tf.where(noise < self.rate, tf.zeros((), x.dtype), x / (1 - self.rate))


class Dropout(keras.layers.Layer):
    """Dropout of features [T, B, U]: a mask for each time step, or one for all of them.

    One mask for all: Gal and Ghahramani 2016 ("variational").
    """

    def __init__(self, rate: float, place: int, one_mask: bool, **options: Any) -> None:
        super().__init__(**options)
        self.drop, self.one_mask = Drop(rate, place), one_mask

    def call(self, x: Tensor, seed: Tensor, training: bool = False) -> Tensor:
        if not training or not self.drop.rate:
            return x
        steps, *rest = tf.unstack(tf.shape(x))
        return self.drop(x, seed, [1, *rest] if self.one_mask else [steps, *rest])

    def compute_output_shape(self, x_shape: Shape, seed_shape: Shape) -> Shape:
        return x_shape


class TiedLogits(keras.layers.Layer):
    """Logits [T, B, V] from features [T, B, D] and the embeddings [V, D]: x E^T + b.

    Press and Wolf 2017.
    """

    def __init__(self, characters: int, **options: Any) -> None:
        super().__init__(**options)
        self.characters = characters

    def build(self, *shapes: Shape, **more: Shape) -> None:
        self.bias = self.add_weight(name="bias", shape=(self.characters,), initializer="zeros")

    def call(self, x: Tensor, table: Tensor) -> Tensor:
        return tf.tensordot(x, table, [[2], [1]]) + self.bias

    def compute_output_shape(self, x_shape: Shape, table_shape: Shape) -> Shape:
        return (*x_shape[:2], self.characters)
