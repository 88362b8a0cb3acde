"""The file of a text's state, from which the text is continued exactly."""

import json
from pathlib import Path

import numpy as np

from charrnn.checked_json import check_names
from charrnn.config.sampling import SEEDS
from charrnn.errors import CheckpointError, ConfigError
from charrnn.network.weights import FLOAT32, check_finite, check_layout
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
LAST_POSITION = 1 << 48
"""At a million characters a second, a text takes nine years to get there."""
IDS = ("unread", "recent")


def save_state(path: Path, writing: Writing, model: object) -> None:
    """Write the engine's state, the position in the noise, and the ids that are not read yet.

    `model` is plain data that identifies the model.

    Raises:
        ConfigError: Several texts may have ended at different places.
    """
    if writing.count > 1 and writing.format.config.ends:
        why = "the state of several texts can be kept only where nothing but their length ends them"
        raise ConfigError(why, {"count": writing.format.config.count})
    tensors = {"unread": writing.unread, "recent": writing.recent, **state_parts(writing)}
    facts = {"seed": writing.seed, "position": writing.position, "model": as_json(model)}
    write_output(path, pack_tensors(KEY, facts, tensors))


def stored_seed(path: Path) -> int:
    return int(read_state(path)[0]["seed"])


def restore_state(path: Path, writing: Writing, model: object) -> Writing:
    """Let the writing continue the text in the file."""
    facts, tensors = read_state(path)
    if facts["model"] != as_json(model):
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
    writing.engine.state = tuple(tensors[name] for name in state_parts(writing))
    writing.unread, writing.recent = tensors["unread"], tensors["recent"]
    writing.position = facts["position"]
    return writing


def check_tensors(tensors: Tensors, writing: Writing) -> None:
    """Raise ValueError unless the tensors fit a writing that has been started."""
    unread, recent, count = tensors["unread"], tensors["recent"], writing.count
    layout = {name: (tuple(part.shape), FLOAT32) for name, part in state_parts(writing).items()}
    layout["unread"] = (len(unread), count), id_type(unread)
    layout["recent"] = (count, recent.size // count), id_type(recent)
    check_layout(tensors, layout, "tensors")
    check_finite(tensors, "tensors")
    for name in IDS:
        ids = tensors[name]
        if ids.size and not 0 <= ids.min() <= ids.max() < writing.format.vocabulary.size:
            raise ValueError(f"an id in '{name}' is of no character")
    if not len(unread):
        raise ValueError("it has nothing left to read")


def id_type(ids: np.ndarray) -> np.dtype:
    """The type that ids must have; two are possible."""
    return ids.dtype if ids.dtype in (np.int32, np.int64) else np.dtype(np.int32)


def state_parts(writing: Writing) -> Tensors:
    """The engine's state by the names in the file."""
    return {f"state/{number}": part for number, part in enumerate(writing.engine.state)}


def as_json(data: object) -> object:
    """The data as JSON returns it: tuples become lists."""
    return json.loads(json.dumps(data))


def read_state(path: Path) -> tuple[dict, Tensors]:
    """Return the verified facts and tensors of a state file."""
    try:
        file = read_tensors(path, KEY)
        facts = file.description
        check_names(facts, (*FACTS, HEADER_SUM, TENSORS_SUM), "it")
        file.check_header()
        file.check_tensors()
        for name, limit in (("seed", SEEDS), ("position", LAST_POSITION)):
            value = facts[name]
            if type(value) is not int or not 0 <= value < limit:
                raise ValueError(f"its {name} is not a number that a text can have")
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


def damaged_state(path: Path, error: ValueError) -> CheckpointError:
    return CheckpointError(f"damaged state: {error}", where=path, way_out="save it again")
