"""Where a text stopped, in a file, so that it can be continued exactly from there."""

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from charrnn.errors import CheckpointError, ConfigError
from charrnn.outputs import write_output
from charrnn.sampling.writing import Writing

KEY = "charrnn-text"


def save_state(path: Path, writing: Writing, model: object) -> None:
    """Write the engine's state, the place in the noise, and what is not yet read.

    `model` is plain data by which a model is known again. Several texts must have stopped at
    the same place, since the engine does not go on with one that ended before the others.
    """
    if writing.count > 1 and writing.format.config.ends:
        why = "the state of several texts is kept where nothing but length ends them"
        raise ConfigError(why, {"count": writing.format.config.count})
    tensors = {
        "unread": writing.unread,
        "recent": writing.recent,
        **{f"state/{number}": part for number, part in enumerate(writing.engine.state)},
    }
    facts = {"seed": writing.seed, "position": writing.position, "model": plain(model)}
    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    write_output(path, serialize(arrays, {KEY: json.dumps(facts)}))


def stored_seed(path: Path) -> int:
    """The seed of the text in the file."""
    return int(read(path)[0]["seed"])


def restore_state(path: Path, writing: Writing, model: object) -> Writing:
    """Let the writing go on where the text in the file stopped."""
    facts, tensors = read(path)
    if facts["model"] != plain(model):
        raise CheckpointError(
            "the state of another model", where=path, way_out="name the run that wrote it"
        )
    count = tensors["unread"].shape[1]
    if count != writing.count:
        raise CheckpointError(
            f"the state of {count} texts", where=path, way_out="give the same `count`"
        )
    parts = (name for name in tensors if name.startswith("state/"))
    writing.engine.start(count)
    writing.engine.state = tuple(tensors[name] for name in sorted(parts, key=number_of))
    writing.unread, writing.recent = tensors["unread"], tensors["recent"]
    writing.position = facts["position"]
    return writing


def number_of(name: str) -> int:
    """The place of a part of the state."""
    return int(name.removeprefix("state/"))


def plain(data: object) -> object:
    """The data as JSON brings it back."""
    return json.loads(json.dumps(data))


def read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The facts and tensors of a state file."""
    try:
        with safe_open(path, "numpy") as file:
            facts = (file.metadata() or {}).get(KEY)
            if facts is None:
                raise CheckpointError(
                    "not a text's state",
                    where=path,
                    way_out="write one with `state_out`, or with save_state",
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads(facts)
            [facts[name] for name in ("seed", "position", "model")]
            [tensors[name] for name in ("unread", "recent")]
            return facts, tensors
    except (SafetensorError, KeyError, ValueError) as error:
        why = f"damaged state: {error}"
        raise CheckpointError(why, where=path, way_out="write it anew") from error
