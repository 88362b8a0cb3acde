"""A sampler's ids as text, piece by piece."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.sampling.noise import Noise
from charrnn.text.streams import directed
from charrnn.text.vocabulary import Vocabulary

PIECE = 64
FREE = -1
"""In `forced`: this id is to be drawn."""


class Sampler(Protocol):
    """Writes B texts at once; holds their state between calls."""

    def start(self, context: int) -> None:
        """Begin at the zero state, as if the character `context` stood before each text."""

    def write(self, forced: np.ndarray, noise: np.ndarray, temperature: float) -> np.ndarray:
        """The next ids int32 [B, N].

        `forced` int32 [B, N] holds ids that are given, and FREE where one is drawn with
        `noise`, float32 [B, N] in [0, 1).
        """


def write(
    sampler: Sampler,
    vocabulary: Vocabulary,
    prompt: str,
    config: SamplingConfig,
    seed: int,
    direction: str = "forward",
) -> Iterator[list[str]]:
    """Pieces of the texts as they come, one string for each text; the prompt is not repeated.

    A backward model writes what comes before the prompt, last character first: one piece,
    when all is written.
    """
    noise = Noise(seed, config.count)
    sampler.start(start_id(vocabulary))
    given = directed(vocabulary.encode(vocabulary.from_user(prompt)), direction)
    sampler.write(
        np.tile(given, (config.count, 1)), np.zeros((config.count, len(given))), config.temperature
    )
    pieces = write_ids(sampler, noise, config)
    if direction == "backward" and config.length:
        pieces = iter([np.concatenate([*pieces], axis=1)[:, ::-1]])
    decoders = [decoder(vocabulary) for _ in range(config.count)]
    left = config.length
    for ids in pieces:
        left -= ids.shape[1]
        yield [decode(row, left == 0) for decode, row in zip(decoders, ids, strict=True)]


def write_ids(sampler: Sampler, noise: Noise, config: SamplingConfig) -> Iterator[np.ndarray]:
    """New ids int32 [B, N], piece by piece, as many as the length says."""
    for start in range(0, config.length, PIECE):
        size = min(PIECE, config.length - start)
        forced = np.full((config.count, size), FREE, np.int32)
        yield sampler.write(forced, noise.next(size), config.temperature)


def start_id(vocabulary: Vocabulary) -> int:
    """What a text is taken to follow: a line's end where the corpus has lines."""
    return max(vocabulary.characters.find("\n"), 0)


def decoder(vocabulary: Vocabulary) -> Callable[[Iterable[int], bool], str]:
    """A function from ids and whether they are the last, to text.

    At byte level UTF-8 is put together across pieces; what is not valid shows as U+FFFD.
    """
    if not vocabulary.byte_level:
        return lambda ids, last: vocabulary.decode(ids)
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    return lambda ids, last: utf8.decode(vocabulary.decode(ids).encode("latin-1"), last)


def join(pieces: Iterable[list[str]], count: int) -> list[str]:
    """The whole texts."""
    texts = [""] * count
    for piece in pieces:
        texts = [text + more for text, more in zip(texts, piece, strict=True)]
    return texts
