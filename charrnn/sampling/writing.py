"""Texts being written: from an engine's logits to characters on a screen."""

import codecs
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.sampling.constraints import Rules
from charrnn.sampling.endings import Ending
from charrnn.sampling.engines import Engine
from charrnn.sampling.filters import NEVER, distribution, draw, log_softmax
from charrnn.sampling.noise import Noise
from charrnn.text.streams import directed
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Text:
    """A text that was written, and how likely its characters are under the model itself."""

    text: str
    seed: int
    number: int
    """The place among the texts of that seed, which the noise depends on."""
    characters: int
    log_probability: float
    complete: bool = True
    """False where --match is not fully matched."""

    @property
    def log_probability_per_char(self) -> float:
        """The mean over the characters, in nats."""
        return self.log_probability / max(1, self.characters)

    @property
    def bits_per_char(self) -> float:
        """How many bits the model needs for a character of the text."""
        return 0.0 - self.log_probability_per_char / math.log(2)


class Writing:
    """B texts on their way: iterate for their pieces as they come, or ask for the whole texts.

    A backward model writes what comes before the prompt, last character first: its pieces
    stand in the order of writing, the whole texts in that of reading.
    """

    def __init__(
        self,
        engine: Engine,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        seed: int,
        *,
        backward: bool = False,
        raw: bool = False,
        scored: bool = False,
    ) -> None:
        self.engine, self.vocabulary, self.config = engine, vocabulary, config
        self.seed, self.backward = seed, backward
        self.count = config.count * config.best_of
        self.rules = Rules(config, vocabulary)
        self.position = 0
        """How many characters of each text are drawn, as the noise counts them."""
        self.unread = np.zeros((0, self.count), np.int32)
        """Ids [T, B] that are written or given, but not yet read by the engine."""
        self.recent = np.zeros((self.count, 0), np.int32)
        """The last ids of each text, for the repetition penalty."""
        self._as_bytes = vocabulary.byte_level and (raw or backward or bool(config.beam))
        self._raw, self._scored = raw, scored or config.searched
        self._decoders = [decoder(vocabulary, self._as_bytes) for _ in range(self.count)]
        self._endings = [self.new_ending() for _ in range(self.count)]
        self._drawn = [""] * self.count
        """All characters of each text, where --match wants to know."""
        longest = max(map(len, map(vocabulary.from_user, config.stop)), default=1)
        self._last_log_p = [deque(maxlen=longest) for _ in range(self.count)]  # type: list[deque]
        self._log_probability = np.zeros(self.count)
        self._lengths = [0] * self.count

    def new_ending(self) -> Ending:
        """The end that a text of these settings comes to."""
        config = self.config
        if self._as_bytes:
            config = replace(config, stop=tuple(map(self.vocabulary.from_user, config.stop)))
        return Ending(config, self.backward, self._as_bytes)

    def begin(self, prompt: str = "") -> "Writing":
        """Start from the zero state, as if after a line's end, with the prompt."""
        ids = np.repeat(first_ids(self.vocabulary, prompt, self.backward)[:, None], self.count, 1)
        self.engine.start(1)
        if len(ids) > 1:
            self.engine.read(ids[:-1, :1])
        self.engine.select(np.zeros(self.count, int))
        self.unread = ids[-1:]
        self._remember(ids[1:])
        return self

    def __iter__(self) -> Iterator[list[str]]:
        config, noise = self.config, Noise(self.seed, self.count, self.position)
        last = self.position + config.length
        while config.endless or self.position < last:
            logits = self.engine.read(self.unread).astype(np.float64)
            ids = draw(self._weigh(logits[:, :-1]), noise.next())  # never the unknown symbol
            pieces = self._take(ids, logits)
            yield pieces
            if all(ending.done for ending in self._endings):
                break
        rest = [self._rest(number) for number in range(self.count)]
        if any(rest):
            yield rest

    def texts(self) -> list[Text]:
        """The whole texts, in reading order."""
        pieces: list[list[str]] = [[] for _ in range(self.count)]
        for row in self:
            for text, piece in zip(pieces, row, strict=True):
                text.append(piece)
        return [self._text(number, "".join(text)) for number, text in enumerate(pieces)]

    def _text(self, number: int, shown: str) -> Text:
        """A text as it is handed out; what ended it and is not shown does not count."""
        dropped = len(self.vocabulary.from_user(self._endings[number].dropped))
        last = list(self._last_log_p[number])
        log_probability = self._log_probability[number] - sum(last[len(last) - dropped :])
        length = self._lengths[number] - dropped
        return Text(
            self.readable(shown),
            self.seed,
            number,
            length,
            float(log_probability),
            self.complete(number),
        )

    def readable(self, shown: str) -> str:
        """Characters in the order of writing as the text they are."""
        text = shown[::-1] if self.backward else shown
        return self.vocabulary.to_user(text) if self._as_bytes and not self._raw else text

    def complete(self, number: int = 0) -> bool:
        """Whether a text, as it stands, is all that --match wants."""
        return self.rules.complete(self._drawn[number])

    def _weigh(self, logits: np.ndarray) -> np.ndarray:
        """Log-weights [B, V] of the next characters by the settings; texts that are stuck end."""
        allowed = self.rules(self._drawn)
        if allowed is not None:
            stuck = ~allowed.any(-1)
            for number in np.flatnonzero(stuck):
                self._endings[number].done = True
            logits = np.where(allowed | stuck[:, None], logits, NEVER)
        temperatures = self.config.temperatures
        temperature = temperatures[self.position % len(temperatures)]
        return distribution(logits, self.config, temperature, self.recent)

    def _take(self, ids: np.ndarray, logits: np.ndarray) -> list[str]:
        """The pieces that new ids [B] add to the texts."""
        self.position += 1
        self.unread = ids[None]
        self._remember(self.unread)
        if self._scored:
            self._account(log_softmax(logits)[np.arange(self.count), ids])
        return [self._write(number, int(ids[number])) for number in range(self.count)]

    def _account(self, log_p: np.ndarray) -> None:
        """Add the log-probabilities [B] of the characters just drawn."""
        for number, ending in enumerate(self._endings):
            if not ending.done:
                self._log_probability[number] += log_p[number]
                self._last_log_p[number].append(log_p[number])

    def _write(self, number: int, new: int) -> str:
        """The piece that a new id adds to one text."""
        ending = self._endings[number]
        if ending.done:
            return ""
        self._lengths[number] += 1
        piece = self._decoders[number]((new,), False)
        if self.rules.matching is not None:
            self._drawn[number] += piece
        return ending.feed(piece)

    def _rest(self, number: int) -> str:
        """What a text still holds back at its end."""
        ending = self._endings[number]
        return ending.rest() if ending.done else self._decoders[number]((), True) + ending.rest()

    def _remember(self, ids: np.ndarray) -> None:
        if self.config.repetition_penalty != 1:
            recent = np.concatenate([self.recent, ids.T], 1)
            self.recent = recent[:, -self.config.repetition_window :]


def first_ids(vocabulary: Vocabulary, prompt: str, backward: bool) -> np.ndarray:
    """What the network reads before the first character is drawn, int32 [T]."""
    given = vocabulary.encode(vocabulary.from_user(prompt))
    given = directed(given, "backward" if backward else "forward")
    return np.concatenate([[start_id(vocabulary)], given]).astype(np.int32)


def start_id(vocabulary: Vocabulary) -> int:
    """What a text is taken to follow: a line's end where the corpus has lines."""
    return max(vocabulary.characters.find("\n"), 0)


def decoder(vocabulary: Vocabulary, raw: bool = False) -> Callable[[Iterable[int], bool], str]:
    """A function from ids and whether they are the last, to text.

    At byte level UTF-8 is put together across pieces; what is not valid shows as U+FFFD, or
    with `raw` stays a character for each byte.
    """
    if not vocabulary.byte_level or raw:
        return lambda ids, last: vocabulary.decode(ids)
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    return lambda ids, last: utf8.decode(vocabulary.decode(ids).encode("latin-1"), last)
