"""The prompt, from wherever it comes."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from charrnn.models.text_model import TextModel

ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
ESCAPED = re.compile(r"\\([nt0\\])")


def read_prompt(prompt: str | None, file: Path | None) -> str:
    """The prompt of --prompt or --prompt-file; a usage error where it is not UTF-8.

    Line ends of Windows stay as they are.
    """
    if prompt is not None and file is not None:
        raise click.UsageError("give --prompt or --prompt-file, not both")
    if "-" in (prompt, str(file)):
        check_standard_input("give the prompt itself, or a file")
        return decode("standard input", sys.stdin.buffer.read())
    if prompt is not None:
        try:
            prompt.encode()
        except UnicodeEncodeError as error:
            raise click.UsageError("--prompt: is not utf-8; convert it") from error
        return unescape(prompt)
    return "" if file is None else decode(str(file), file.read_bytes())


def unescape(text: str) -> str:
    r"""The text of an option: \n, \t, \0 and \\ are a line break, a tab, a zero and a backslash."""
    return ESCAPED.sub(lambda match: ESCAPES[match[1]], text)


def check_standard_input(way_out: str) -> None:
    """A usage error where the caller has closed it: `<&-`."""
    if sys.stdin is None:
        raise click.UsageError(f"standard input: closed; {way_out}")


def decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{name}: byte 0x{error.object[error.start]:02x} at offset {error.start}"
            " is not utf-8; convert the file"
        ) from error


def unknown_characters(text: str, model: "TextModel") -> str:
    """A message that names the characters that the model does not know; empty without any."""
    names = " ".join(repr(character) for character in model.missing(text))
    return f"the model does not know {names}; it reads the unknown symbol instead" if names else ""
