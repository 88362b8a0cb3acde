"""The likeliest of many texts: found by drawing several, or by a beam search."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

import numpy as np

from charrnn.sampling.engines import Engine, check_fit, read_logits
from charrnn.sampling.filters import NEVER, log_softmax
from charrnn.sampling.rules import Rules
from charrnn.sampling.track import Text, Track
from charrnn.sampling.writing import Writing, first_ids


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
