"""Recurrent cells: equations, weights and citations, free of any framework.

A new cell is a new file in this folder with a class under `@register`; every file
here is imported, so nothing else needs to name it. A user's own cell is registered by the
same decorator, or by an entry point (see `charrnn.plugins`).
"""

from importlib import import_module
from pkgutil import iter_modules

from charrnn.cells.base import (
    CELLS,
    RECURRENT_KERNEL,
    Cell,
    Differentiated,
    Linear,
    Weight,
    register,
)

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")

__all__ = [
    "CELLS",
    "RECURRENT_KERNEL",
    "Cell",
    "Differentiated",
    "Linear",
    "Weight",
    "register",
]
