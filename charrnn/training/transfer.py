"""Starting a new run from an old run's weights, on text whose characters may differ."""

import numpy as np

from charrnn.errors import ConfigError
from charrnn.network.weights import LOGITS_BIAS, LOGITS_KERNEL, character_axes
from charrnn.runs.checkpoints import Checkpoint
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import Tensors


def warm_start(old: Checkpoint, vocabulary: Vocabulary, fresh: Tensors) -> Tensors:
    """The old weights with a row for each character of the new vocabulary.

    A character that both know keeps its row, wherever it stood; the unknown symbol keeps
    its own; a new character takes the fresh row. The logits of another tool's model may lie
    anywhere, since only their differences count: there the fresh ones move to the others' mean.
    """
    if old.vocabulary.byte_level != vocabulary.byte_level:
        raise ConfigError(
            "one of the two models reads bytes, the other characters; give both the same `bytes`",
            {"init_from": None},
        )
    kept = shared_ids(old.vocabulary, vocabulary)
    weights = dict(old.weights)
    for name, axis in character_axes(old.config.model).items():
        start = fresh[name]
        if old.origin is not None and name in (LOGITS_KERNEL, LOGITS_BIAS):
            start = start + old.weights[name].mean(axis, keepdims=True)
        weights[name] = transplant(old.weights[name], start, kept, axis)
    return weights


def shared_ids(old: Vocabulary, new: Vocabulary) -> list[tuple[int, int]]:
    """Pairs (new id, old id) of the symbols that both know."""
    places = {character: place for place, character in enumerate(old.characters)}
    pairs = [
        (place, places[character])
        for place, character in enumerate(new.characters)
        if character in places
    ]
    return [*pairs, (new.unknown, old.unknown)]


def transplant(
    old: np.ndarray, fresh: np.ndarray, kept: list[tuple[int, int]], axis: int
) -> np.ndarray:
    """`fresh` with the kept entries along the axis taken from `old`."""
    grown = np.moveaxis(fresh.copy(), axis, 0)
    new_ids, old_ids = map(list, zip(*kept, strict=True))
    grown[new_ids] = np.moveaxis(old, axis, 0)[old_ids]
    return np.ascontiguousarray(np.moveaxis(grown, 0, axis))
