"""Where a text ends before its length: at a stop string, after so many lines or words."""

from charrnn.config import SamplingConfig


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
