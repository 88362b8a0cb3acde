"""Where a text stopped, in a file, so that it can be continued exactly from there."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from charrnn.checked_json import check_names
from charrnn.errors import CheckpointError, ConfigError
from charrnn.network.weights import FLOAT32, Layout, check_finite, check_layout
from charrnn.runs.checkpoints import (
    HEADER_SUM,
    TENSORS_SUM,
    StrangerError,
    pack_tensors,
    read_tensors,
)
from charrnn.runs.outputs import write_output
from charrnn.sampling.writing import Writing
from charrnn.types import Tensors

KEY = "charrnn-text"
FACTS = ("seed", "position", "model")
SEEDS = 1 << 64
LAST_POSITION = 1 << 48
"""No text is as long: at a million characters a second it takes nine years."""
IDS = ("unread", "recent")


def save_state(path: Path, writing: Writing, model: object) -> None:
    """Write the engine's state, the place in the noise, and what is not yet read.

    `model` is plain data by which a model is known again. Several texts must have stopped at
    the same place, since the engine does not go on with one that ended before the others.
    """
    if writing.count > 1 and writing.format.config.ends:
        why = "the state of several texts can be kept only where nothing but their length ends them"
        raise ConfigError(why, {"count": writing.format.config.count})
    tensors = {
        "unread": writing.unread,
        "recent": writing.recent,
        **{f"state/{number}": part for number, part in enumerate(writing.engine.state)},
    }
    facts = {"seed": writing.seed, "position": writing.position, "model": plain(model)}
    write_output(path, pack_tensors(KEY, facts, tensors))


def stored_seed(path: Path) -> int:
    return int(read(path)[0]["seed"])


def restore_state(path: Path, writing: Writing, model: object) -> Writing:
    """Let the writing go on where the text in the file stopped."""
    facts, tensors = read(path)
    if facts["model"] != plain(model):
        raise CheckpointError(
            "saved from another model", where=path, way_out="name the run that wrote it"
        )
    count = tensors["unread"].shape[-1] if tensors["unread"].ndim else 0
    if count != writing.count:
        raise CheckpointError(
            f"the state of {count} texts", where=path, way_out="give the same `count`"
        )
    writing.engine.start(count)
    try:
        check_tensors(tensors, writing)
    except ValueError as error:
        raise damaged_state(path, error) from error
    writing.engine.state = tuple(tensors[name] for name in names_of(writing))
    writing.unread, writing.recent = tensors["unread"], tensors["recent"]
    writing.position = facts["position"]
    return writing


def check_tensors(tensors: Tensors, writing: Writing) -> None:
    """Raise ValueError unless the tensors are those of a writing that has been started."""
    check_layout(tensors, layout_of(writing, tensors), "tensors")
    check_finite(tensors, "tensors")
    for name in IDS:
        ids = tensors[name]
        if ids.size and not 0 <= ids.min() <= ids.max() < writing.format.vocabulary.size:
            raise ValueError(f"an id in '{name}' is of no character")
    if not len(tensors["unread"]):
        raise ValueError("it has nothing left to read")


def layout_of(writing: Writing, tensors: Tensors) -> Layout:
    """The tensors of a writing's state; how many ids there are is left to the file."""
    parts = zip(names_of(writing), writing.engine.state, strict=True)
    unread, recent, count = tensors["unread"], tensors["recent"], writing.count
    return {name: (tuple(part.shape), FLOAT32) for name, part in parts} | {
        "unread": ((len(unread), count), id_type(unread)),
        "recent": ((count, recent.size // count), id_type(recent)),
    }


def id_type(ids: np.ndarray) -> np.dtype:
    """The type that ids should have, where they may have two."""
    return ids.dtype if ids.dtype in (np.int32, np.int64) else np.dtype(np.int32)


def names_of(writing: Writing) -> Iterator[str]:
    """A name for each part of the engine's state."""
    return (f"state/{number}" for number in range(len(writing.engine.state)))


def plain(data: object) -> object:
    """The data as JSON brings it back."""
    return json.loads(json.dumps(data))


def read(path: Path) -> tuple[dict, Tensors]:
    """The facts and tensors of a state file, verified."""
    try:
        file = read_tensors(path, KEY)
        facts = file.description
        check_names(facts, (*FACTS, HEADER_SUM, TENSORS_SUM), "it")
        file.check_header()
        file.check_tensors()
        for name, limit in (("seed", SEEDS), ("position", LAST_POSITION)):
            facts[name] = number_below(limit, facts[name], name)
        for name in IDS:
            if name not in file.tensors:
                raise ValueError(f"it lacks '{name}'")
        return facts, file.tensors
    except StrangerError:
        raise CheckpointError(
            "not the saved state of a text",
            where=path,
            way_out="save one with `state_out` or save_state",
        ) from None
    except ValueError as error:
        raise damaged_state(path, error) from error


def number_below(limit: int, value: object, name: str) -> int:
    """A whole number from 0 to the limit, which it does not reach."""
    if type(value) is not int or not 0 <= value < limit:
        raise ValueError(f"its {name} is not a number that a text can have")
    return value


def damaged_state(path: Path, error: ValueError) -> CheckpointError:
    return CheckpointError(f"damaged state: {error}", where=path, way_out="save it again")
