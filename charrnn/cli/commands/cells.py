"""`charrnn cells`."""

import click

from charrnn.cells import CELLS, Cell
from charrnn.cli.boundary import tell
from charrnn.cli.options import spoken
from charrnn.cli.usage import register
from charrnn.config.settings import in_words


@register
@click.command("cells")
def cells_command() -> None:
    """List the recurrent cells that `charrnn train --cell` takes."""
    formatter = click.HelpFormatter()
    formatter.write_dl(
        [(name, described(cell)) for name, cell in sorted(CELLS.working(tell).items())]
    )
    click.echo(formatter.getvalue(), nl=False)


def described(cell: type[Cell]) -> str:
    """What a cell is, the defaults that it changes, and the functions it lets a user choose."""
    choices = {"activation": cell.activations, "recurrent_activation": cell.recurrent_activations}
    source = getattr(cell, "source", "")  # which a user's own cell may lack
    parts = [f"{cell.summary} ({source})" if source else cell.summary]
    if cell.defaults:
        parts.append(f"defaults {in_words(cell.defaults)}")
    parts += [f"`{name}` {' or '.join(each)}" for name, each in choices.items() if len(each) > 1]
    return spoken("; ".join(parts))
