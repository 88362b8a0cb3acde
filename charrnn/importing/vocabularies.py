"""Which character each of a tool's numbers stands for."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from charrnn.importing.foreign import Symbols, UnreadableError
from charrnn.importing.pickles import Unpickler
from charrnn.plain import parse

ORDERS: dict[str, Callable[[str], list[str]]] = {
    "sorted": lambda text: sorted(set(text)),
    "first": lambda text: list(dict.fromkeys(text)),
    "frequency": lambda text: [character for character, _ in Counter(text).most_common()],
}
"""How tools number the characters of a text: by code point, by first appearance, or the most
frequent first."""
IN_WORDS = {
    "sorted": "in sorted order, from",
    "first": "by first appearance in",
    "frequency": "by frequency in",
}


class Found(NamedTuple):
    """A vocabulary, and the text that it was made from, where it was."""

    symbols: Symbols
    text: str | None = None
    """In the vocabulary's characters: bytes as U+0000 to U+00FF."""


def read_vocabulary(path: Path, size: int, order: str, spare: bool) -> Found:
    """The vocabulary in a file: JSON, a pickle, or else a text whose characters are counted.

    Args:
        path: The file.
        size: V, which the vocabulary has to have.
        order: How the characters of a text are numbered: a key of `ORDERS`.
        spare: Whether number 0 may be none of the file's characters, as Keras's tokenizers have it.

    Raises:
        ValueError: It has another number of characters.
    """
    data = path.read_bytes()
    plain = plain_data(data)
    if plain is None:
        return from_text(data, size, order, spare, path.name)
    return Found(symbols_of(plain, size, f"as in {path.name}", spare))


def plain_data(data: bytes) -> object:
    """What a vocabulary's file has as JSON or as a pickle; None for a text."""
    if data[:1] in (b"{", b"["):
        try:
            return parse(data)
        except ValueError:
            return None
    if data[-1:] == b"." and data[:1] in b"\x80(":
        try:
            return Unpickler(data).read()
        except ValueError:
            if data[:1] == b"\x80":
                raise
    return None


def symbols_of(data: object, size: int, source: str, spare: bool = False) -> Symbols:
    """The symbols that plain data tell, for V numbers.

    That is a list or text of characters; a dictionary from them to numbers, or from numbers to
    them; both of these as char-rnn-tensorflow and torch-rnn keep them. Bytes are those of Python 2.
    """
    if isinstance(data, Mapping) and data:  # both ways, as torch-rnn and some programs keep them
        inner = data.get("idx_to_token", next(iter(data.values())))
        data = inner if isinstance(inner, Mapping) else data
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], Mapping):
        data = data[1]
    if isinstance(data, Mapping):
        return symbols_by_number(by_number(data), size, source, spare)
    if isinstance(data, (list, tuple, str)):
        return symbols_by_number(dict(enumerate(data)), size, source, spare)
    raise UnreadableError(f"{source}: no vocabulary is in it", "give a text or the tool's own file")


def by_number(data: Mapping[Any, object]) -> dict[int, object]:
    """The characters by number, whichever of the two is the key."""
    forward = all(type(value) is int for value in data.values())
    if forward and len(set(data.values())) < len(data):
        raise ValueError("its vocabulary gives two characters the same number")
    if forward:
        return {int(str(value)): key for key, value in data.items()}
    try:
        return {int(key): value for key, value in data.items()}
    except (TypeError, ValueError):
        raise ValueError("its vocabulary has a number that is none") from None


def symbols_by_number(
    numbered: Mapping[int, object], size: int, source: str, spare: bool
) -> Symbols:
    """The symbols, where the numbers are 0 to V - 1, or 1 to V; with `spare` also 1 to V - 1."""
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
    return symbols_from(nothing + list(texts(values)), values, source)


def symbols_from(
    characters: Sequence[str | None], values: Sequence[object], source: str
) -> Symbols:
    """The symbols; bytes of Python 2 and of Lua stand for themselves."""
    return Symbols(tuple(characters), any(isinstance(each, bytes) for each in values), source)


def texts(values: Sequence[object]) -> Iterator[str]:
    """The characters, as texts; ValueError for what is none."""
    for each in values:
        if isinstance(each, bytes):
            yield each.decode("latin-1")
        elif isinstance(each, str):
            yield each
        else:
            raise ValueError("its vocabulary has something that is no character")


def from_text(data: bytes, size: int, order: str, spare: bool, name: str) -> Found:
    """The vocabulary of a text, read in a way that gives it V characters, or with `spare` one less.

    Where it is one less, number 0 is the tool's unknown symbol or padding.
    """
    counted: dict[int, str] = {}
    for missing in (0, 1)[: 1 + spare]:
        for way, text in readings(data):
            characters = ORDERS[order](text)
            if len(characters) + missing == size:
                numbered: list[str | None] = [*[None] * missing, *characters]
                source = f"{IN_WORDS[order]} {name}{way}"
                source += ", number 0 for unknown ones" * missing
                return Found(Symbols(tuple(numbered), "bytes" in way, source), text)
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
