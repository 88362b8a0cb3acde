"""The commands, a file each: a command under `@register` is one of `charrnn`'s.

Every file here is imported, so nothing else needs to name it.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
