"""A trained model in files that other programs read: a file of this folder for each format.

Every file here is imported, so nothing else needs to name it.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
