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
    return ORDERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
