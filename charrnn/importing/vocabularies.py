"""Which character each of a tool's numbers stands for."""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from charrnn.checked_json import parse
from charrnn.importing.foreign import DAMAGED, Symbols, UnreadableError
from charrnn.importing.pickles import Unpickler

ORDERS: dict[str, tuple[str, Callable[[str], list[str]]]] = {
    "sorted": ("in sorted order, from", lambda text: sorted(set(text))),
    "first": ("by first appearance in", lambda text: list(dict.fromkeys(text))),
    "frequency": ("by frequency in", lambda text: [x for x, _ in Counter(text).most_common()]),
}
"""How tools number the characters of a text: by code point, by first appearance, or the most
frequent first; in words, and the characters in that order."""


def read_vocabulary(path: Path, size: int, order: str, spare: bool) -> tuple[Symbols, str | None]:
    """The vocabulary of V characters in a file, and the text that it was made from, if it was.

    The file is JSON, a pickle, or else a text whose characters are numbered in an order of
    `ORDERS`. `spare`: number 0 may be none of them, as Keras's tokenizers have it. The text is in
    the vocabulary's characters: bytes as U+0000 to U+00FF.
    """
    data = path.read_bytes()
    plain = plain_data(data)
    if plain is None:
        return from_text(data, size, order, spare, path.name)
    return symbols_of(plain, size, f"as in {path.name}", spare), None


def plain_data(data: bytes) -> object:
    """What a vocabulary's file has as JSON or as a pickle; None for a text."""
    if data[:1] in (b"{", b"["):
        with suppress(ValueError):
            return parse(data)
    elif data[-1:] == b"." and data[:1] in b"\x80(":
        with suppress(*(DAMAGED if data[:1] == b"(" else ())):
            return Unpickler(io.BytesIO(data)).load()
    return None


def symbols_of(data: object, size: int, source: str, spare: bool = False) -> Symbols:
    """The symbols that plain data tell, for V numbers, 0 to V - 1 or 1 to V; `spare`: or V - 1.

    That is a list or text of characters; a dictionary from them to numbers, or from numbers to
    them; both of these as char-rnn-tensorflow and torch-rnn keep them. Bytes are those of Python 2
    and of Lua, and stand for themselves.
    """
    if isinstance(data, Mapping) and data:  # both ways, as torch-rnn and some programs keep them
        inner = data.get("idx_to_token", next(iter(data.values())))
        data = inner if isinstance(inner, Mapping) else data
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], Mapping):
        data = data[1]
    if isinstance(data, (list, tuple, str)):
        data = dict(enumerate(data))
    if not isinstance(data, Mapping):
        raise UnreadableError(f"no vocabulary {source}", "give a text or the tool's own file")
    numbered = by_number(data)
    numbers = sorted(numbered)
    first = numbers[0] if numbers else 0
    complete = numbers == list(range(first, first + len(numbers))) and first in (0, 1)
    if not complete or len(numbers) not in (size, size - first * spare):
        between = f", numbered {first} to {numbers[-1]}" if numbers else ""
        gaps = "" if complete else " with gaps"
        raise ValueError(
            f"its vocabulary has {len(numbers)} characters{between}{gaps},"
            f" and its output layer {size}"
        )
    values = [numbered[number] for number in numbers]
    nothing: list[str | None] = [None] * (size - len(numbers))
    if not all(isinstance(each, (bytes, str)) for each in values):
        raise ValueError("its vocabulary has something that is no character")
    texts = [each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in values]
    return Symbols((*nothing, *texts), any(isinstance(e, bytes) for e in values), source)


def by_number(data: Mapping[object, object]) -> dict[int, object]:
    """The characters by number, whichever of the two is the key."""
    forward = all(type(value) is int for value in data.values())
    pairs = [(value, key) if forward else (key, value) for key, value in data.items()]
    try:
        numbered = {int(number): each for number, each in pairs}  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise ValueError("its vocabulary has a number that is none") from None
    if len(numbered) < len(data):
        raise ValueError("its vocabulary gives two characters the same number")
    return numbered


def from_text(data: bytes, size: int, order: str, spare: bool, name: str) -> tuple[Symbols, str]:
    """The vocabulary of a text, read in a way that gives it V characters, or with `spare` one less.

    Where it is one less, number 0 is the tool's unknown symbol or padding.
    """
    in_words, numbered = ORDERS[order]
    counted: dict[int, str] = {}
    for missing in (0, 1)[: 1 + spare]:
        for way, text in readings(data):
            characters = numbered(text)
            if len(characters) + missing == size:
                source = f"{in_words} {name}{way}" + ", number 0 for unknown ones" * missing
                return Symbols((*[None] * missing, *characters), "bytes" in way, source), text
            counted.setdefault(len(characters), f"{len(characters)}{way}")
    raise UnreadableError(
        f"it has {' or '.join(counted.values())} different characters, and the model {size}",
        "give the text that it learnt, or the tool's own file",
    )


def readings(data: bytes) -> Iterator[tuple[str, str]]:
    """How a tool may have read a text, in words, and what it read then; the most usual first."""
    with suppress(UnicodeDecodeError):
        text = data.decode("utf-8-sig")
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        yield "", lines
        yield " in lower case", lines.lower()
        yield " with its CRs", text
    yield " as bytes", data.decode("latin-1")
    yield " as bytes in lower case", data.lower().decode("latin-1")
