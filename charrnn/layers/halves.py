"""A batch in two halves that are computed side by side.

Within a compiled function the elementwise work of a time step runs on one core. Two such functions,
each with half of the batch, have a core each: see `charrnn.tf.parts`.
"""

from collections.abc import Callable
from typing import Any

from charrnn.tf.backend import has_gpu, tf
from charrnn.tf.limits import cores
from charrnn.tf.parts import PART_NUMBERS
from charrnn.types import Tensor

LEAST_BATCH = 8
"""Sequences from which on a batch is cut."""


def either(size: "int | Tensor", units: int, halves: Callable, whole: Callable) -> Any:
    """What one of the two returns: the one that is faster for a batch of so many sequences.

    The size may be known only when the batch comes.
    """
    pays = halves_pay(size, units)
    if isinstance(pays, bool):
        return halves() if pays else whole()
    return tf.cond(pays, halves, whole)


def halves_pay(size: "int | Tensor", units: int) -> "bool | Tensor":
    """Whether a batch is faster in halves."""
    if cores() < 2 or has_gpu():
        return False
    most = 2 * PART_NUMBERS // units
    return (size >= LEAST_BATCH) & (size <= most)


def batch_size(tensor: Tensor) -> "int | Tensor":
    """B of a tensor [B, …]."""
    return tensor.shape[0] if tensor.shape[0] is not None else tf.shape(tensor)[0]


def halves_of(tensors: Any) -> list:
    """Tensors [B, …] of any structure, cut in two along B; None stays."""
    edge = batch_size(tf.nest.flatten(tensors)[0]) // 2

    def cut(start: Any, end: Any) -> Any:
        def rows(each: Any) -> Any:
            return None if each is None else each[start:end]

        return tf.nest.map_structure(rows, tensors)

    return [cut(None, edge), cut(edge, None)]


def joined(one: Any, other: Any) -> Any:
    """The opposite of `halves_of`."""
    return tf.nest.map_structure(lambda *both: tf.concat(both, 0), one, other)


def nothing_like(tensors: Any) -> Any:
    """In place of the tensors of a half that there is not: as many axes, no numbers."""
    return tf.nest.map_structure(lambda each: tf.zeros([0] * len(each.shape), each.dtype), tensors)
