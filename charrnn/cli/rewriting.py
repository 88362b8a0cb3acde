"""A text on the terminal that can be changed after it is shown."""

from typing import TYPE_CHECKING

import click
from prompt_toolkit.utils import get_cwidth

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

TAB = 4
"""Spaces that a tab is shown as: a terminal's own would depend on the column."""


class Rewriting:
    """Shows a text on standard error, and changes of it in place.

    Only the lines that change are written again. What has scrolled off the top of the screen
    cannot be taken back.

    Args:
        output: Moves the cursor and knows the terminal's size.
    """

    def __init__(self, output: "Output") -> None:
        self._output = output
        self._text = self._notes = ""

    def begin(self) -> None:
        """Leave what is shown so far as it is."""
        self._text = self._notes = ""

    def change(self, text: str) -> None:
        """Show another text in place of the present one and of the notes below it.

        The cursor is at the start of the line below them, as `end` leaves it.
        """
        kept = text.rfind("\n", 0, common(self._text, text)) + 1
        if self._text or self._notes:
            self._clear(self._text[kept:] + self._notes)
        self._text, self._notes = text[:kept], ""
        self.add(text[kept:])

    def add(self, text: str) -> None:
        """Show more of the text, behind what is there."""
        self._text += text
        click.echo(harmless(text), err=True, nl=False)

    def end(self) -> None:
        """Go to the line below."""
        click.echo(err=True)

    def note(self, text: str) -> None:
        """Show a line below, until the text changes."""
        width = self._output.get_size().columns
        wrapped = "\n".join(click.wrap_text(line, width - 1) for line in text.splitlines())
        self._notes += f"\n{wrapped}"
        click.echo(wrapped, err=True)

    def _clear(self, text: str) -> None:
        """Go back to where a text begins, and clear the screen from there."""
        size = self._output.get_size()
        self._output.cursor_up(min(rows(harmless(text), size.columns), size.rows - 1))
        self._output.write_raw("\r")
        self._output.erase_down()
        self._output.flush()


def common(one: str, other: str) -> int:
    """How many characters at their beginning two texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def rows(text: str, columns: int) -> int:
    """How many rows of the terminal a text takes."""
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


def harmless(text: str) -> str:
    """A text without characters that a terminal would obey."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\ufffd"
        for each in text.replace("\t", " " * TAB)
    )
