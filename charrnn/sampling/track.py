"""One text as it is written: its ids are decoded, ended, counted and scored."""

import codecs
import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from charrnn.config import SamplingConfig
from charrnn.sampling.rules import Ending, Rules
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


@dataclass(frozen=True)
class Text:
    """A text that was written, and how likely its characters are under the model itself."""

    text: str
    seed: int
    number: int
    """The place among the texts of that seed, which the noise depends on."""
    characters: int
    """How many ids of the model the text is made of: characters, or at byte level bytes."""
    log_probability: float
    """The sum over those ids, in nats."""
    complete: bool = True
    """False where the text does not fully match the pattern of the setting `match`."""
    wanted: str = ""
    """Where the text ends since the pattern needs a character that may not be written: which,
    the first few of them."""
    end: tuple[int, float] = (0, 0.0)
    """The ids that ended the text and are not shown: how many, and the sum over them."""

    @property
    def log_probability_per_char(self) -> float:
        """The mean over the characters, in nats."""
        return self.log_probability / max(1, self.characters)

    @property
    def rank_per_char(self) -> float:
        """The mean over the characters and over what ended the text, in nats."""
        ids, log_p = self.end
        return (self.log_probability + log_p) / max(1, self.characters + ids)

    @property
    def bits_per_char(self) -> float:
        """How many bits the model needs for a character of the text."""
        return 0.0 - self.log_probability_per_char / math.log(2)


@dataclass(frozen=True)
class TextFormat:
    """What all texts of a writing have in common: how they are decoded and where they end."""

    vocabulary: Vocabulary
    config: SamplingConfig
    backward: bool = False
    """Whether the last character is written first."""
    raw: bool = False
    """Whether bytes are handed out as the characters U+0000 to U+00FF."""

    @cached_property
    def rules(self) -> Rules:
        return Rules(self.config, self.vocabulary)

    @cached_property
    def plain(self) -> bool:
        """Whether every id is a character that is shown at once: nothing waits or is matched."""
        return not self.config.ends and (self.raw or not self.vocabulary.byte_level)

    def new_ending(self) -> Ending:
        return Ending(self.config, self.backward)

    def new_decoder(self) -> Decoder:
        errors = "surrogateescape" if self.raw else "replace"
        return Decoder(self.vocabulary, self.backward, errors)

    def given_out(self, characters: str) -> str:
        if not self.raw or characters.isascii():
            return characters
        return self.readable(self.vocabulary.from_user(self.readable(characters)))

    def readable(self, shown: str) -> str:
        """Turn characters from the order of writing into that of reading, or back."""
        return shown[::-1] if self.backward else shown


class Track:
    """One text as it is written: it takes ids and returns what may be shown of them.

    The ids of characters that the ending drops are not counted. The ending holds characters
    back as long as it may still drop them, and so long their ids wait to be counted. When a
    character is shown, its ids are added to the sums and forgotten. So a track remembers no
    more than a stop string's length, however long the text becomes.
    """

    def __init__(self, text_format: TextFormat, number: int = 0) -> None:
        self.number = number
        """The text's place among those of the same seed."""
        self.done = False
        """Whether the text has ended, so that it takes no more ids."""
        self.drawn = ""
        """All its characters, shown or not; kept only where the setting `match` needs them."""
        self.stuck = False
        """Whether it has ended because no character leads on by the setting `match`."""
        self._format = text_format
        self._decoder, self._ending = text_format.new_decoder(), text_format.new_ending()
        self._plain, self._characters = text_format.plain, text_format.vocabulary.characters
        self._matched = text_format.rules.matching is not None
        self._counted, self._sum = 0, 0.0
        self._widths: list[int] = []
        """The number of ids of each character that waits to be shown."""
        self._log_ps: list[float] = []
        """The log-probabilities of the ids that wait, those of unfinished characters too."""
        self._end: list[float] = []
        """The log-probabilities of the ids that have ended the text, and are dropped."""

    @property
    def characters(self) -> int:
        """How many ids the text has, without those that its ending has dropped."""
        return self._counted + len(self._log_ps)

    @property
    def log_probability(self) -> float:
        return add_up(self._sum, self._log_ps)

    @property
    def complete(self) -> bool:
        """Whether the text, as it stands, fully matches the setting `match`, if there is one."""
        return self._format.rules.complete(self.drawn)

    @property
    def wanted(self) -> str:
        return self._format.rules.wanted(self.drawn) if self.stuck else ""

    def stop_stuck(self) -> None:
        """End here, because no character leads on."""
        self.stuck = self.done = True

    def take(self, new: int, log_p: float = 0.0) -> str:
        """Add an id and its log-probability in nats; return what may be shown now."""
        if self._plain:
            self._counted += 1
            self._sum += log_p
            return self._characters[new]
        if self.done:
            return ""
        self._log_ps.append(log_p)
        return self._show(*self._decoder.take(new))

    def rest(self) -> str:
        """Return what is still held back, because the text ends here."""
        shown = "" if self.done else self._show(*self._decoder.rest())
        held = self._ending.rest()
        self._count(len(held))
        return shown + self._format.given_out(held)

    def text(self, shown: str, seed: int) -> Text:
        """The finished text, from all that the track has given out."""
        return Text(
            self._format.readable(shown),
            seed,
            self.number,
            self.characters,
            self.log_probability,
            self.complete,
            self.wanted,
            (len(self._end), add_up(0.0, self._end)),
        )

    def copy(self) -> "Track":
        """A second track that goes on from the same place, apart from this one."""
        track = copy.copy(self)
        if not self._plain:  # in a plain text nothing waits, and nothing ends it
            track._decoder, track._ending = copy.copy(self._decoder), copy.copy(self._ending)
            track._widths, track._log_ps = self._widths.copy(), self._log_ps.copy()
        return track

    def _show(self, characters: str, widths: Sequence[int]) -> str:
        """Pass characters, each made of so many ids, through the ending; return what it shows."""
        self._widths += widths
        if self._matched:
            self.drawn += characters
        shown = self._ending.feed(characters)
        self._count(len(shown))
        if self._ending.done:
            self.done = True
            self._end, self._widths, self._log_ps = self._log_ps, [], []
        return self._format.given_out(shown)

    def _count(self, shown: int) -> None:
        """Count the ids of the next `shown` characters, which wait no longer."""
        ids = sum(self._widths[:shown])
        self._counted += ids
        self._sum = add_up(self._sum, self._log_ps[:ids])
        del self._widths[:shown], self._log_ps[:ids]


def add_up(start: float, log_ps: list[float]) -> float:
    """The sum from left to right, so that it does not depend on where it was interrupted."""
    for log_p in log_ps:
        start += log_p
    return start
