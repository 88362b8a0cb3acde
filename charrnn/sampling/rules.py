"""Rules: which characters may be written next, and where a text ends."""

import re
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
"""Processor time for a pattern to decide which characters can follow. Simple patterns take less
than a millisecond; where the time grows exponentially, no limit would be enough."""
NAMED = 5
"""Number of the characters needed by a pattern that a message names."""
FIRST, GROWTH = 4, 4
"""Characters tried before the first check whether they suffice, and the growth until the next
check. A check costs as much as trying several characters."""
ROUNDING = 1e-9
"""Above the relative rounding error of a sum over the characters."""


WITHOUT_MEANING = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What in a pattern stands for itself: escaped characters, and those in brackets."""
UNFOLLOWABLE = re.compile(r"\(\?[=!>]|[*+?}]\+")
"""What the partial matches of the package `regex` do not hold to."""


class Matching:
    """Allows characters with which a text can still become a full match of `match`.

    Args:
        pattern: A regular expression of the package `regex`.
        characters: All that may be written.
    """

    def __init__(self, pattern: str, characters: str) -> None:
        import regex  # takes several tenths of a second

        if UNFOLLOWABLE.search(WITHOUT_MEANING.sub("x", pattern)):
            raise ConfigError(
                "lookaheads, atomic groups and possessive repeats cannot be followed while a text"
                " is written",
                {"match": pattern},
                way_out="write the pattern without (?=…), (?!…), (?>…) and *+, ++, ?+",
            )
        try:
            self._pattern: Pattern[str] = regex.compile(pattern)
        except regex.error as error:
            raise ConfigError(str(error), {"match": pattern}) from error
        self._source, self._characters = pattern, characters
        if not self.complete("") and not any(map(self.after(""), characters)):
            why, wanted = "no character that the model may write can begin it", self.wanted("")
            why = f"{why}; it needs {either(wanted)}" if wanted else why
            raise ConfigError(why, {"match": pattern})

    def after(self, text: str) -> Callable[[str], bool]:
        """Return a function that tells whether a character may follow the text.

        It raises ConfigError if its answers take too long together.
        """
        remaining = PATIENCE_SECONDS

        def may_follow(character: str) -> bool:
            nonlocal remaining
            begin = time.thread_time()
            matches = self._matches(text + character, remaining, partial=True)
            remaining -= time.thread_time() - begin
            return matches

        return may_follow

    def complete(self, text: str) -> bool:
        """Whether the text is a full match."""
        return self._matches(text, PATIENCE_SECONDS)

    def wanted(self, text: str) -> str:
        """Return the first few characters that could follow but may not be written.

        They are searched among those of the pattern and of ASCII.
        """
        others = dict.fromkeys(self._source + string.printable)
        found = filter(self.after(text), (each for each in others if each not in self._characters))
        return "".join(islice(found, NAMED))

    def _matches(self, text: str, seconds: float, partial: bool = False) -> bool:
        begin = time.thread_time()
        limit = max(seconds, 0.001)  # 0 or less would be no limit, or an error
        try:
            return self._pattern.fullmatch(text, partial=partial, timeout=limit) is not None
        except TimeoutError:
            remaining = seconds - (time.thread_time() - begin)
            if remaining > 0.1:  # other threads have used up the time of the process
                return self._matches(text, remaining, partial)
            characters = len(text) - partial
            why = f"takes more than {PATIENCE_SECONDS:g} seconds after {characters} characters"
            way_out = "leave out repeats within repeats, as in (a*)*, and choices that overlap"
            raise ConfigError(why, {"match": self._source}, way_out=way_out) from None


class Rules:
    """The settings `allow`, `forbid` and `match`.

    `mask` has the characters that are ever allowed, bool [V], or None for all; `matching` is the
    pattern's rule or None.
    """

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary) -> None:
        settings = {"allow": config.allow} if config.allow is not None else {}
        settings |= {"forbid": config.forbid} if config.forbid else {}
        self._characters = vocabulary.characters
        allowed, self.mask = self._characters, None
        if settings:
            if vocabulary.byte_level and not "".join(settings.values()).isascii():
                why = "this model writes bytes; only ASCII characters can be allowed or forbidden"
                raise ConfigError(why, settings)
            among = set(allowed if config.allow is None else config.allow) - set(config.forbid)
            self.mask = np.array([character in among for character in self._characters])
            if not self.mask.any():
                why = "leaves none of the characters that the model knows"
                raise ConfigError(why, settings)
            allowed = "".join(filter(among.__contains__, allowed))
        if config.match is not None and vocabulary.byte_level:
            why = "this model writes bytes, not characters"
            raise ConfigError(why, {"match": None}, way_out="leave it out")
        self.matching = None if config.match is None else Matching(config.match, allowed)
        self._ends = frozenset(["\n", *(stop[0] for stop in config.stop)])

    def may_follow(self, text: str) -> Callable[[int], bool]:
        """Return a function that tells whether an id may follow the text.

        It is one that the pattern lets follow; or one that ends the text, where it matches and
        could go on.
        """
        assert self.matching is not None
        after, characters = self.matching.after(text), self._characters
        ends = self._ends if self.complete(text) and any(map(after, characters)) else ()
        return lambda new: characters[new] in ends or after(characters[new])

    def ends(self, text: str, character: str) -> bool:
        """Whether a character ends a text that matches: a line's end, or a stop's beginning."""
        if self.matching is None or character not in self._ends or not self.complete(text):
            return False
        return not self.matching.after(text)(character)

    def complete(self, text: str) -> bool:
        return self.matching is None or self.matching.complete(text)

    def wanted(self, text: str) -> str:
        """Return the first few characters that the text needs next but that may not be written."""
        return "" if self.complete(text) or self.matching is None else self.matching.wanted(text)


def either(characters: str) -> str:
    *first, last = map(repr, characters)
    return f"{', '.join(first)} or {last}" if first else last


class Ending:
    """Ends one text: `feed` takes the characters written and returns those to show.

    Characters that may begin a stop string are held back until that is decided. `backward` texts
    are written last character first.
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
        return "".join(map(self._take, piece)) if self._active else piece

    def rest(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return held

    def _take(self, character: str) -> str:
        if self.done:
            return ""
        if self._ends_before(character):
            self.done = True
            return self.rest()
        if character not in self._in_stops:  # it completes or continues no stop
            return self.rest() + character
        text = self._held + character
        for stop in self._stops:
            if text.endswith(stop):
                self.done, self._held = True, ""
                return text if self._keep_stop else text[: -len(stop)]
        # Hold back the longest end of the text with which a stop begins.
        longest = max(map(len, self._stops)) - 1
        starts = range(max(0, len(text) - longest), len(text))
        begins = (n for n in starts if any(stop.startswith(text[n:]) for stop in self._stops))
        shown = next(begins, len(text))
        self._held = text[shown:]
        return text[:shown]

    def _ends_before(self, character: str) -> bool:
        """Whether the character ends the last line or word."""
        if character == "\n" and self._lines is not None:
            self._lines -= 1
        space = character.isspace()
        if space and self._in_word and self._words is not None:
            self._words -= 1
        self._in_word = not space
        return self._lines == 0 or self._words == 0


def allowed_next(
    logits: np.ndarray,
    noise: np.ndarray,
    filters: Filters,
    past: Past,
    may_follow: Callable[[int], bool],
) -> np.ndarray:
    """Return characters that may follow a text, enough of them for the draw.

    Args:
        logits: [1, V], -inf where a character may not be written.
        noise: [1], with which the character will be drawn.
        filters: Those that the logits pass through before.
        past: That of the text.
        may_follow: Whether an id may follow the text.

    Returns:
        bool [1, V], all false if no character may follow. Drawing from these characters gives the
        same as drawing from all that may follow.
    """
    allowed, untried = np.zeros(logits.shape, bool), logits > NEVER
    order = filters.order(logits, past)[0, : untried.sum()]
    size = FIRST if filters.ordered else len(order)
    while len(order):
        tried, order, size = order[:size], order[size:], GROWTH * size
        allowed[0, tried] = [may_follow(int(new)) for new in tried]
        untried[0, tried] = False
        if allowed.any() and len(order):
            least = filters(np.where(allowed, logits, NEVER), past)
            most = filters(np.where(allowed | untried, logits, NEVER), past)
            if draw_is_certain(least[0], most[0], noise[0], exact=filters.truncate):
                break
    return allowed


def draw_is_certain(least: np.ndarray, most: np.ndarray, noise: float, exact: bool) -> bool:
    """Whether the drawn character is known before all characters are tried.

    Without filters that truncate, each weight in doubt is either 0 or that of `most`. With them,
    `least` and `most` must be equal, so that every case between them is too.

    Args:
        least: Log-weights [V] if none of the untried characters may follow.
        most: Log-weights [V] if all of them may.
        noise: With which the character will be drawn.
        exact: Whether a filter truncates.
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
