"""From a model's ids to characters, with the number of ids that each character is made of."""

import codecs
from collections.abc import Sequence

from charrnn.text.vocabulary import Vocabulary

ONE_ID = (1,)
CONTINUES = range(0x80, 0xC0)
"""Bytes that in UTF-8 go on with a character and begin none."""


class Decoder:
    """Decodes the ids of one text, one after the other, in the order of writing.

    At byte level the bytes of a character are put together. Otherwise every id is a character
    of its own.

    Args:
        vocabulary: The model's.
        backward: Whether the last id of a text comes first.
        errors: What becomes of bytes that are not UTF-8, as in Python: "replace" makes
            U+FFFD of them, "surrogateescape" keeps them, one character each.
    """

    def __init__(
        self, vocabulary: Vocabulary, backward: bool = False, errors: str = "replace"
    ) -> None:
        self._characters, self._byte_level = vocabulary.characters, vocabulary.byte_level
        self._backward, self._errors = backward, errors
        self._pending = b""
        """Bytes of a character that is not complete yet, in the order of reading."""

    def take(self, new: int) -> tuple[str, Sequence[int]]:
        """Decode one more id.

        Returns:
            The characters that are complete now, and for each of them how many ids it is
            made of, the earlier ids first.
        """
        character = self._characters[new]
        if not self._byte_level:
            return character, ONE_ID
        byte = ord(character)
        if self._backward:
            self._pending = bytes([byte]) + self._pending
            return ("", ()) if byte in CONTINUES else self._join(last=True)
        self._pending += bytes([byte])
        return self._join()

    def rest(self) -> tuple[str, Sequence[int]]:
        """What `take` would return for the bytes that are left where the text ends."""
        return self._join(last=True)

    def _join(self, last: bool = False) -> tuple[str, Sequence[int]]:
        characters, used = codecs.utf_8_decode(self._pending, self._errors, last)
        self._pending = self._pending[used:]
        # A byte that breaks a sequence stands for itself or begins the next one. So where
        # there are several characters, all but the first are made of a single byte.
        first = used - len(characters) + 1
        widths = [first, *ONE_ID * (len(characters) - 1)] if characters else []
        return (characters[::-1], widths[::-1]) if self._backward else (characters, widths)
