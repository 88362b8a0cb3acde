"""Into how many parts a batch is cut, so that their gradients are computed side by side.

Within one compiled program the products of a time step use every core, but its elementwise
work runs on one. Parts of the batch are programs of their own, side by side, so that this
work has a core each. Each part reads U again at every time step, which is too much where a
part has few sequences, and where one time step is large the products are nearly all of the
work. A run keeps its number of parts: with another one, sums are rounded in another order.
"""

from itertools import pairwise

from charrnn.config import MOST_PARTS, Config
from charrnn.types import Tensor

PART_NUMBERS = 1 << 15
"""Up to this B · U of a part the batch is cut, into as many parts as there are cores.

On two cores (`benchmarks/parts.py`, AMD EPYC) two parts gain 49 % at B = 50 and two layers of
128 units, 22 % at 16 and one of 384, 9 % at 64 and two of 512, and nothing at 32 and one of
1,024; four parts on two cores are slower than two at every size.
"""
LEAST_ROWS = 8
"""Sequences that each part has at least, where there are more than two parts.

A part reads all of U for its few sequences. More than two cores have not been measured.
"""


def choose_parts(config: Config, cores: int) -> int:
    batch, widest = config.training.batch_size, max(config.model.layer_units)
    parts = min(cores, max(2, batch // LEAST_ROWS), batch, MOST_PARTS)
    return parts if batch * widest <= parts * PART_NUMBERS else 1


def cut(tensors: tuple[Tensor, ...], parts: int) -> list[tuple[Tensor, ...]]:
    """Tensors [B, …] as so many groups of rows, as even as B allows."""
    size = tensors[0].shape[0]
    edges = [size * part // parts for part in range(parts + 1)]
    return [tuple(tensor[start:end] for tensor in tensors) for start, end in pairwise(edges)]
