"""Which characters may be written next, whatever their probability."""

import string
import time
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from regex import Pattern

PATIENCE_SECONDS = 5.0
"""How long a pattern may take to tell which character can follow. Simple patterns take under a
millisecond, and those whose time grows exponentially are soon beyond any limit."""
NAMED = 5
"""So many of the characters that a pattern needs are named in a message."""


class Allowed:
    """The characters of the setting `allow` without those of `forbid`, the same at every place."""

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary) -> None:
        given = {"allow": config.allow} if config.allow is not None else {}
        given |= {"forbid": config.forbid} if config.forbid else {}
        if vocabulary.byte_level and not f"{config.allow or ''}{config.forbid}".isascii():
            why = "this model writes bytes; only ASCII characters can be allowed or forbidden"
            raise ConfigError(why, given)
        allowed = set(vocabulary.characters)
        if config.allow is not None:
            allowed &= set(config.allow)
        allowed -= set(config.forbid)
        if not allowed:
            why = "leaves none of the characters that the model knows"
            raise ConfigError(why, given)
        self.mask = np.array([character in allowed for character in vocabulary.characters])
        """bool [V]."""


class Matching:
    """Only characters with which a text can still become a full match of the setting `match`.

    Args:
        pattern: A regular expression of the package `regex`.
        characters: All that may be written.
        byte_level: Whether they are bytes, which are refused.
    """

    def __init__(self, pattern: str, characters: str, byte_level: bool = False) -> None:
        import regex  # several tenths of a second, for those alone who ask for it

        if byte_level:
            raise ConfigError(
                "this model writes bytes, not characters", {"match": None}, way_out="leave it out"
            )
        try:
            self._pattern: Pattern[str] = regex.compile(pattern)
        except regex.error as error:
            raise ConfigError(str(error), {"match": pattern}) from error
        self._source, self._characters = pattern, characters
        if not self.complete("") and not any(map(self.after(""), characters)):
            raise ConfigError(self._no_beginning(), {"match": pattern})

    def after(self, text: str) -> Callable[[str], bool]:
        """A function that tells whether the pattern can match a text that goes on so.

        Raises:
            ConfigError: The answers for this text take too long together.
        """
        left = PATIENCE_SECONDS

        def leads_on(character: str) -> bool:
            nonlocal left
            begin = time.monotonic()
            leads = self._matches(text + character, left, partial=True)
            left -= time.monotonic() - begin
            return leads

        return leads_on

    def complete(self, text: str) -> bool:
        """Whether the text is a full match as it stands."""
        return self._matches(text, PATIENCE_SECONDS)

    def wanted(self, text: str) -> str:
        """Characters that may not be written although the text could go on with them.

        Looked for among those that stand in the pattern and those of ASCII. The first few.
        """
        others = dict.fromkeys(self._source + string.printable)
        found = filter(self.after(text), (each for each in others if each not in self._characters))
        return "".join(islice(found, NAMED))

    def _matches(self, text: str, seconds: float, partial: bool = False) -> bool:
        try:
            limit = max(seconds, 0.001)  # 0 or less would be no limit, or an error
            return self._pattern.fullmatch(text, partial=partial, timeout=limit) is not None
        except TimeoutError:
            characters = len(text) - partial
            why = f"takes more than {PATIENCE_SECONDS:g} seconds after {characters} characters"
            way_out = "leave out repeats within repeats, as in (a*)*, and choices that overlap"
            raise ConfigError(why, {"match": self._source}, way_out=way_out) from None

    def _no_beginning(self) -> str:
        wanted = self.wanted("")
        why = "no character that the model may write can begin it"
        return f"{why}; it needs {either(wanted)}" if wanted else why


class Rules:
    """All of them together.

    `mask` holds which of V characters are allowed everywhere, bool [V], or None where all are;
    `matching` is the pattern's rule, if there is one.
    """

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary) -> None:
        some = config.allow is not None or config.forbid
        self.mask = Allowed(config, vocabulary).mask if some else None
        self._characters = vocabulary.characters
        allowed = "".join(
            character
            for number, character in enumerate(self._characters)
            if self.mask is None or self.mask[number]
        )
        pattern, as_bytes = config.match, vocabulary.byte_level
        self.matching = None if pattern is None else Matching(pattern, allowed, as_bytes)

    def leads_on(self, text: str) -> Callable[[int], bool]:
        """A function that tells whether the pattern lets an id follow the text."""
        assert self.matching is not None
        after, characters = self.matching.after(text), self._characters
        return lambda new: after(characters[new])

    def complete(self, text: str) -> bool:
        """Whether nothing is missing from the text."""
        return self.matching is None or self.matching.complete(text)

    def wanted(self, text: str) -> str:
        """Characters that the text would need next and that may not be written, the first few."""
        return "" if self.complete(text) or self.matching is None else self.matching.wanted(text)


def either(characters: str) -> str:
    """Characters in words: 'a', 'b' or 'c'."""
    *first, last = map(repr, characters)
    return f"{', '.join(first)} or {last}" if first else last
