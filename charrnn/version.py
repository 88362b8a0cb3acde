"""The version of charrnn, for all of its modules: they cannot import it from the package."""

__version__ = "1.0.0"
