"""Packages that only a part of charrnn needs."""

from importlib import import_module
from types import ModuleType

from charrnn.errors import MissingPackageError

REQUIREMENTS = {"onnx": "onnx>=1.18", "plot": "matplotlib>=3.10.8", "sweep": "optuna>=5.0"}
"""What the extras of setup.cfg install, by their names."""


def need(module: str, extra: str) -> ModuleType:
    """Import a module of a package that an extra installs.

    Raises:
        MissingPackageError: The package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingPackageError(
            f"this needs the package {package}, which is not installed",
            way_out=f'install it with: pip install "{REQUIREMENTS[extra]}"',
        ) from None
