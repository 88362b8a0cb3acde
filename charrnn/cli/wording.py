"""The library's words as the command line says them.

The library names a setting as Python does, in backquotes; here it becomes an option, and a
command's name what is typed to run it.
"""

import re
import shlex

from charrnn.cli.registry import COMMANDS
from charrnn.config.settings import shown

NAMED = re.compile(r"(?<![^\s(])`([a-z_]+)([^`]*)`(?![\w.])")
"""A name in backquotes, but not a part of a longer word: that may be a file's name."""


def spoken(text: str) -> str:
    """The text with options and commands in place of what stands in backquotes.

    After a name there may be its value or arguments, as in `time 5m`.
    """
    return NAMED.sub(lambda match: spoken_name(match[1]) + match[2], text)


def spoken_name(name: str) -> str:
    """`--batch-size` for the setting `batch_size`, `charrnn train` for the command `train`."""
    return f"charrnn {name}" if name in COMMANDS.present else option(name)


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


def option_with(name: str, value: object) -> str:
    """The option of a setting with its value, as a user types it."""
    if value is None or value is True:
        return option(name)
    if value is False:
        return option(f"no_{name}")
    return f"{option(name)} {shlex.quote(value) if isinstance(value, str) else shown(value)}"
