"""Checkpoints: one safetensors file that describes itself. Data only, never code.

The header's metadata has one entry, `charrnn`: JSON with the format version, the
configuration, the vocabulary, the progress, when and by which version it was written, and a
checksum over all of it and every tensor.
Tensors are named `weights/…`, and in a `last` checkpoint also `optimizer/…` and `state/…`.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from charrnn.cells import CELLS
from charrnn.config import Config
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import write_atomically
from charrnn.network.weights import below
from charrnn.progress import Progress
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import Tensors
from charrnn.version import __version__

FORMAT = 2
"""1: without the parts of a batch, and with rollbacks under another name."""
KEY = "charrnn"
Description = dict[str, Any]
"""What a checkpoint says of itself, as JSON has it."""
Reader = Callable[[Path], tuple[Description, Tensors]]

READ_WHOLE = 1 << 24
"""A file up to this size, in bytes, is read and verified sooner than anyone notices."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that is needed to sample from it or to train it further."""

    config: Config
    vocabulary: Vocabulary
    progress: Progress
    tensors: Tensors
    checksum: int = 0
    """Of the file it was read from: tells one set of weights from another."""

    def part(self, prefix: str) -> Tensors:
        """The tensors below `prefix/`, named without it."""
        return below(self.tensors, prefix)

    @property
    def weights(self) -> Tensors:
        """The model's weights by name."""
        return self.part("weights")

    @property
    def parameters(self) -> int:
        """How many numbers the model has learnt."""
        return sum(weight.size for weight in self.weights.values())


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint so that at any moment the old file or the new one is there."""
    description = {
        "format": FORMAT,
        "config": checkpoint.config.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
        "progress": asdict(checkpoint.progress),
        "written": {"version": __version__, "at": now()},
    }
    description["checksum"] = checksum(description, checkpoint.tensors)
    tensors = {name: np.asarray(value, order="C") for name, value in checkpoint.tensors.items()}
    write_atomically(path, serialize(tensors, {KEY: json.dumps(description)}))


def now() -> str:
    """The time in UTC, as ISO 8601 writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify it; CheckpointError says what is wrong with it."""
    return build(path, read, verified=True)


def open_weights(path: Path) -> Checkpoint:
    """A checkpoint for its weights: those of a large file stay on disk until they are used.

    Such a file's description and size are checked, but not its checksum, which would read it
    all.
    """
    if path.stat().st_size <= READ_WHOLE:
        return load(path)
    return build(path, read_mapped, verified=False)


def build(path: Path, reader: Reader, *, verified: bool) -> Checkpoint:
    """The checkpoint in a file."""
    try:
        description, tensors = reader(path)
        check_format(path, description)
        stated = description.pop("checksum")
        if verified and stated != checksum(description, tensors):
            raise damaged(path, "its checksum does not match")
        check_cell(path, description)
        return Checkpoint(
            Config.from_json(description["config"]),
            Vocabulary.from_json(description["vocabulary"]),
            Progress.from_json(description["progress"]),
            tensors,
            stated,
        )
    except SafetensorError as error:
        raise damaged(path, str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise damaged(path, f"its description is incomplete: {error}") from error


def read(path: Path) -> tuple[Description, Tensors]:
    """The description and the tensors as they stand in the file."""
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        if KEY not in metadata:
            raise CheckpointError(
                "not a charrnn checkpoint", where=path, way_out="name a run or its folder"
            )
        return json.loads(metadata[KEY]), {
            name: file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118
        }


def read_mapped(path: Path) -> tuple[Description, Tensors]:
    """The same as `read`, with the weights alone, as views of the memory-mapped file."""
    with safe_open(path, "numpy") as file:  # checks the file's structure and size
        metadata = file.metadata() or {}
    if KEY not in metadata:
        return read(path)
    with path.open("rb") as opened:
        start = 8 + int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(start - 8))
    data = np.memmap(path, np.uint8, "r", offset=start)
    return json.loads(metadata[KEY]), {
        name: np.asarray(data[slice(*each["data_offsets"])].view(np.float32)).reshape(each["shape"])
        for name, each in header.items()
        if name.startswith("weights/") and each["dtype"] == "F32"
    }


def check_format(path: Path, description: Description) -> None:
    """Refuse a format newer than this version's."""
    if description["format"] > FORMAT:
        raise CheckpointError(
            f"format {description['format']}, written by a newer charrnn"
            f" (this one reads up to {FORMAT})",
            where=path,
            way_out="upgrade with: pip install --upgrade charrnn",
        )


def check_cell(path: Path, description: Description) -> None:
    """Refuse a network whose cell a user's own program or package would have to bring along."""
    name = description["config"]["model"]["cell"]
    if name not in CELLS:
        raise CheckpointError(
            f"its cell '{name}' is not known here",
            where=path,
            way_out="install the package or import the module that registers it",
        )


def damaged(path: Path, why: str) -> CheckpointError:
    """The error for a file cut short or altered."""
    return CheckpointError(
        f"damaged checkpoint: {why}",
        where=path,
        way_out="restore the file, or use the run's other one"
        " (`which best` or `which last`; to train further, `init_from`)",
    )


def checksum(description: Description, tensors: Mapping[str, np.ndarray]) -> int:
    """CRC-32 of the description (without its checksum) and of every tensor."""
    value = 0
    for piece in checked_bytes(description, tensors):
        value = zlib.crc32(piece, value)
    return value


def checked_bytes(description: Description, tensors: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    """What the checksum covers, in a fixed order."""
    yield json.dumps(description, sort_keys=True).encode()
    for name in sorted(tensors):
        yield f"{name} {tensors[name].dtype} {tensors[name].shape}".encode()
        yield np.asarray(tensors[name], order="C").tobytes()
