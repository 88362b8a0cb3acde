"""Which characters may be written next, whatever their probability."""

import string
import time
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.sampling.filters import NEVER, Filters, Past, draw
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
        return self.matching is None or self.matching.complete(text)

    def wanted(self, text: str) -> str:
        """Characters that the text would need next and that may not be written, the first few."""
        return "" if self.complete(text) or self.matching is None else self.matching.wanted(text)


def either(characters: str) -> str:
    *first, last = map(repr, characters)
    return f"{', '.join(first)} or {last}" if first else last


class Ending:
    """One text's end. Feed it what is written; it gives back what may be shown.

    Characters that may turn out to begin a stop string are held back until that is known.
    `backward` texts are written last character first.
    """

    def __init__(self, config: SamplingConfig, backward: bool = False) -> None:
        self._stops = tuple(stop[::-1] if backward else stop for stop in config.stop)
        self._in_stops = frozenset("".join(self._stops))
        self._keep_stop = config.keep_stop
        self._lines, self._words = config.lines, config.words
        self._in_word, self._held = False, ""
        self._active = bool(self._stops) or self._lines is not None or self._words is not None
        self.done = False

    def feed(self, piece: str) -> str:
        """What may be shown after the piece."""
        if not self._active:
            return piece
        return "".join(map(self._take, piece))

    def rest(self) -> str:
        """What was held back, where the text ends otherwise."""
        held, self._held = self._held, ""
        return held

    def _take(self, character: str) -> str:
        if self.done:
            return ""
        if self._ends_before(character):
            self.done = True
            return self.rest()
        if character not in self._in_stops:  # no stop goes on with it, so none is held back
            return self.rest() + character
        text = self._held + character
        for stop in self._stops:
            if text.endswith(stop):
                self.done, self._held = True, ""
                return text if self._keep_stop else text[: -len(stop)]
        shown = len(text) - self._may_begin_a_stop(text)
        self._held = text[shown:]
        return text[:shown]

    def _ends_before(self, character: str) -> bool:
        """Whether the character closes the last line or word; it is not shown then."""
        if character == "\n" and self._lines is not None:
            self._lines -= 1
        space = character.isspace()
        if space and self._in_word and self._words is not None:
            self._words -= 1
        self._in_word = not space
        return self._lines == 0 or self._words == 0

    def _may_begin_a_stop(self, text: str) -> int:
        """Length of the longest end of the text with which a stop string begins."""
        longest = max(map(len, self._stops), default=1) - 1
        lengths = range(min(longest, len(text)), 0, -1)
        return next((n for n in lengths if self._begins(text[-n:])), 0)

    def _begins(self, end: str) -> bool:
        return any(stop.startswith(end) for stop in self._stops)


FIRST, GROWTH = 4, 4
"""So many characters are tried before it is first worked out whether they are enough, and so
many times more each time after that: working it out costs as much as trying several."""
ROUNDING = 1e-9
"""More than the rounding errors of a sum over the characters, relative to the sum."""


def narrowed(
    logits: np.ndarray,
    noise: np.ndarray,
    filters: Filters,
    past: Past,
    leads_on: Callable[[int], bool],
) -> np.ndarray:
    """Characters that lead on, enough of them for the draw.

    Args:
        logits: [1, V], -inf where a character may not be written.
        noise: [1], what the character will be drawn with.
        filters: What the logits go through before that.
        past: Of this one text.
        leads_on: Whether an id may follow the text.

    Returns:
        bool [1, V], none where no character leads on. What is drawn from these characters is
        what would be drawn from all that lead on.
    """
    leads, untried = np.zeros(logits.shape, bool), logits > NEVER
    order = filters.order(logits, past)[0, : untried.sum()]
    size = FIRST if filters.ordered else len(order)
    while len(order):
        tried, order, size = order[:size], order[size:], GROWTH * size
        leads[0, tried] = [leads_on(int(new)) for new in tried]
        untried[0, tried] = False
        if leads.any() and len(order):
            least = filters(np.where(leads, logits, NEVER), past)
            most = filters(np.where(leads | untried, logits, NEVER), past)
            if settled(least[0], most[0], noise[0], exact=filters.truncate):
                break
    return leads


def settled(least: np.ndarray, most: np.ndarray, noise: float, exact: bool) -> bool:
    """Whether the character that is drawn is known before all characters are tried.

    Filters that cut off the less likely characters see the same in both cases only if they
    do so in every case between them. Where there are none, each weight that is in doubt is
    either 0 or that of `most`.

    Args:
        least: Log-weights [V] if none of the untried characters leads on.
        most: Log-weights [V] if all of them do.
        noise: What the character will be drawn with.
        exact: Whether nothing may be in doubt.
    """
    if exact:
        return np.array_equal(least, most)
    sure = np.exp(least)
    doubt, total = np.exp(most) - sure, sure.sum()
    place = int(draw(least[None], np.array([noise]))[0])
    before, after = doubt[:place].sum(), doubt[place + 1 :].sum()
    below, above = sure[:place].sum() + before, sure[: place + 1].sum()
    low, high = noise * (total + before), noise * (total + after)
    return bool(below <= low * (1 - ROUNDING) and above > high * (1 + ROUNDING))
