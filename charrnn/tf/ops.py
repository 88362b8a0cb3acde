"""The array functions of cells and stack (`charrnn.types.ArrayOps`), for tensors."""

from collections.abc import Callable

from charrnn.network.stack import TABLE_CHARACTERS
from charrnn.tf.start import keras, tf
from charrnn.types import Tensor


class TensorOps:
    """`keras.ops`, but for what has a faster form of its own here."""

    def __getattr__(self, name: str) -> Callable[..., Tensor]:
        function: Callable[..., Tensor] = getattr(keras.ops, name)
        return function

    @staticmethod
    def matmul(x: Tensor, y: Tensor) -> Tensor:
        """The product of x [..., D] with a matrix [D, G]: one, however many axes x has."""
        return tf.tensordot(x, y, 1) if len(x.shape) > 2 else tf.matmul(x, y)

    @staticmethod
    def take(x: Tensor, indices: Tensor, axis: int) -> Tensor:
        """The rows [..., G] of a table x [V, G]."""
        if axis != 0:
            raise ValueError(f"rows are taken along axis 0, not {axis}")
        return look_up(x, indices)


def look_up(table: Tensor, ids: Tensor) -> Tensor:
    """Rows [..., G] of the table [V, G], for ids [...].

    The gradient of a small table is a product with one-hot rows: a scatter, which it is
    otherwise, runs on one thread.
    """
    size = table.shape[0]
    if size > TABLE_CHARACTERS:
        return tf.gather(table, ids)

    @tf.custom_gradient
    def rows(table: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        def gradient(d_rows: Tensor) -> Tensor:
            one_hot = tf.one_hot(ids, size, dtype=d_rows.dtype)
            axes = list(range(len(ids.shape)))
            return tf.tensordot(one_hot, d_rows, [axes, axes])

        return tf.gather(table, ids), gradient

    return rows(table)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(logits)[target] in nats, for targets [T, B] from logits [T, B, V]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
