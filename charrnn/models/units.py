"""The units of a network that follow something in a text which a person can see."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from charrnn.sampling.engines import Engine
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import Tensors

BRACKETS = dict(zip("([{（［｛【〔〈《", ")]}）］｝】〕〉》", strict=True))
QUOTES = dict(zip("“«「『", "”»」』", strict=True))
STRAIGHT = '"'
"""The quote that opens and closes. The apostrophe is none: it is found within words too."""
MIRRORED = str.maketrans(
    {
        each: other
        for opening, closing in (BRACKETS | QUOTES).items()
        for each, other in ((opening, closing), (closing, opening))
    }
)
LONGEST_POSITION = 80
"""Positions in the line are counted up to here, a usual line's width; further on they stay."""
TAB = 4
"""A tab indents as far as so many spaces."""

Feature = Callable[[str], np.ndarray]


def read_features(text: str, backward: bool = False) -> dict[str, np.ndarray]:
    """All features of a text by name.

    Args:
        text: N characters.
        backward: Whether the text is read from its end. Positions then count from the end
            of the line or the word.

    Returns:
        Arrays float32 [N], in the order of the text either way.
    """
    if not backward:
        return {name: feature(text) for name, feature in FEATURES.items()}
    turned = read_features(text[::-1].translate(MIRRORED))
    return {name: values[::-1] for name, values in turned.items()}


def inside_quotes(text: str) -> np.ndarray:
    """1 from an opening quote until before the closing one.

    Straight quotes are told apart by turns, anew after each blank line.
    """
    inside = between(text, QUOTES)
    for paragraph, start in paragraphs(text):
        places = [n for n, each in enumerate(paragraph, start) if each == STRAIGHT]
        for opening, closing in zip(places[::2], places[1::2], strict=False):
            inside[opening:closing] = 1
    return inside


def inside_brackets(text: str) -> np.ndarray:
    """1 from an opening bracket of any kind until before the closing one."""
    return between(text, BRACKETS)


def between(text: str, pairs: dict[str, str]) -> np.ndarray:
    """1 from an opening sign until before its closing one; what is never closed counts nothing."""
    inside = np.zeros(len(text), np.float32)
    opened: dict[str, list[int]] = {closing: [] for closing in pairs.values()}
    for n, each in enumerate(text):
        if each in pairs:
            opened[pairs[each]].append(n)
        elif opened.get(each):
            inside[opened[each].pop() : n] = 1
    return inside


def paragraphs(text: str) -> Iterator[tuple[str, int]]:
    """The text's paragraphs, which blank lines part, and where each starts."""
    start = 0
    for paragraph in text.split("\n\n"):
        yield paragraph, start
        start += len(paragraph) + 2


def position_in_line(text: str) -> np.ndarray:
    """How many characters of the line have been read; 0 at the line's end."""
    return counted(each != "\n" for each in text).clip(max=LONGEST_POSITION)


def position_in_word(text: str) -> np.ndarray:
    """How many letters of the word have been read; 0 between words."""
    return counted(is_letter(each) for each in text)


def is_letter(character: str) -> bool:
    """Whether it is part of a word: a letter, or a mark that belongs to one."""
    return unicodedata.category(character)[0] in "LM"


def counted(of: Iterator[bool]) -> np.ndarray:
    """How often in a row it has been true, up to each place."""
    counts, count = [], 0
    for each in of:
        count = count + 1 if each else 0
        counts.append(count)
    return np.array(counts, np.float32)


def capital(text: str) -> np.ndarray:
    return np.array([each.isupper() for each in text], np.float32)


def digit(text: str) -> np.ndarray:
    return np.array([each.isdigit() for each in text], np.float32)


def indentation(text: str) -> np.ndarray:
    """How far the line is indented, as far as it has been read."""
    depths: list[int] = []
    depth, blank = 0, True
    for each in text:
        if each == "\n":
            depth, blank = 0, True
        elif blank and each in " \t":
            depth += TAB if each == "\t" else 1
        else:
            blank = False
        depths.append(depth)
    return np.array(depths, np.float32)


FEATURES: dict[str, Feature] = {
    "inside quotes": inside_quotes,
    "inside brackets": inside_brackets,
    "position in the line": position_in_line,
    "capital letters": capital,
    "digits": digit,
    "position in the word": position_in_word,
    "indentation": indentation,
}
"""Every feature by the name under which it is shown."""


SHIFTS = 20
"""How often the features are moved along the text, to see what chance alone would find."""
NEAREST = 100
"""A feature is moved by at least so many characters."""
Block = tuple[np.ndarray, np.ndarray]
"""Places in the text, int [T], and the values [T, S] of the units there."""
FLAT = 1e-9
"""Values whose variance is a smaller part of their mean square do not change at all."""


class Sums:
    """What the correlations of S units with K features need of the values read so far."""

    def __init__(self) -> None:
        self.count = 0
        self.x = self.xx = self.f = self.ff = self.xf = np.zeros(())

    def add(self, values: np.ndarray, features: np.ndarray) -> None:
        """Count in values [T, S] and features [T, K] of the same characters."""
        self.count += len(values)
        self.x = self.x + values.sum(0, dtype=float)
        self.xx = self.xx + np.square(values, dtype=float).sum(0)
        self.f = self.f + features.sum(0, dtype=float)
        self.ff = self.ff + np.square(features, dtype=float).sum(0)
        self.xf = self.xf + values.T @ features

    def __add__(self, other: "Sums") -> "Sums":
        both = Sums()
        for name, value in vars(self).items():
            setattr(both, name, value + vars(other)[name])
        return both

    def correlations(self) -> np.ndarray:
        """Pearson's r [S, K]; 0 where a unit or a feature does not change."""
        together = self.xf / self.count - np.outer(self.x, self.f) / self.count**2
        spread = np.outer(
            deviation(self.x, self.xx, self.count), deviation(self.f, self.ff, self.count)
        )
        return np.divide(together, spread, out=np.zeros_like(together), where=spread > 0)


def deviation(total: np.ndarray, squares: np.ndarray, count: int) -> np.ndarray:
    """Standard deviations from sums; 0 where rounding alone makes a difference."""
    variance = squares / count - (total / count) ** 2
    return np.sqrt(np.where(variance > FLAT * squares / count, variance, 0))


def correlations(blocks: Iterable[Block], features: np.ndarray) -> np.ndarray:
    """The correlations that hold, and are more than chance.

    A correlation counts if it has the same sign in both halves of the text, and if it is stronger
    than that of every unit with the same feature when the feature is moved along the text. What
    changes slowly, such as "inside quotes", goes along with many a slow unit by chance, and just as
    well when it has been moved.

    Args:
        blocks: The values of S units at N characters together.
        features: [N, K], of the same characters.

    Returns:
        r [S, K] over the whole text, or that of the half where it is weaker if that is less; 0
        where it does not count.
    """
    first, second, moved = Sums(), Sums(), Sums()
    shifted = moved_along(features)
    for places, values in blocks:
        late = places >= len(features) // 2
        for half, rows in ((first, ~late), (second, late)):
            half.add(values[rows], features[places[rows]])
        moved.add(values, shifted[places])
    halves = first.correlations(), second.correlations()
    holds = np.sign(halves[0]) == np.sign(halves[1])
    r = (first + second).correlations()
    r = np.sign(r) * np.minimum.reduce([np.abs(each) for each in (r, *halves)])
    by_chance = np.abs(moved.correlations()).reshape(len(r), -1, features.shape[1]).max((0, 1))
    return np.where(holds & (np.abs(r) > by_chance), r, 0)


def moved_along(features: np.ndarray) -> np.ndarray:
    """The features [N, K] moved round by several distances, side by side: [N, SHIFTS · K]."""
    distances = np.random.default_rng(0).integers(NEAREST, len(features) - NEAREST, SHIFTS)
    return np.concatenate([np.roll(features, each, 0) for each in distances], 1)


WEAKEST = 0.4
"""Correlations below are not worth looking at: the unit mostly does something else."""
SHORTEST = 1000
"""In texts of fewer characters too much is chance."""
STREAMS = 16
"""A text is read in so many places at once …"""
RUN_UP = 200
"""… and everywhere from so many characters before, so that the state is what it would be."""
STEPS = 64
"""Of so many time steps the states are in memory together."""


class Following(NamedTuple):
    """A unit that follows a feature of a text."""

    state: str
    """The part of the state, named as in `LanguageModel.states`: `layers.0.h`."""
    unit: int
    """The unit's number, from 0."""
    feature: str
    """What it follows, such as `inside quotes` (see `charrnn.models.units`)."""
    correlation: float
    """Pearson's, between -1 and 1: above 0 the unit rises with the feature, below 0 it falls."""


def units_that_follow(
    blocks: Iterable[Block], widths: dict[str, int], features: Tensors, most: int
) -> list[Following]:
    """The units worth looking at, the strongest first.

    A unit is named once, with the feature that it follows most.

    Args:
        blocks: The states at N characters together, all parts side by side.
        widths: The units of each part of the state by name, S together.
        features: What they may follow, [N] each, by name.
        most: How many units to name of one feature.
    """
    r = correlations(blocks, np.stack(list(features.values()), 1))
    owners = [(state, unit) for state, width in widths.items() for unit in range(width)]
    found = [
        Following(*owner, list(features)[place], float(row[place]))
        for owner, row, place in zip(owners, r, np.abs(r).argmax(1), strict=True)
        if abs(row[place]) >= WEAKEST
    ]
    found.sort(key=lambda each: -abs(each.correlation))
    return [each for each in found if each in alike(found, each.feature)[:most]]


def alike(found: list[Following], feature: str) -> list[Following]:
    """Those of the units that follow this feature, in the same order."""
    return [each for each in found if each.feature == feature]


def read_states(engine: Engine, ids: np.ndarray) -> Iterator[Block]:
    """The states after each character of ids int [N + 1] but the first, all parts side by side.

    The text is read in several places at once, which is faster.
    """
    engine.start(STREAMS)
    length = -((1 - len(ids)) // STREAMS)
    for step in range(-RUN_UP, 0):
        read_at(engine, ids, length, step)
    for start in range(0, length, STEPS):
        steps = range(start, min(start + STEPS, length))
        places, states = zip(*(read_at(engine, ids, length, step) for step in steps), strict=True)
        yield np.concatenate(places), np.concatenate(states)


def read_at(engine: Engine, ids: np.ndarray, length: int, step: int) -> Block:
    """Read the next character of each stretch of that length; the places and states after them."""
    places = np.arange(STREAMS) * length + step
    begun = (places >= 0)[:, None]  # the others wait at the zero state before the text
    engine.state = tuple(part * begun for part in engine.state)
    engine.read(ids[(places + 1).clip(0, len(ids) - 1)][None])
    there = places < len(ids) - 1
    return places[there], np.concatenate(engine.state, 1)[there]


def features_read(vocabulary: Vocabulary, text: str, backward: bool) -> Tensors:
    """The features of all that is read of a text, in the order in which it is read.

    At byte level the bytes of a character share its features.
    """
    lengths = [len(vocabulary.from_user(each)) for each in text] if vocabulary.byte_level else 1
    turn = slice(None, None, -1 if backward else None)
    features = read_features(text, backward)
    return {name: np.repeat(values, lengths)[turn] for name, values in features.items()}
