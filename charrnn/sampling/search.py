"""Which of many texts is kept: the likeliest, or one that is not in the training text."""

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from charrnn.errors import ConfigError
from charrnn.sampling.engines import Engine, check_fit, read_logits
from charrnn.sampling.filters import NEVER, log_softmax
from charrnn.sampling.rules import Rules
from charrnn.sampling.track import Text, Track
from charrnn.sampling.writing import Writing, first_ids
from charrnn.text.corpus import IDS_FILE, Corpus


def best_of(writing: Writing) -> Iterator[Text]:
    """Of every `best_of` texts in a row the one whose characters are likeliest on average.

    What ends a text and is not shown, as a stop string, counts like its characters.
    """
    size = writing.format.config.best_of
    for _, texts in groupby(writing.each(), lambda text: text.number // size):
        yield max(texts, key=lambda text: (text.complete, text.rank_per_char))


@dataclass(frozen=True)
class Candidate:
    """A text in the beam: its track, and what that has given out so far."""

    track: Track
    shown: str = ""
    rank: float = 0.0
    """The log-probability of all its characters, those that ended it among them, in nats."""

    def grown(self, new: int, log_p: float) -> "Candidate":
        """The candidate with one more id, of that log-probability."""
        track = self.track.copy()
        return Candidate(track, self.shown + track.take(new, log_p), self.rank + log_p)

    def text(self, seed: int, number: int) -> Text:
        """The finished text; the candidate cannot grow after that."""
        return replace(self.track.text(self.shown + self.track.rest(), seed), number=number)


@dataclass
class Beam:
    """The likeliest texts so far; the engine holds a state for each that is not done."""

    engine: Engine
    rules: Rules
    width: int
    unread: np.ndarray
    """Ids [T, B] to read before the next characters are known."""
    live: list[Candidate]
    done: list[Candidate] = field(default_factory=list)
    stuck: list[Candidate] = field(default_factory=list)
    """Where the pattern lets none go on and none is done: the texts that have come furthest."""

    def grow(self) -> None:
        """Keep the likeliest texts among the done ones and all continuations of the others."""
        log_p = self._log_p()
        chosen = self._choose(log_p)
        grown = [self.live[row].grown(new, float(log_p[row, new])) for row, new in chosen]
        self.done = merged(self.done + [each for each in grown if each.track.done])
        self.done = likeliest(self.done)[: self.width]
        self.stuck = [] if grown or self.done else self.live
        worst = self.done[-1].rank if len(self.done) == self.width else NEVER
        going = [
            (pair, each)
            for pair, each in zip(chosen, grown, strict=True)
            if not each.track.done and each.rank > worst
        ]
        self.live = [each for _, each in going]
        self.unread = np.array([[new for (_, new), _ in going]], np.int32)
        self.engine.select(np.array([row for (row, _), _ in going], int))

    def _log_p(self) -> np.ndarray:
        log_p = log_softmax(read_logits(self.engine, self.unread))[:, :-1]
        return log_p if self.rules.mask is None else np.where(self.rules.mask, log_p, NEVER)

    def _choose(self, log_p: np.ndarray) -> list[tuple[int, int]]:
        """Row and id of the likeliest continuations that the pattern lets be."""
        ranks = np.array([[each.rank] for each in self.live])
        order = np.argsort(-(log_p + ranks), axis=None, kind="stable")
        if self.rules.matching is None:
            return list(islice(possible(order, log_p), self.width))
        tests = [self.rules.leads_on(each.track.drawn) for each in self.live]
        self.done += finished(self.live, tests, log_p)
        leading = ((row, new) for row, new in possible(order, log_p) if tests[row](new))
        return list(islice(leading, self.width))


def possible(order: np.ndarray, log_p: np.ndarray) -> Iterator[tuple[int, int]]:
    """Row and id of places in log-probabilities [B, V], but for those of -inf."""
    for place in order:
        row, new = divmod(int(place), log_p.shape[1])
        if log_p[row, new] > NEVER:
            yield row, new


def finished(
    live: list[Candidate], tests: list[Callable[[int], bool]], log_p: np.ndarray
) -> list[Candidate]:
    """The candidates that match the pattern as they stand and cannot go on.

    Args:
        live: B candidates.
        tests: For each a function that tells whether an id may follow.
        log_p: [B, V], -inf where an id may not follow in any case.
    """
    complete = [row for row, each in enumerate(live) if each.track.complete]
    ids = {row: np.argsort(-log_p[row], kind="stable").tolist() for row in complete}
    going = {
        row for row in complete if any(log_p[row, n] > NEVER and tests[row](n) for n in ids[row])
    }
    return [live[row] for row in complete if row not in going]


def beam_search(writing: Writing, prompt: str) -> list[Text]:
    """The `count` likeliest texts that a beam search finds, the likeliest first.

    At every place the `beam` likeliest continuations are kept. Neither chance nor temperature
    is in it; the rules and ends of the writing's settings hold. A text is as likely as all its
    characters together with what ends it; equal texts that end in several ways are one. Where
    the setting `match` cannot be fulfilled, what comes of it is incomplete.

    Raises:
        ConfigError: So many candidates would take too much memory.
    """
    config = writing.format.config
    check_fit(config.beam, writing.text_bytes, {"beam": config.beam})
    writing.engine.start(1)
    beam = Beam(
        writing.engine,
        writing.format.rules,
        config.beam,
        first_ids(writing.format.vocabulary, prompt, writing.format.backward)[:, None],
        [Candidate(Track(writing.format))],
    )
    for _ in range(config.length):
        if not beam.live:
            break
        beam.grow()
    for each in beam.stuck:
        each.track.stop_stuck()
    found = sorted(
        beam.done + beam.live + beam.stuck,
        key=lambda each: (not each.track.complete, -each.rank),
    )
    return [each.text(writing.seed, number) for number, each in enumerate(found[: config.count])]


def likeliest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates in the order of their probability."""
    return sorted(candidates, key=lambda each: -each.rank)


def merged(done: Iterable[Candidate]) -> list[Candidate]:
    """The candidates with each text once, as likely as all that ends it together."""
    texts: dict[str, Candidate] = {}
    for new in likeliest(done):
        old = texts.setdefault(new.shown, new)
        if old is not new:
            texts[new.shown] = replace(old, rank=float(np.logaddexp(old.rank, new.rank)))
    return list(texts.values())


GRAM = 20
TRIES = 100
"""How many texts are written for each new one that is asked for, at most."""
LINE_ENDS = "\n\r"


@dataclass(frozen=True)
class Novelty:
    """How much of a text is copied."""

    longest: str
    """The longest stretch that stands in the training text."""
    copied_share: float
    """Share of the text's 20-grams that do; 0 for a shorter text."""


class TrainingText:
    """A run's text on disk, in which other texts are looked for.

    Args:
        corpus: The run's corpus.
        folder: The run's folder.
    """

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        self._vocabulary, self._dtype = corpus.vocabulary, np.dtype(corpus.info.dtype)
        self._train_end, self._length = corpus.info.train_end, corpus.info.length
        with (folder / IDS_FILE).open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def novelty(self, text: str, prompt: str = "", backward: bool = False) -> Novelty:
        """Compare a text, written after the prompt or backward before it, with the training part.

        What is copied counts if it has at least one character of the text itself.
        """
        new, given = (self._ids(each) for each in (text, prompt))
        ids = np.concatenate([new, given] if backward else [given, new])
        begin = 0 if backward else len(given)
        end = begin + len(new)
        start, length = self._longest_copy(ids, begin, end)
        grams = range(max(0, begin - GRAM + 1), min(end, len(ids) - GRAM + 1))
        copied = sum(self._trained_on(ids[n : n + GRAM]) for n in grams)
        longest = self._vocabulary.decode(ids[start : start + length])
        share = copied / len(grams) if len(grams) else 0.0
        return Novelty(self._vocabulary.to_user(longest), share)

    def has_lines(self, text: str) -> bool:
        """Whether one line or several stand in any part of the corpus, whole.

        `text` has the characters of the vocabulary (see `Vocabulary.from_user`).
        """
        ids = self._vocabulary.encode(text)
        known = [end for end in LINE_ENDS if end in self._vocabulary.characters]
        ends = [self._vocabulary.encode(end) for end in ("", *known)]
        return any(self._stands(left, ids, right) for left in ends for right in ends)

    def _stands(self, left: np.ndarray, ids: np.ndarray, right: np.ndarray) -> bool:
        """Whether ids stand between two others; where one is empty, at that end of the corpus."""
        whole = np.concatenate([left, ids, right])
        first, last = 0, self._length
        if not len(left):
            last = len(whole)
        if not len(right):
            first = self._length - len(whole)
        return first >= 0 and last <= self._length and self._find(whole, first, last) >= 0

    def _trained_on(self, ids: np.ndarray) -> bool:
        """Whether ids stand in the training part."""
        return self._find(ids, 0, self._train_end) >= 0

    def _find(self, ids: np.ndarray, first: int, last: int) -> int:
        """Where in the bytes ids stand first, between two places of the corpus; -1: nowhere."""
        needle, size = ids.astype(self._dtype).tobytes(), self._dtype.itemsize
        place = self._bytes.find(needle, first * size, last * size)
        while place % size and place >= 0:  # between two ids
            place = self._bytes.find(needle, place + 1, last * size)
        return place

    def _longest_copy(self, ids: np.ndarray, begin: int, end: int) -> tuple[int, int]:
        """Start and length of the longest copied stretch with a place from `begin` up to `end`."""
        best_start = best = 0
        for start in range(end):
            length = max(best, begin - start) + 1
            while start + length <= len(ids) and self._trained_on(ids[start : start + length]):
                best_start, best = start, length
                length += 1
        return best_start, best

    def _ids(self, text: str) -> np.ndarray:
        return self._vocabulary.encode(self._vocabulary.from_user(text))


def new_texts(writing: Writing, prompt: str, known: Sequence[TrainingText]) -> list[Text]:
    """The first `count` texts of the seed that no training text has and that differ.

    A text is compared with what the prompt has on its line, and without the breaks around it.
    An empty one is not new.

    Raises:
        ConfigError: Too few of 100 · `count` texts are new.
    """
    wanted, tried = writing.format.config.count, 0
    found: dict[str, Text] = {}
    while True:
        for text in best_of(writing):
            lines = on_lines(writing, prompt, text.text)
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


def on_lines(writing: Writing, prompt: str, text: str) -> str:
    """The lines that a text is on, without breaks around them, in the vocabulary's characters."""
    form = writing.format
    given = form.vocabulary.from_user(prompt)
    new = text if form.raw else form.vocabulary.from_user(text)
    whole = new + given.partition("\n")[0] if form.backward else given.rpartition("\n")[2] + new
    return whole.strip(LINE_ENDS)
