"""The version of charrnn, for all of its modules: they cannot import it from the package."""

__version__ = "0.1.0"
