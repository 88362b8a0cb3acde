"""Interpretable units: those that follow a visible feature of a text."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from charrnn.sampling.engines import Engine
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import Tensors

Watch = Callable[[Iterable[int]], Iterable[int]]
"""Passes on the numbers of time steps, as tqdm does to show progress."""
Block = tuple[np.ndarray, np.ndarray]
"""Places in the text, int [T], and the values [T, S] of the units there."""
BRACKETS = dict(zip("([{（［｛【〔〈《", ")]}）］｝】〕〉》", strict=True))
QUOTES = dict(zip("“«「『", "”»」』", strict=True))
STRAIGHT = '"'
"""Opens and closes. The apostrophe is no quote here, since it stands within words too."""
PAIRS = BRACKETS | QUOTES
MIRRORED = str.maketrans(PAIRS | {closing: opening for opening, closing in PAIRS.items()})
LONGEST_POSITION = 80
"""The largest position in a line: a usual line's width."""
TAB = 4
"""Spaces that a tab counts for."""
SHIFTS = 20
"""How often the features are shifted along the text, to measure what chance alone would find."""
NEAREST = 100
"""The smallest shift in characters."""
FLAT = 1e-9
"""Values are constant if their variance is a smaller share of their mean square."""
WEAKEST = 0.4
"""With a smaller correlation, a unit mostly does something else."""
SHORTEST = 1000
"""In a text of fewer characters, too much is chance."""
STREAMS = 16
"""The text is read in this many places at once, which is faster."""
RUN_UP = 200
"""Each stream starts this many characters early, so that its state is settled."""
STEPS = 64
"""Time steps whose states are in memory together."""


class Following(NamedTuple):
    """A unit that follows a feature of a text."""

    state: str
    """The part of the state, named as in `LanguageModel.states`: `layers.1.h`."""
    unit: int
    """The unit's number, from 0."""
    feature: str
    """A name in `FEATURES`, such as `inside quotes`."""
    correlation: float
    """Pearson's r. Above 0 the unit rises with the feature, below 0 it falls."""


def inside_quotes(text: str) -> np.ndarray:
    """1 from an opening quote until before the closing one.

    Straight quotes open and close in turns, starting anew after each blank line.
    """
    inside, start = inside_pairs(text, QUOTES), 0
    for paragraph in text.split("\n\n"):
        places = [n for n, each in enumerate(paragraph, start) if each == STRAIGHT]
        for opening, closing in zip(places[::2], places[1::2], strict=False):
            inside[opening:closing] = 1
        start += len(paragraph) + 2
    return inside


def inside_brackets(text: str) -> np.ndarray:
    """1 from an opening bracket of any kind until before the closing one."""
    return inside_pairs(text, BRACKETS)


def inside_pairs(text: str, pairs: dict[str, str]) -> np.ndarray:
    """1 from an opening sign until before its closing one; 0 if it is never closed."""
    inside = np.zeros(len(text), np.float32)
    opened: dict[str, list[int]] = {closing: [] for closing in pairs.values()}
    for n, each in enumerate(text):
        if each in pairs:
            opened[pairs[each]].append(n)
        elif opened.get(each):
            inside[opened[each].pop() : n] = 1
    return inside


def position_in_line(text: str) -> np.ndarray:
    """The number of characters read in the line; 0 at its end."""
    return run_lengths(each != "\n" for each in text).clip(max=LONGEST_POSITION)


def position_in_word(text: str) -> np.ndarray:
    """The number of letters and combining marks read in the word; 0 between words."""
    return run_lengths(unicodedata.category(each)[0] in "LM" for each in text)


def run_lengths(values: Iterable[bool]) -> np.ndarray:
    """How often in a row the values have been true, up to each place."""
    lengths, length = [], 0
    for value in values:
        length = length + 1 if value else 0
        lengths.append(length)
    return np.array(lengths, np.float32)


def capital(text: str) -> np.ndarray:
    return np.array([each.isupper() for each in text], np.float32)


def digit(text: str) -> np.ndarray:
    return np.array([each.isdigit() for each in text], np.float32)


def indentation(text: str) -> np.ndarray:
    """The line's indentation in spaces, as far as the line has been read."""
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


FEATURES: dict[str, Callable[[str], np.ndarray]] = {
    "inside quotes": inside_quotes,
    "inside brackets": inside_brackets,
    "position in the line": position_in_line,
    "capital letters": capital,
    "digits": digit,
    "position in the word": position_in_word,
    "indentation": indentation,
}
"""Every feature by the name that is shown."""


def read_features(text: str, backward: bool = False) -> Tensors:
    """Return all features of a text of N characters by name, float32 [N] in the text's order.

    With `backward` positions count from the end of the line or the word.
    """
    if not backward:
        return {name: feature(text) for name, feature in FEATURES.items()}
    mirrored = read_features(text[::-1].translate(MIRRORED))
    return {name: values[::-1] for name, values in mirrored.items()}


def features_in_reading_order(vocabulary: Vocabulary, text: str, backward: bool) -> Tensors:
    """Return the features of each id of a text, in the order in which the network reads it.

    At byte level the bytes of a character share its features.
    """
    lengths = [len(vocabulary.from_user(each)) for each in text] if vocabulary.byte_level else 1
    order = slice(None, None, -1 if backward else None)
    features = read_features(text, backward)
    return {name: np.repeat(values, lengths)[order] for name, values in features.items()}


class Sums:
    """Sums over characters, from which the correlations of S units with K features follow."""

    def __init__(self) -> None:
        self.count = 0
        self.x = self.xx = self.f = self.ff = self.xf = np.zeros(())

    def add(self, values: np.ndarray, features: np.ndarray) -> None:
        """Add values [T, S] and features [T, K] of the same characters."""
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
        """Return Pearson's r [S, K]; 0 where a unit or a feature is constant."""
        together = self.xf / self.count - np.outer(self.x, self.f) / self.count**2
        spread = np.outer(self._deviation(self.x, self.xx), self._deviation(self.f, self.ff))
        return np.divide(together, spread, out=np.zeros_like(together), where=spread > 0)

    def _deviation(self, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Standard deviations; 0 where they are mere rounding errors."""
        variance = squares / self.count - (total / self.count) ** 2
        return np.sqrt(np.where(variance > FLAT * squares / self.count, variance, 0))


def correlations(blocks: Iterable[Block], features: np.ndarray) -> np.ndarray:
    """Return the correlations of units with features that are more than chance.

    A correlation counts if it has the same sign in both halves of the text, and if it is stronger
    than that of every unit with the same feature shifted along the text. A slow feature such as
    "inside quotes" correlates with many a slow unit by chance, but just as well when shifted.

    Args:
        blocks: The values of S units at N characters together.
        features: [N, K], of the same characters.

    Returns:
        r [S, K], the weakest of the whole text and its halves; 0 where it does not count.
    """
    first, second, shifted = Sums(), Sums(), Sums()
    shifts = np.random.default_rng(0).integers(NEAREST, len(features) - NEAREST, SHIFTS)
    shifted_features = np.concatenate([np.roll(features, shift, 0) for shift in shifts], 1)
    for places, values in blocks:
        late = places >= len(features) // 2
        for half, rows in ((first, ~late), (second, late)):
            half.add(values[rows], features[places[rows]])
        shifted.add(values, shifted_features[places])
    halves = first.correlations(), second.correlations()
    same_sign = np.sign(halves[0]) == np.sign(halves[1])
    r = (first + second).correlations()
    r = np.sign(r) * np.minimum.reduce([np.abs(each) for each in (r, *halves)])
    by_chance = np.abs(shifted.correlations()).reshape(len(r), -1, features.shape[1]).max((0, 1))
    return np.where(same_sign & (np.abs(r) > by_chance), r, 0)


def find_units(
    blocks: Iterable[Block], widths: dict[str, int], features: Tensors, most: int
) -> list[Following]:
    """Return the units that follow a feature, the strongest first.

    A unit is named once, with the feature that it follows most.

    Args:
        blocks: The states at N characters together, all parts side by side.
        widths: The number of units of each part of the state by name, S together.
        features: [N] each, by name.
        most: How many units to name for each feature.
    """
    r = correlations(blocks, np.stack(list(features.values()), 1))
    units = [(state, unit) for state, width in widths.items() for unit in range(width)]
    found = [
        Following(*unit, list(features)[place], float(row[place]))
        for unit, row, place in zip(units, r, np.abs(r).argmax(1), strict=True)
        if abs(row[place]) >= WEAKEST
    ]
    remaining = dict.fromkeys(features, most)
    strongest = []
    for each in sorted(found, key=lambda each: -abs(each.correlation)):
        if remaining[each.feature] > 0:
            remaining[each.feature] -= 1
            strongest.append(each)
    return strongest


def read_states(engine: Engine, ids: np.ndarray, watch: Watch = iter) -> Iterator[Block]:
    """Yield the states after each of ids int [N + 1] but the first, all parts side by side.

    `watch` passes on the numbers of the time steps.
    """
    engine.start(STREAMS)
    length = -((1 - len(ids)) // STREAMS)
    blocks: list[Block] = []
    for step in watch(range(-RUN_UP, length)):
        block = read_step(engine, ids, length, step)
        if step >= 0:
            blocks.append(block)
        if blocks and (len(blocks) == STEPS or step == length - 1):
            places, states = zip(*blocks, strict=True)
            yield np.concatenate(places), np.concatenate(states)
            blocks = []


def read_step(engine: Engine, ids: np.ndarray, length: int, step: int) -> Block:
    """Read one character of each stream of that length; return places and states after them."""
    places = np.arange(STREAMS) * length + step
    begun = (places >= 0)[:, None]  # the others wait at the zero state before the text
    engine.state = tuple(part * begun for part in engine.state)
    engine.read(ids[(places + 1).clip(0, len(ids) - 1)][None])
    inside = places < len(ids) - 1
    return places[inside], np.concatenate(engine.state, 1)[inside]
