"""From a model's ids to characters, with the number of ids that each character is made of."""

import codecs
from collections.abc import Sequence

from charrnn.text.vocabulary import Vocabulary

ONE_ID = (1,)


class Decoder:
    """Decodes the ids of one text, one after the other.

    With `utf8` an id is a byte, and the bytes of a character are put together; what is not
    valid UTF-8 becomes U+FFFD. Otherwise every id is a character of its own.
    """

    def __init__(self, vocabulary: Vocabulary, utf8: bool) -> None:
        self._characters, self._utf8 = vocabulary.characters, utf8
        self._pending = b""
        """Bytes that begin a character whose end is not there yet."""

    def take(self, new: int) -> tuple[str, Sequence[int]]:
        """Decode one more id.

        Returns:
            The characters that are complete now, and for each of them how many ids it is
            made of, the earlier ids first.
        """
        character = self._characters[new]
        return self._join(character.encode("latin-1")) if self._utf8 else (character, ONE_ID)

    def rest(self) -> tuple[str, Sequence[int]]:
        """What `take` would return for the bytes that are left where the text ends."""
        return self._join(b"", last=True)

    def _join(self, new: bytes, last: bool = False) -> tuple[str, Sequence[int]]:
        data = self._pending + new
        characters, used = codecs.utf_8_decode(data, "replace", last)
        self._pending = data[used:]
        # A byte that breaks a sequence stands for itself or begins the next one. So where
        # there are several characters, all but the first are made of a single byte.
        first = used - len(characters) + 1
        return characters, [first, *ONE_ID * (len(characters) - 1)] if characters else ()
