"""The command line: thin click commands over the library. A command is a file `NAME_command.py`."""

from charrnn.cli.app import main

__all__ = ["main"]
