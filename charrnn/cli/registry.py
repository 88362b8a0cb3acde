"""The table of commands."""

import click

from charrnn.plugins import Table

COMMANDS: Table[click.Command] = Table("command")
"""Every command by name. A package adds one by an entry point in `charrnn.commands`."""


def register(command: click.Command) -> click.Command:
    """Put a command into the table, and so into `charrnn --help`.

    Raises:
        ConfigError: There is a command of this name already.
    """
    return COMMANDS.add(str(command.name), command)
