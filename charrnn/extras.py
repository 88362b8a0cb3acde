"""Packages that only a part of charrnn needs: an extra of charrnn installs them."""

from importlib import import_module
from types import ModuleType

from charrnn.errors import MissingPackageError


def need(module: str, extra: str) -> ModuleType:
    """Import a module that an extra installs.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingPackageError(
            f"this needs the package {package}, which is not installed",
            way_out=f"install it with: pip install 'charrnn[{extra}]'",
        ) from None
