"""Which encoding a file looks like, for the advice where it cannot be decoded."""

import codecs
import unicodedata

HEAD_BYTES = 4096
MARKS = {  # UTF-32's little-endian mark begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def advice(head: bytes, encoding: str, otherwise: str) -> str:
    """The way out for a file that begins so and is not in the encoding."""
    guessed = guess(head)
    if guessed is None or codecs.lookup(guessed) == codecs.lookup(encoding):
        return otherwise
    return f"it looks like {guessed}: give `encoding {guessed}`"


def guess(head: bytes) -> str | None:
    """The encoding that a file shows by its mark, or by where its zero bytes are.

    In UTF-16, a space or a line end is one byte and a zero, and so is every character below
    U+0100; in UTF-32, every character has a zero, and most have two or three.
    """
    marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    zeros = head.count(0)
    if marked is not None or not zeros:
        return marked
    many = 4 * zeros > len(head)
    if not many and is_text(head.replace(b"\0", b""), "utf-8"):
        return None  # a text with a few zeros between
    units = head[: len(head) & ~1]
    utf_16 = "utf-16-le" if units[1::2].count(0) > units[0::2].count(0) else "utf-16-be"
    candidates = ("utf-32-le", "utf-32-be", utf_16) if many else (utf_16,)
    return next((name for name in candidates if is_text(head, name)), None)


def is_text(head: bytes, encoding: str) -> bool:
    """Whether the bytes are the beginning of a text in the encoding, without control characters."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(
        character.isspace() or unicodedata.category(character) != "Cc" for character in text
    )
