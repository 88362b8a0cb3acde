"""Names, shapes and types of the tensors that a configuration asks for."""

from collections.abc import Mapping

import numpy as np

from charrnn.checked_json import quoted
from charrnn.config import ModelConfig
from charrnn.network.weights import specify, state_names, state_widths
from charrnn.types import Tensors

Layout = Mapping[str, tuple[tuple[int, ...], np.dtype]]
"""Shape and type by name."""
FLOAT32 = np.dtype(np.float32)


def weights_layout(config: ModelConfig, vocabulary_size: int) -> Layout:
    specified = specify(config, vocabulary_size)
    return {name: (weight.shape, FLOAT32) for name, weight in specified.items()}


def state_layout(config: ModelConfig, batch_size: int) -> Layout:
    """The state that so many streams carry, [B, U] each part."""
    parts = zip(state_names(config), state_widths(config), strict=True)
    return {name: ((batch_size, units), FLOAT32) for name, units in parts}


def check_layout(tensors: Tensors, layout: Layout, part: str) -> None:
    """Raise ValueError, with the name of the part, unless the tensors are those of a layout."""
    for name, (shape, dtype) in layout.items():
        if name not in tensors:
            raise ValueError(f"its {part} lack {quoted(name)}")
        found = tensors[name]
        if (found.shape, found.dtype) != (shape, dtype):
            raise ValueError(
                f"its {part} have {quoted(name)} as {found.dtype} {list(found.shape)},"
                f" where its settings ask for {dtype} {list(shape)}"
            )
    for name in tensors:
        if name not in layout:
            raise ValueError(f"its {part} have {quoted(name)}, which its settings do not ask for")


def check_finite(tensors: Tensors, part: str) -> None:
    """Raise ValueError where a number is not finite."""
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ValueError(f"its {part} have a number in {quoted(name)} that is not finite")
