"""Which of many texts is kept: the likeliest, or one that is not in the training text."""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from charrnn.errors import ConfigError
from charrnn.sampling.engines import Engine, check_fit, read_logits
from charrnn.sampling.filters import NEVER, Past, log_softmax, no_repeat
from charrnn.sampling.rules import Rules
from charrnn.sampling.track import Text, Track
from charrnn.sampling.writing import Writing, first_ids
from charrnn.text.corpus import IDS_FILE, Corpus

GRAM = 20
TRIES = 100
"""At most this many texts are written for each new one."""
LINE_ENDS = "\n\r"


def best_of(writing: Writing) -> Iterator[Text]:
    """Yield the likeliest per character of every `best_of` texts in a row.

    A stop string that ends a text counts, although it is not shown.
    """
    size = writing.format.config.best_of
    for _, texts in groupby(writing.each(), lambda text: text.number // size):
        yield max(texts, key=lambda text: (text.complete, text.rank_per_char))


@dataclass(frozen=True)
class Candidate:
    """A text in the beam."""

    track: Track
    shown: str = ""
    """What the track has returned so far."""
    rank: float = 0.0
    """The log-probability of all its characters and of those that ended it, in nats."""

    def extend(self, new: int, log_p: float) -> "Candidate":
        """Return the candidate with one more id, of that log-probability."""
        track = self.track.copy()
        return Candidate(track, self.shown + track.take(new, log_p), self.rank + log_p)


@dataclass
class Beam:
    """The likeliest texts so far; the engine has a state for each live one."""

    engine: Engine
    rules: Rules
    width: int
    unread: np.ndarray
    """Ids [T, B] that the engine reads next."""
    live: list[Candidate]
    no_repeat: int = 0
    """No text has a sequence of so many ids twice, if it is not 0."""
    past: np.ndarray = field(default_factory=lambda: np.zeros((1, 0), np.int32))
    """All ids of the live texts, [B, N]."""
    done: list[Candidate] = field(default_factory=list)
    stuck: list[Candidate] = field(default_factory=list)
    """The last live texts, if the pattern stopped all of them and none is done."""

    def step(self) -> None:
        """Keep the likeliest texts among the done ones and all continuations of the others."""
        log_p = log_softmax(read_logits(self.engine, self.unread))[:, :-1]
        if self.rules.mask is not None:
            log_p = np.where(self.rules.mask, log_p, NEVER)
        if self.no_repeat:
            log_p = no_repeat(log_p, self.no_repeat, Past(recent=self.past))
        chosen = list(islice(self._continuations(log_p), self.width))
        extended = [self.live[row].extend(new, float(log_p[row, new])) for row, new in chosen]
        done = self.done + [each for each in extended if each.track.done]
        self.done = sort_by_rank(merge_equal_texts(done))[: self.width]
        self.stuck = [] if extended or self.done else self.live
        worst = self.done[-1].rank if len(self.done) == self.width else NEVER
        going = [
            (pair, each)
            for pair, each in zip(chosen, extended, strict=True)
            if not each.track.done and each.rank > worst
        ]
        self.live = [each for _, each in going]
        self.unread = np.array([[new for (_, new), _ in going]], np.int32)
        rows = np.array([row for (row, _), _ in going], int)
        self.past = np.concatenate([self.past[rows], self.unread.T], 1)
        self.engine.select(rows)

    def _continuations(self, log_p: np.ndarray) -> Iterator[tuple[int, int]]:
        """Yield row and id of the allowed continuations, the likeliest first.

        A text that matches the pattern and cannot go on is done.

        Args:
            log_p: [B, V], -inf where an id may not follow in any case.
        """
        ranks = np.array([[each.rank] for each in self.live])
        order = np.argsort(-(log_p + ranks), axis=None, kind="stable")
        places = (divmod(int(place), log_p.shape[1]) for place in order)
        possible = ((row, new) for row, new in places if log_p[row, new] > NEVER)
        if self.rules.matching is None:
            return possible
        tests = [self.rules.may_follow(each.track.drawn) for each in self.live]
        for candidate, test, row in zip(self.live, tests, log_p, strict=True):
            if candidate.track.complete:
                ids = np.argsort(-row, kind="stable").tolist()
                if not any(row[n] > NEVER and test(n) for n in ids):
                    self.done.append(candidate)
        return ((row, new) for row, new in possible if tests[row](new))


def beam_search(writing: Writing, prompt: str) -> list[Text]:
    """Return the `count` likeliest texts that a beam search finds, the likeliest first.

    At every position the `beam` likeliest continuations are kept. Temperature and filters have no
    effect; rules and ends have. A text's probability includes what ends it; equal texts that end
    in several ways are one. Where no text can match the setting `match`, the texts are incomplete.

    Raises:
        ConfigError: The candidates would take too much memory.
    """
    config = writing.format.config
    check_fit(config.beam, writing.text_bytes, {"beam": config.beam})
    writing.engine.start(1)
    ids = first_ids(writing.format.vocabulary, prompt, writing.format.backward)
    beam = Beam(
        writing.engine,
        writing.format.rules,
        config.beam,
        ids[:, None],
        [Candidate(Track(writing.format))],
        config.no_repeat,
        ids[None, 1:],
    )
    for _ in range(config.length):
        if not beam.live:
            break
        beam.step()
    for each in beam.stuck:
        each.track.stop_stuck()
    found = sorted(
        beam.done + beam.live + beam.stuck,
        key=lambda each: (not each.track.complete, -each.rank),
    )
    return [
        replace(each.track.text(each.shown + each.track.rest(), writing.seed), number=number)
        for number, each in enumerate(found[: config.count])
    ]


def sort_by_rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda each: -each.rank)


def merge_equal_texts(done: Iterable[Candidate]) -> list[Candidate]:
    """Return each text once, with the sum of its candidates' probabilities."""
    texts: dict[str, Candidate] = {}
    for new in sort_by_rank(done):
        old = texts.setdefault(new.shown, new)
        if old is not new:
            texts[new.shown] = replace(old, rank=float(np.logaddexp(old.rank, new.rank)))
    return list(texts.values())


@dataclass(frozen=True)
class Novelty:
    """How much of a text is copied."""

    longest: str
    """The longest part that is in the training text too."""
    copied_share: float
    """The share of the text's 20-grams that are; 0 for a shorter text."""


class TrainingText:
    """A run's text on disk, to find other texts in."""

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        self._vocabulary, self._dtype = corpus.vocabulary, np.dtype(corpus.info.dtype)
        self._train_end, self._length = corpus.info.train_end, corpus.info.length
        with (folder / IDS_FILE).open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def novelty(self, text: str, prompt: str = "", backward: bool = False) -> Novelty:
        """Compare a text, which follows the prompt or backward precedes it, with the training part.

        A copy counts if it has at least one character of the text itself.
        """
        vocabulary = self._vocabulary
        new, prompt_ids = (vocabulary.encode(vocabulary.from_user(each)) for each in (text, prompt))
        ids = np.concatenate([new, prompt_ids] if backward else [prompt_ids, new])
        begin = 0 if backward else len(prompt_ids)
        end = begin + len(new)
        start = length = 0
        for first in range(end):
            longer = max(length, begin - first) + 1
            while first + longer <= len(ids) and self._trained_on(ids[first : first + longer]):
                start, length = first, longer
                longer += 1
        grams = range(max(0, begin - GRAM + 1), min(end, len(ids) - GRAM + 1))
        copied = sum(self._trained_on(ids[n : n + GRAM]) for n in grams)
        longest = vocabulary.decode(ids[start : start + length])
        return Novelty(vocabulary.to_user(longest), copied / len(grams) if grams else 0.0)

    def has_lines(self, text: str) -> bool:
        """Whether a text is one whole line, or several, of any part of the corpus.

        Its characters are those of the vocabulary (see `Vocabulary.from_user`).
        """
        ids = self._vocabulary.encode(text)
        known = [end for end in LINE_ENDS if end in self._vocabulary.characters]
        ends = [self._vocabulary.encode(end) for end in ("", *known)]
        return any(self._is_between(left, ids, right) for left in ends for right in ends)

    def _is_between(self, left: np.ndarray, ids: np.ndarray, right: np.ndarray) -> bool:
        """Whether ids occur between two others; an empty one means that end of the corpus."""
        whole = np.concatenate([left, ids, right])
        first, last = 0, self._length
        if not len(left):
            last = len(whole)
        if not len(right):
            first = self._length - len(whole)
        return first >= 0 and last <= self._length and self._find(whole, first, last) >= 0

    def _trained_on(self, ids: np.ndarray) -> bool:
        return self._find(ids, 0, self._train_end) >= 0

    def _find(self, ids: np.ndarray, first: int, last: int) -> int:
        """Find ids between two places of the corpus; return the offset in bytes, or -1.

        The unknown symbol stands for many characters, and is found nowhere.
        """
        if self._vocabulary.unknown in ids:
            return -1
        needle, size = ids.astype(self._dtype).tobytes(), self._dtype.itemsize
        place = self._bytes.find(needle, first * size, last * size)
        while place % size and place >= 0:  # between two ids
            place = self._bytes.find(needle, place + 1, last * size)
        return place


def new_texts(writing: Writing, prompt: str, known: Sequence[TrainingText]) -> list[Text]:
    """Return the first `count` texts of the seed that differ and are in no training text.

    Texts are compared together with the prompt's part of their line, without the line breaks
    around them. An empty text is not new.

    Raises:
        ConfigError: Too few of 100 · `count` texts are new.
    """
    wanted, tried = writing.format.config.count, 0
    found: dict[str, Text] = {}
    while True:
        for text in best_of(writing):
            lines = whole_lines(writing, prompt, text.text)
            if lines and lines not in found and not any(each.has_lines(lines) for each in known):
                found[lines] = text
        tried += writing.format.config.count
        if len(found) == wanted:
            return list(found.values())
        if tried >= TRIES * wanted:
            raise ConfigError(
                f"only {len(found):,} of {tried:,} texts are new and differ",
                {"new": True},
                way_out="raise `temperature`, lower `count`, or write longer texts",
            )
        writing = writing.following(wanted - len(found)).begin(prompt)


def whole_lines(writing: Writing, prompt: str, text: str) -> str:
    """Return a text's lines, the prompt's part included, in the vocabulary's characters."""
    to_model = writing.format.vocabulary.from_user
    prompt, new = to_model(prompt), text if writing.format.raw else to_model(text)
    if writing.format.backward:
        return (new + prompt.partition("\n")[0]).strip(LINE_ENDS)
    return (prompt.rpartition("\n")[2] + new).strip(LINE_ENDS)
