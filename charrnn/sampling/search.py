"""The likeliest of many texts: found by drawing several, or by a beam search."""

from dataclasses import dataclass, field, replace

import numpy as np

from charrnn.sampling.constraints import Rules
from charrnn.sampling.engines import Engine, read_logits
from charrnn.sampling.filters import NEVER, log_softmax
from charrnn.sampling.track import Text, Track
from charrnn.sampling.writing import Writing, first_ids


def best_of(writing: Writing) -> list[Text]:
    """Of every `best_of` texts in a row the one whose characters are likeliest on average."""
    texts, size = writing.texts(), writing.format.config.best_of
    groups = [texts[start : start + size] for start in range(0, len(texts), size)]
    rank = lambda text: (text.complete, text.log_probability_per_char)  # noqa: E731
    return [max(group, key=rank) for group in groups]


@dataclass(frozen=True)
class Candidate:
    """A text in the beam: its track, and what that has given out so far."""

    track: Track
    shown: str = ""

    def grown(self, new: int, log_p: float) -> "Candidate":
        """The candidate with one more id, of that log-probability."""
        track = self.track.copy()
        return Candidate(track, self.shown + track.take(new, log_p))

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

    def grow(self) -> None:
        """Keep the likeliest texts among the done ones and all continuations of the others."""
        log_p = self._log_p()
        stuck = np.flatnonzero((log_p == NEVER).all(-1))
        self.done += [self.live[row] for row in stuck if self.live[row].track.complete]
        totals = log_p + np.array([[each.track.log_probability] for each in self.live])
        order = np.argsort(-totals, axis=None, kind="stable")[: self.width]
        chosen = [(place // log_p.shape[1], place % log_p.shape[1]) for place in order]
        chosen = [(row, new) for row, new in chosen if log_p[row, new] > NEVER]
        grown = [self.live[row].grown(int(new), float(log_p[row, new])) for row, new in chosen]
        self.done = likeliest(self.done + [each for each in grown if each.track.done])
        self.done = self.done[: self.width]
        worst = self.done[-1].track.log_probability if len(self.done) == self.width else NEVER
        going = [
            (pair, each)
            for pair, each in zip(chosen, grown, strict=True)
            if not each.track.done and each.track.log_probability > worst
        ]
        self.live = [each for _, each in going]
        self.unread = np.array([[new for (_, new), _ in going]], np.int32)
        self.engine.select(np.array([row for (row, _), _ in going], int))

    def _log_p(self) -> np.ndarray:
        log_p = log_softmax(read_logits(self.engine, self.unread))[:, :-1]
        allowed = self.rules([each.track.drawn for each in self.live])
        return log_p if allowed is None else np.where(allowed, log_p, NEVER)


def beam_search(writing: Writing, prompt: str) -> list[Text]:
    """The `count` likeliest texts that a beam search finds, the likeliest first.

    At every place the `beam` likeliest continuations are kept. Neither chance nor temperature
    is in it; the rules and ends of the writing's settings hold. Where the setting `match` cannot be
    fulfilled, what comes of it is empty or incomplete.
    """
    config = writing.format.config
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
    found = sorted(
        beam.done + beam.live,
        key=lambda each: (not each.track.complete, -each.track.log_probability),
    )
    return [each.text(writing.seed, number) for number, each in enumerate(found[: config.count])]


def likeliest(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates in the order of their probability."""
    return sorted(candidates, key=lambda each: -each.track.log_probability)
