"""A text on the terminal that can be changed after it is shown."""

from typing import TYPE_CHECKING

import click
from prompt_toolkit.utils import get_cwidth

from charrnn.cli.terminal import visible

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

TAB = 4
"""Spaces that a tab is shown as: a terminal's own would depend on the column."""


class Rewriting:
    """Shows a text on standard error, and changes it in place.

    Only the lines that change are written again. What has scrolled off the top of the screen
    stays as it is: no program can change it.

    Args:
        output: Moves the cursor and knows the terminal's size.
    """

    def __init__(self, output: "Output") -> None:
        self._output = output
        self._text = self._notes = ""

    def begin(self) -> None:
        """Start a new text below all that is shown so far, which then stays as it is."""
        self._text = self._notes = ""

    def change(self, text: str) -> None:
        """Show another text in place of the present one and of the notes below it.

        The cursor must be at the start of the line below them, where `end` leaves it.
        """
        kept = text.rfind("\n", 0, common(self._text, text)) + 1
        if self._text or self._notes:
            self._clear(self._text[kept:] + self._notes)
        self._text, self._notes = text[:kept], ""
        self.add(text[kept:])

    def add(self, text: str) -> None:
        """Show more text behind what is there."""
        self._text += text
        click.echo(on_screen(text), err=True, nl=False)

    def end(self) -> None:
        """Go to the start of the line below."""
        click.echo(err=True)

    def note(self, text: str) -> None:
        """Show a message below, wrapped to the terminal, until the text changes."""
        width = self._output.get_size().columns
        lines = visible(text).splitlines()
        wrapped = "\n".join(click.wrap_text(line, width - 1) for line in lines)
        self._notes += f"\n{wrapped}"
        click.echo(wrapped, err=True)

    def _clear(self, text: str) -> None:
        """Go back to where the text begins, and clear the screen from there."""
        size = self._output.get_size()
        self._output.cursor_up(min(rows(on_screen(text), size.columns), size.rows - 1))
        self._output.write_raw("\r")
        self._output.erase_down()
        self._output.flush()


def common(one: str, other: str) -> int:
    """How many characters at their beginning two texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def rows(text: str, columns: int) -> int:
    """How many rows a text takes on a terminal that is so many columns wide."""
    return sum(map(len, (wrapped(line, columns) for line in text.split("\n"))))


def wrapped(line: str, columns: int) -> list[int]:
    """The width of each row that a line takes; a wide character is not cut in two."""
    widths = [0]
    for character in line:
        width = max(0, get_cwidth(character))
        if widths[-1] + width > columns:
            widths.append(0)
        widths[-1] += width
    return widths


def on_screen(text: str) -> str:
    """The text as the terminal shows it: tabs as spaces, control characters escaped."""
    return visible(text.replace("\t", " " * TAB))
