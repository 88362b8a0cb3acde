"""Into how many parts a batch is cut, so that their gradients are computed side by side.

`charrnn.model.parts` says why. A run keeps its number of parts: with another one, sums are
rounded in another order.
"""

from itertools import pairwise

from charrnn.config import MOST_PARTS, Config
from charrnn.model.parts import PART_NUMBERS
from charrnn.types import Tensor

LEAST_ROWS = 8
"""Sequences that each part has at least, where there are more than two parts.

A part reads all of U for its few sequences. More than two cores have not been measured.
"""


def choose_parts(config: Config, cores: int) -> int:
    """The number of parts that is fastest for these sizes on so many cores."""
    batch, widest = config.training.batch_size, max(config.model.layer_units)
    parts = min(cores, max(2, batch // LEAST_ROWS), batch, MOST_PARTS)
    return parts if batch * widest <= parts * PART_NUMBERS else 1


def cut(tensors: tuple[Tensor, ...], parts: int) -> list[tuple[Tensor, ...]]:
    """Tensors [B, …] as so many groups of rows, as even as B allows."""
    size = tensors[0].shape[0]
    edges = [size * part // parts for part in range(parts + 1)]
    return [tuple(tensor[start:end] for tensor in tensors) for start, end in pairwise(edges)]
