"""The characters a model knows, and their ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from charrnn.checked_json import from_object

CODE_POINTS = 0x110000
REPLACEMENT = "\ufffd"
LAST_BYTE = "\xff"


def code_points(text: str) -> np.ndarray:
    """The text's code points, uint32 [N]."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


@dataclass(frozen=True)
class Vocabulary:
    """Characters sorted by code point; id = place. One more id stands for the unknown.

    A byte-level vocabulary holds bytes as the characters U+0000 to U+00FF.
    """

    characters: str
    byte_level: bool = False

    @classmethod
    def of(cls, characters: Iterable[str], byte_level: bool = False) -> "Vocabulary":
        return cls("".join(sorted(set(characters))), byte_level)

    @property
    def size(self) -> int:
        """V: the characters and the unknown symbol."""
        return len(self.characters) + 1

    @property
    def unknown(self) -> int:
        """Id of the unknown symbol, which stands last and is never generated."""
        return len(self.characters)

    @property
    def start(self) -> int:
        """The id that stands before a text: a line's end, or 0 where there are no lines."""
        return max(self.characters.find("\n"), 0)

    def encode(self, text: str) -> np.ndarray:
        """Ids int32 [N]; characters outside become the unknown."""
        codes, known = code_points(text), code_points(self.characters)
        places = np.searchsorted(known, codes).clip(max=len(known) - 1)
        return np.where(known[places] == codes, places, self.unknown).astype(np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; the unknown shows as U+FFFD."""
        return "".join([self._symbols[i] for i in ids])

    @cached_property
    def _symbols(self) -> str:
        return self.characters + REPLACEMENT

    def missing(self, text: str) -> str:
        """The characters of the text that are not in the vocabulary, each once, sorted."""
        return "".join(sorted(set(text) - set(self.characters)))

    def from_user(self, text: str) -> str:
        """A text as the model's characters: its UTF-8 bytes where the model reads bytes."""
        if not self.byte_level:
            return text
        return text.encode("utf-8", "surrogateescape").decode("latin-1")

    def to_user(self, text: str) -> str:
        """The inverse of `from_user`; bytes that are not UTF-8 show as U+FFFD."""
        if not self.byte_level:
            return text
        return text.encode("latin-1").decode("utf-8", "replace")

    def to_json(self) -> dict[str, object]:
        return {"characters": self.characters, "byte_level": self.byte_level}

    @classmethod
    def from_json(cls, data: object) -> "Vocabulary":
        """The inverse of `to_json`; ValueError for what it cannot have returned."""
        vocabulary = from_object(cls, data, "vocabulary")
        if not vocabulary.characters or vocabulary != cls.of(
            vocabulary.characters, vocabulary.byte_level
        ):
            raise ValueError("the vocabulary's characters are not sorted, or one occurs twice")
        if vocabulary.byte_level and vocabulary.characters[-1] > LAST_BYTE:
            raise ValueError("the vocabulary has a character that is not a byte")
        return vocabulary
