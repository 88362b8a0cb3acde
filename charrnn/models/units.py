"""The units of a network that follow something in a text which a person can see."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from charrnn.models.correlation import Block, correlations
from charrnn.models.features import read_features
from charrnn.sampling.engines import Engine
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import Tensors

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
    """What it follows, such as `inside quotes` (see `charrnn.models.features`)."""
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
