"""The loss that training lowers and evaluation reports."""

from charrnn.tf.backend import tf
from charrnn.types import Tensor


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(logits)[target] in nats, for targets [T, B] from logits [T, B, V]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
