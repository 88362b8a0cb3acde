"""A network as another tool trained it, on its way to a checkpoint of ours.

The weights have charrnn's names, shapes and order of gates already; the characters still have the
tool's numbers. `to_checkpoint` gives them ours, and adds the unknown symbol.
"""

import io
import pickle
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn.checked_json import parse, quote_name
from charrnn.config import Config
from charrnn.importing.pickles import load
from charrnn.network.weights import (
    EMBEDDINGS,
    LOGITS_BIAS,
    LOGITS_KERNEL,
    add_prefix,
    check_finite,
    check_layout,
    recurrent,
    weights_layout,
)
from charrnn.runs.checkpoints import Checkpoint, Origin
from charrnn.runs.progress import Progress
from charrnn.text.vocabulary import LAST_BYTE, Vocabulary
from charrnn.types import Tensors

UNKNOWN_BIAS = -5.0
"""By how much the unknown symbol's logit is below the mean of the others. That mean is at most
ln(Σ exp) - ln V, so that the symbol takes at most e^-5 / V of the probability."""
GATES = {4: "ifgo", 3: "zrg"}
"""The orders of ours, a letter for each gate."""
DAMAGED: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError, LookupError)
DAMAGED += (OSError, ArithmeticError, AssertionError, EOFError, struct.error, RuntimeError)
DAMAGED += (zipfile.BadZipFile, pickle.PickleError)
"""What reading a file that is not what it seems may raise."""


class UnreadableError(ValueError):
    """What is wrong with a file, and in `way_out` what the user can do."""

    def __init__(self, why: str, way_out: str = "") -> None:
        super().__init__(why)
        self.way_out = way_out


class Options(NamedTuple):
    """What a user says where a file does not."""

    forget_bias: float | None = None
    activation: str | None = None
    recurrent_activation: str | None = None


@dataclass(frozen=True)
class Symbols:
    """What the tool's numbers stand for: V characters, or None for its unknown symbol."""

    characters: tuple[str | None, ...]
    byte_level: bool
    source: str
    """In words, for `charrnn info`."""

    def vocabulary(self) -> Vocabulary:
        """Our vocabulary; ValueError where a character occurs twice or is more than one."""
        known = [each for each in self.characters if each is not None]
        for each in known:
            if len(each) != 1 or "\ud800" <= each <= "\udfff":
                raise UnreadableError(
                    f"its vocabulary has {quote_name(each)}, which is not one character",
                    "charrnn reads models of characters, not of words; if that is a mistake in the"
                    " file, give another as `vocabulary`",
                )
        if len(set(known)) < len(known) or len(self.characters) > len(known) + 1 or not known:
            raise ValueError("its vocabulary has a character twice, or none at all")
        if self.byte_level and max(known) > LAST_BYTE:
            raise ValueError("its vocabulary has both bytes and other characters")
        return Vocabulary.of(known, self.byte_level)


@dataclass
class Foreign:
    """A network with the tool's numbers for its V characters."""

    tool: str
    cell: str
    layers: list[Tensors]
    """`kernel` [D, G], `recurrent_kernel` [U, G] and `bias` of each, as docs/cells.md says."""
    logits_kernel: np.ndarray
    """[U, V]"""
    logits_bias: np.ndarray
    """[V]"""
    embeddings: np.ndarray | None = None
    """[V, E]; None where the first kernel has a row for each character."""
    symbols: Symbols | None = None
    """None where the files do not tell."""
    assumed: list[str] = field(default_factory=list)
    """What was taken for granted, a few words each."""
    order: str = "sorted"
    """How the tool numbers the characters of a text: a key of `vocabularies.ORDERS`."""
    functions: tuple[str | None, str | None] = (None, None)
    """`activation` and `recurrent_activation` of the cell; None for its own."""
    spare: bool = False
    """Whether the tool may have given number 0 to no character."""
    files: list[Path] = field(default_factory=list)
    """What was read, if that is more than the file that was named."""

    @property
    def size(self) -> int:
        return int(self.logits_bias.size)

    def weights(self) -> Tensors:
        """All weights by name, with the tool's numbers for characters."""
        named = {} if self.embeddings is None else {EMBEDDINGS: self.embeddings}
        for number, layer in enumerate(self.layers, start=1):
            named |= add_prefix(recurrent(number), layer)
        named |= {LOGITS_KERNEL: self.logits_kernel, LOGITS_BIAS: self.logits_bias}
        return {name: each.astype(np.float32) for name, each in named.items()}


def to_checkpoint(foreign: Foreign, symbols: Symbols, origin: Origin) -> Checkpoint:
    """The network as a checkpoint; ValueError where its parts do not fit together."""
    vocabulary = symbols.vocabulary()
    names = zip(("activation", "recurrent_activation"), foreign.functions, strict=True)
    config = Config.of(
        cell=foreign.cell,
        units=tuple(len(layer["recurrent_kernel"]) for layer in foreign.layers),
        embedding=0 if foreign.embeddings is None else foreign.embeddings.shape[1],
        dropout=0.0,
        bytes=vocabulary.byte_level,
        keep_newlines="\r" in vocabulary.characters,
        **{name: each for name, each in names if each is not None},
    )
    weights = foreign.weights()
    check_layout(weights, weights_layout(config.model, foreign.size), "weights")
    check_finite(weights, "weights")
    weights = renumbered(weights, symbols, vocabulary)
    ordered = {name: weights[name] for name in weights_layout(config.model, vocabulary.size)}
    return Checkpoint(config, vocabulary, Progress(), add_prefix("weights", ordered), origin=origin)


def renumbered(weights: Tensors, symbols: Symbols, vocabulary: Vocabulary) -> Tensors:
    """The weights with our numbers for characters, and the unknown symbol.

    Where the tool had one itself, it stays what it is. Else its input is a row of zeros, and its
    logit the mean of the others' less 5: as unlikely whatever the size of the logits.
    """
    places = {character: place for place, character in enumerate(symbols.characters)}
    order = [places[character] for character in vocabulary.characters]
    inputs = EMBEDDINGS if EMBEDDINGS in weights else f"{recurrent(1)}/kernel"
    rows, kernel, bias = weights[inputs], weights[LOGITS_KERNEL], weights[LOGITS_BIAS]
    row, column, last = np.zeros_like(rows[0]), kernel.mean(1), bias.mean() + UNKNOWN_BIAS
    if None in places:
        own = places[None]
        row, column, last = rows[own], kernel[:, own], bias[own]
    return weights | {
        inputs: np.vstack([rows[order], row]),
        LOGITS_KERNEL: np.column_stack([kernel[:, order], column]),
        LOGITS_BIAS: np.append(bias[order], last).astype(np.float32),
    }


def recurrent_layer(
    kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: np.ndarray, gates: str = "h"
) -> Tensors:
    """A layer's weights with the gates in our order; ValueError where shapes do not fit together.

    They are [D, G], [U, G] and [G] or [2, G]. `gates` is the tool's order in the letters of
    `GATES`, or another letter for a cell without gates.
    """
    columns = recurrent_kernel.shape[-1]
    fits = kernel.ndim == recurrent_kernel.ndim == 2 and kernel.shape[-1] == columns
    if not fits or (columns, columns) != (bias.shape[-1], len(recurrent_kernel) * len(gates)):
        raise ValueError(f"the weights of a layer do not fit together, as {len(gates)} gates")
    order = [gates.index(gate) for gate in GATES.get(len(gates), gates)]
    parts = {"kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": bias}
    splits = {name: np.split(each, len(gates), -1) for name, each in parts.items()}
    return {
        name: np.concatenate([each[place] for place in order], -1) for name, each in splits.items()
    }


def scaled(layer: Tensors, factors: Sequence[float]) -> Tensors:
    """The layer with each gate's weights times a factor. -1 turns a gate σ into 1 - σ."""
    return {
        name: each * np.repeat(np.asarray(factors, np.float32), each.shape[-1] // len(factors))
        for name, each in layer.items()
    }


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
            return load(io.BytesIO(data))
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
