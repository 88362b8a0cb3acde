"""What may be told of each character of a text, for a unit to follow.

Each feature is a function from a text of N characters to float32 [N]; entry n tells what is
known when character n has been read.
"""

import unicodedata
from collections.abc import Callable, Iterator

import numpy as np

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
