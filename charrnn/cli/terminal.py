"""What a terminal is shown: text, never orders that it would follow."""

import re

ORDERS = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f"  # all ASCII control characters but tab and newline
    "\x80-\x9f"  # the control characters that follow it: \x9b is read as ESC [
    "\u202a-\u202e\u2066-\u2069"  # these turn about the direction of all that follows
    "]"
)
"""The characters that a terminal obeys. Right-to-left letters and marks are not among them."""


def visible(text: str) -> str:
    r"""The text with each control character as it is written in JSON: \u001b for ESC."""
    return ORDERS.sub(lambda match: escaped(match[0]), text)


def in_a_line(name: str) -> str:
    r"""A name for a table: every character that is not printed is escaped, a line break too."""
    return "".join(each if each.isprintable() else escaped(each) for each in name)


def escaped(character: str) -> str:
    r"""A character by its number, as JSON writes it: \u001b for ESC."""
    return f"\\u{ord(character):04x}"
