"""Is a text new? What of it stands in the training text word for word."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.errors import ConfigError
from charrnn.sampling.search import best_of
from charrnn.sampling.track import Text
from charrnn.sampling.writing import Writing
from charrnn.text.corpus import IDS_FILE, Corpus

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
