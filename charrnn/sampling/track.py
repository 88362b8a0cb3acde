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
CIRCLE, REPEATS = 60, 3
"""A text repeats itself if up to so many characters have come so often in a row at its end."""
CONTINUES = range(0x80, 0xC0)
"""Bytes that in UTF-8 go on with a character and begin none."""


class Decoder:
    """Decodes one text id by id; at byte level it joins the bytes of a character.

    Args:
        vocabulary: The model's.
        backward: Whether the last id of a text comes first.
        errors: How to decode bytes that are not UTF-8, as in Python: "replace" or
            "surrogateescape".
    """

    def __init__(
        self, vocabulary: Vocabulary, backward: bool = False, errors: str = "replace"
    ) -> None:
        self._characters, self._byte_level = vocabulary.characters, vocabulary.byte_level
        self._backward, self._errors = backward, errors
        self._pending = b""
        """Bytes of an incomplete character, in reading order."""

    def take(self, new: int) -> tuple[str, Sequence[int]]:
        """Decode one more id; return the complete characters and the number of ids of each."""
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
        """Decode the bytes that remain at the text's end, like `take`."""
        return self._join(last=True)

    def _join(self, last: bool = False) -> tuple[str, Sequence[int]]:
        characters, used = codecs.utf_8_decode(self._pending, self._errors, last)
        self._pending = self._pending[used:]
        # A byte that breaks a sequence stands for itself or begins the next one. So where
        # there are several characters, all but the first are made of a single byte.
        first = used - len(characters) + 1
        widths = [first, *ONE_ID * (len(characters) - 1)] if characters else []
        return (characters[::-1], widths[::-1]) if self._backward else (characters, widths)


def repeats_itself(text: str) -> bool:
    """Whether the text ends in the same few characters or lines, written again and again."""
    for period in range(1, CIRCLE + 1):
        length = max(CIRCLE, REPEATS * period)
        end = text[-length:]
        if len(end) == length and end[period:] == end[:-period]:
            return True
    return False


@dataclass(frozen=True)
class Text:
    """A text that was written, and how likely its characters are under the model itself."""

    text: str
    seed: int
    number: int
    """The index among the texts of that seed, which the noise depends on."""
    characters: int
    """The number of ids: characters, or at byte level bytes."""
    log_probability: float
    """The sum over those ids, in nats."""
    complete: bool = True
    """False where the text does not fully match the pattern of the setting `match`."""
    wanted: str = ""
    """The first few characters that the pattern needs next, if none of them may be written."""
    end: tuple[int, float] = (0, 0.0)
    """The number of ids that ended the text and are not shown, and their log-probability."""

    @property
    def log_probability_per_char(self) -> float:
        return self.log_probability / max(1, self.characters)

    @property
    def rank_per_char(self) -> float:
        """The mean over the characters and what ended the text, in nats."""
        ids, log_p = self.end
        return (self.log_probability + log_p) / max(1, self.characters + ids)

    @property
    def bits_per_char(self) -> float:
        return 0.0 - self.log_probability_per_char / math.log(2)


@dataclass(frozen=True)
class TextFormat:
    """How the texts of a writing are decoded, and where they end."""

    vocabulary: Vocabulary
    config: SamplingConfig
    backward: bool = False
    """Whether the last character is written first."""
    raw: bool = False
    """Whether bytes are returned as the characters U+0000 to U+00FF."""

    @cached_property
    def rules(self) -> Rules:
        return Rules(self.config, self.vocabulary)

    @cached_property
    def plain(self) -> bool:
        """Whether every id is a character that is shown at once."""
        return not self.config.ends and (self.raw or not self.vocabulary.byte_level)

    def as_output(self, characters: str) -> str:
        """Characters as users get them: with `raw`, one for each byte."""
        if not self.raw or characters.isascii():
            return characters
        return self.readable(self.vocabulary.from_user(self.readable(characters)))

    def readable(self, shown: str) -> str:
        """Turn characters from writing order into reading order, or back."""
        return shown[::-1] if self.backward else shown


class Track:
    """One text while it is written: it takes ids and returns the characters to show.

    The ending holds characters back while it may still drop them; their ids wait meanwhile. When
    a character is shown, its ids are counted and forgotten. So a track remembers no more than a
    stop string's length, however long the text becomes.
    """

    def __init__(self, text_format: TextFormat, number: int = 0) -> None:
        self.number = number
        """The text's index among those of the same seed."""
        self.done = False
        """Whether the text has ended."""
        self.drawn = ""
        """All its characters, shown or not; kept only for the setting `match`."""
        self.stuck = False
        """Whether it has ended because the setting `match` allows no character to follow."""
        self._format, errors = text_format, "surrogateescape" if text_format.raw else "replace"
        self._decoder = Decoder(text_format.vocabulary, text_format.backward, errors)
        self._ending = Ending(text_format.config, text_format.backward)
        self._plain, self._characters = text_format.plain, text_format.vocabulary.characters
        self._matched = text_format.rules.matching is not None
        self._counted, self._sum = 0, 0.0
        self._widths: list[int] = []
        """The number of ids of each character that waits to be shown."""
        self._log_ps: list[float] = []
        """The log-probabilities of the ids that wait."""
        self._end: list[float] = []
        """The log-probabilities of the ids that ended the text and are not shown."""

    @property
    def characters(self) -> int:
        return self._counted + len(self._log_ps)

    @property
    def log_probability(self) -> float:
        return add_up(self._sum, self._log_ps)

    @property
    def complete(self) -> bool:
        """Whether the text so far fully matches the setting `match`, if there is one."""
        return self._format.rules.complete(self.drawn)

    @property
    def wanted(self) -> str:
        return self._format.rules.wanted(self.drawn) if self.stuck else ""

    def stop_stuck(self) -> None:
        """End the text, because no character can follow."""
        self.stuck = self.done = True

    def take(self, new: int, log_p: float = 0.0) -> str:
        """Add an id and its log-probability in nats; return the characters to show."""
        if self._plain:
            self._counted += 1
            self._sum += log_p
            return self._characters[new]
        if self.done:
            return ""
        self._log_ps.append(log_p)
        return self._show(*self._decoder.take(new))

    def rest(self) -> str:
        """End the text; return the characters that were held back."""
        shown = "" if self.done else self._show(*self._decoder.rest())
        held = self._ending.rest()
        self._count(len(held))
        return shown + self._format.as_output(held)

    def text(self, shown: str, seed: int) -> Text:
        """Return the finished text from all the characters that were returned."""
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
        """Return a track that continues from here independently of this one."""
        track = copy.copy(self)
        if not self._plain:  # in a plain text nothing waits, and nothing ends it
            track._decoder, track._ending = copy.copy(self._decoder), copy.copy(self._ending)
            track._widths, track._log_ps = self._widths.copy(), self._log_ps.copy()
        return track

    def _show(self, characters: str, widths: Sequence[int]) -> str:
        """Return what the ending shows after these characters, of `widths` ids each."""
        self._widths += widths
        if self._matched and self._format.rules.ends(self.drawn, characters):
            self.done, shown = True, self._ending.rest()
            self._count(len(shown))
            self._end, self._widths, self._log_ps = self._log_ps, [], []
            return self._format.as_output(shown)
        if self._matched:
            self.drawn += characters
        shown = self._ending.feed(characters)
        self._count(len(shown))
        if self._ending.done:
            self.done = True
            self._end, self._widths, self._log_ps = self._log_ps, [], []
        return self._format.as_output(shown)

    def _count(self, shown: int) -> None:
        """Count the ids of the next `shown` characters."""
        ids = sum(self._widths[:shown])
        self._counted += ids
        self._sum = add_up(self._sum, self._log_ps[:ids])
        del self._widths[:shown], self._log_ps[:ids]


def add_up(start: float, log_ps: list[float]) -> float:
    """Add from left to right, so that the sum is the same wherever it is interrupted."""
    for log_p in log_ps:
        start += log_p
    return start
