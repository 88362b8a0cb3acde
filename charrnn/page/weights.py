"""A model's weights as text in a page."""

from base64 import b64encode
from collections.abc import Collection, Mapping

import numpy as np

from charrnn.errors import ConfigError
from charrnn.sampling.engines import damaged

PRECISIONS = (16, 32)
"""Bits of a weight: half precision, which halves the file, or single, as models are trained."""


def pack(weights: Mapping[str, np.ndarray], names: Collection[str], precision: int) -> str:
    """The weights one after the other, little-endian, in base64.

    Args:
        weights: Every weight by name.
        names: The order.
        precision: Bits of a number, one of `PRECISIONS`.

    Raises:
        ConfigError: There is no such precision, or a weight is too large for it.
        CheckpointError: A weight is no finite number.
    """
    if precision not in PRECISIONS:
        raise ConfigError("must be 16 or 32", {"precision": precision})
    if not all(np.isfinite(weights[name]).all() for name in names):
        raise damaged()
    with np.errstate(over="ignore"):  # refused below
        numbers = [weights[name].astype(f"<f{precision // 8}").ravel() for name in names]
    if not all(np.isfinite(each).all() for each in numbers):
        why = "a weight of this model is too large for 16 bits"
        raise ConfigError(why, {"precision": precision}, way_out="give `precision 32`")
    return b64encode(np.concatenate(numbers).tobytes()).decode("ascii")
