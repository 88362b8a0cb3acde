"""Is a text copied? What of it stands in the training text word for word."""

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.text.corpus import IDS_FILE, Corpus

GRAM = 20


@dataclass(frozen=True)
class Novelty:
    """How much of a text is copied."""

    longest: str
    """The longest stretch that stands in the training text."""
    copied_share: float
    """Share of the text's 20-grams that do; 0 for a shorter text."""


def novelty(text: str, corpus: Corpus, folder: Path) -> Novelty:
    """Compare a text with the training part of a run's corpus."""
    ids = corpus.vocabulary.encode(corpus.vocabulary.from_user(text))
    training = Haystack(folder / IDS_FILE, corpus)
    start, length = longest_copy(ids, training)
    grams = max(0, len(ids) - GRAM + 1)
    copied = sum(ids[n : n + GRAM] in training for n in range(grams))
    longest = corpus.vocabulary.decode(ids[start : start + length])
    return Novelty(corpus.vocabulary.to_user(longest), copied / grams if grams else 0.0)


class Haystack:
    """The training part's ids on disk, in which stretches are looked for."""

    def __init__(self, path: Path, corpus: Corpus) -> None:
        self._dtype = np.dtype(corpus.info.dtype)
        self._end = corpus.info.train_end * self._dtype.itemsize
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, ids: np.ndarray) -> bool:
        needle = ids.astype(self._dtype).tobytes()
        place = self._bytes.find(needle, 0, self._end)
        while place % self._dtype.itemsize and place >= 0:  # between two ids
            place = self._bytes.find(needle, place + 1, self._end)
        return place >= 0


def longest_copy(ids: np.ndarray, training: Haystack) -> tuple[int, int]:
    """Start and length of the longest stretch of ids that stands in the training text."""
    best_start = best = 0
    for start in range(len(ids)):
        while start + best < len(ids) and ids[start : start + best + 1] in training:
            best_start, best = start, best + 1
    return best_start, best
