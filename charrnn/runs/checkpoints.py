"""Checkpoints: one safetensors file that describes itself. Data only, never code.

The header's metadata has one entry, `charrnn`: JSON with the format version, the configuration, the
vocabulary, the progress, when and by which version it was written, where the model comes from if
another tool has trained it, and the checksums (see `charrnn.runs.checkpoints`).
Tensors are named `weights/…`, and in a `last` checkpoint also `optimizer/…` and `state/…`.

What is verified when: the description always, and so are names, shapes and types of the
tensors, held against the configuration; the numbers themselves (that none was altered, and
that all are finite) wherever they are read anyway. That is, always but where the weights of
a large file stay on disk to sample from.
"""

import json
import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from charrnn import __version__
from charrnn.cells import CELLS
from charrnn.checked_json import (
    check_names,
    check_object,
    check_type,
    from_object,
    parse,
    quote_name,
)
from charrnn.config import Config
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import write_atomically
from charrnn.network.weights import (
    Layout,
    check_finite,
    check_layout,
    state_layout,
    strip_prefix,
    weights_layout,
)
from charrnn.runs.progress import Progress
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import Tensors

HEADER_SUM, TENSORS_SUM = "header_crc32", "tensors_crc32"
HEADER_BLANK, TENSORS_BLANK = b"--------", b"========"
LENGTH = 8
"""Bytes before the header, which tell its length."""
DTYPES = {"BOOL": np.dtype(bool)} | {
    f"{letter}{bits}": np.dtype(f"<{letter.lower()}{bits // 8}")
    for letter, sizes in (("U", (8, 16, 32, 64)), ("I", (8, 16, 32, 64)), ("F", (16, 32, 64)))
    for bits in sizes
}
"""Types of tensors by the names that safetensors gives them."""
LONGEST_HEADER = 1 << 24
"""Bytes; every character of Unicode fits. A longer one is a stranger's, and is not read."""
MOST_TENSORS = 1 << 15
"""A checkpoint has a few dozen."""
FORMAT = 1
KEY = "charrnn"
PARTS = ("weights", "optimizer", "state")
CONTENTS = ("format", "written", "config", "vocabulary", "progress", "origin")
READ_WHOLE = 1 << 24
"""A file up to this size, in bytes, is read and verified sooner than anyone notices."""


class StrangerError(ValueError):
    """A safetensors file without our entry."""


@dataclass(frozen=True)
class TensorFile:
    """A file's contents. The tensors are views of its data."""

    description: dict[str, object]
    tensors: Tensors
    header: bytes
    data: np.ndarray
    """All bytes after the header, uint8."""

    def check_header(self) -> None:
        """Raise ValueError where the header, and so the description, was altered."""
        stated = stated_sum(self.description, HEADER_SUM)
        header = self.header.replace(stated.encode(), HEADER_BLANK, 1)
        if stated != digits(header):
            raise ValueError("its description does not match its checksum")

    def check_tensors(self) -> None:
        """Raise ValueError where a tensor was altered; this reads them all."""
        if stated_sum(self.description, TENSORS_SUM) != digits(self.data.data):
            raise ValueError("its tensors do not match their checksum")


def pack_tensors(key: str, description: Mapping[str, object], tensors: Tensors) -> bytes:
    """The whole file, with its checksums."""
    sums = {HEADER_SUM: HEADER_BLANK.decode(), TENSORS_SUM: TENSORS_BLANK.decode()}
    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    plain = serialize(arrays, {key: json.dumps({**sums, **description})})
    start = header_end(plain)
    header, data = plain[LENGTH:start], memoryview(plain)[start:]
    header = header.replace(TENSORS_BLANK, digits(data).encode(), 1)
    header = header.replace(HEADER_BLANK, digits(header).encode(), 1)
    return b"".join((plain[:LENGTH], header, data))


def read_tensors(path: Path, key: str, *, mapped: bool = False) -> TensorFile:
    """A file's contents; ValueError where it is cut short or is not laid out as it says.

    Args:
        path: The file.
        key: The name of our entry in its metadata.
        mapped: Leave the tensors on disk until they are used.

    Raises:
        StrangerError: The file is sound, but without our entry.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")  # one would wait for a pipe for ever
    with path.open("rb") as file:
        start = header_end(file.read(LENGTH))
        if file.read(1) not in (b"{", b""):
            raise StrangerError("another kind of file")
        file.seek(LENGTH)
        if start > LONGEST_HEADER:
            raise ValueError(f"its header promises {start:,} bytes, more than any checkpoint's has")
        try:
            with safe_open(path, framework="numpy") as checked:
                metadata = checked.metadata() or {}
        except SafetensorError as error:
            raise ValueError(f"it is cut short or altered ({quote_name(str(error))})") from None
        if not os.path.samestat(os.fstat(file.fileno()), path.stat()):  # training has replaced it
            return read_tensors(path, key, mapped=mapped)
        header = file.read(start - LENGTH)
        layout = json.loads(header)
        layout.pop("__metadata__", None)
        if len(layout) > MOST_TENSORS:
            raise ValueError(f"it has {len(layout):,} tensors, more than any checkpoint")
        data = np.memmap(file, np.uint8, "r", offset=start) if mapped else read_rest(file)
    if key not in metadata:
        raise StrangerError("another kind of file")
    tensors = {}
    for name, entry in layout.items():
        if entry["dtype"] not in DTYPES:
            raise ValueError(
                f"{quote_name(name)} is of an unknown type, {quote_name(entry['dtype'])}"
            )
        part = data[slice(*entry["data_offsets"])].view(DTYPES[entry["dtype"]])
        tensors[name] = np.asarray(part).reshape(entry["shape"])
    return TensorFile(check_object(parse(metadata[key]), "the description"), tensors, header, data)


def read_rest(file: BinaryIO) -> np.ndarray:
    """What is left of a file, in memory."""
    return np.fromfile(file, np.uint8)


def header_end(data: bytes) -> int:
    return LENGTH + int.from_bytes(data[:LENGTH], "little")


def stated_sum(description: Mapping[str, object], name: str) -> str:
    return str(check_type(str, description.get(name), name))


def digits(data: bytes | memoryview) -> str:
    """CRC-32 of the bytes, as eight hexadecimal digits."""
    return f"{zlib.crc32(data):08x}"


@dataclass(frozen=True)
class Origin:
    """Where a model came from that another tool trained."""

    tool: str
    file: str
    """The name of the file, or of the first of several."""
    sha256: str
    """Of all of its files, one after the other."""
    assumed: tuple[str, ...]
    """What was taken for granted where the files do not tell, a few words each."""

    @classmethod
    def of(cls, description: Mapping[str, object]) -> "Origin | None":
        """What a description says of it; ValueError where it cannot be."""
        origin = description["origin"]
        return None if origin is None else from_object(cls, origin, "origin")


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that is needed to sample from it or to train it further."""

    config: Config
    vocabulary: Vocabulary
    progress: Progress
    tensors: Tensors
    checksum: int = 0
    """Of the file it was read from: tells one set of weights from another."""
    origin: Origin | None = None
    """None for what charrnn has trained itself."""

    def part(self, prefix: str) -> Tensors:
        """The tensors below `prefix/`, named without it."""
        return strip_prefix(self.tensors, prefix)

    @property
    def weights(self) -> Tensors:
        return self.part("weights")

    @property
    def weights_alone(self) -> bool:
        """Whether there is neither an optimizer nor a state to resume with, as in `best`."""
        return not self.part("optimizer") and not self.part("state")

    @property
    def parameters(self) -> int:
        return sum(weight.size for weight in self.weights.values())


@dataclass(frozen=True)
class Written:
    """By which version of charrnn a checkpoint was written, and when, in UTC."""

    version: str
    at: str
    """As ISO 8601 writes it."""

    @classmethod
    def of(cls, description: Mapping[str, object]) -> "Written":
        """What a description says of it; ValueError where it cannot be."""
        written = from_object(cls, description["written"], "written")
        datetime.fromisoformat(written.at)
        return written


def save(path: Path, checkpoint: Checkpoint) -> None:
    write_atomically(path, pack(checkpoint))


def pack(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as a file has it."""
    description = {
        "format": FORMAT,
        "config": checkpoint.config.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
        "progress": asdict(checkpoint.progress),
        "written": asdict(Written(__version__, now())),
        "origin": None if checkpoint.origin is None else asdict(checkpoint.origin),
    }
    return pack_tensors(KEY, description, checkpoint.tensors)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify all of it; CheckpointError says what is wrong with it."""
    return build(path, mapped=False)


def open_weights(path: Path) -> Checkpoint:
    """A checkpoint for its weights: those of a large file stay on disk until they are used.

    Of such a file all is verified but the numbers of its tensors, which would read it all.
    """
    return build(path, mapped=path.stat().st_size > READ_WHOLE)


def build(path: Path, *, mapped: bool) -> Checkpoint:
    """The checkpoint in a file, its tensors read or left on disk."""
    try:
        file = read_tensors(path, KEY, mapped=mapped)
        check_format(path, file.description)
        verify(file, numbers=not mapped)
        check_cell(path, file.description)
        checkpoint = decode(file)
        check_tensors(checkpoint, numbers=not mapped)
    except StrangerError:
        raise foreign_file_error(path) from None
    except ConfigError as error:
        raise damaged_checkpoint(path, f"its setting '{error.setting}' {error.why}") from error
    except ValueError as error:
        raise damaged_checkpoint(path, str(error)) from error
    return checkpoint


def check_format(path: Path, description: Mapping[str, object]) -> None:
    """Raise CheckpointError for a format that is newer than this charrnn's."""
    version: int = check_type(int, description.get("format"), "format")
    if version > FORMAT:
        raise CheckpointError(
            f"format {version}, written by a newer charrnn (this one reads up to {FORMAT})",
            where=path,
            way_out="upgrade charrnn: pip install . in a newer copy of its folder",
        )
    if version != FORMAT:
        raise ValueError(f"there is no format {version}")


def check_cell(path: Path, description: Mapping[str, object]) -> None:
    """Refuse a network whose cell a user's own program or package would have to bring along."""
    model = check_object(check_object(description["config"], "config").get("model"), "config.model")
    name = check_type(str, model.get("cell"), "config.model.cell")
    if name not in CELLS:
        raise CheckpointError(
            f"its cell {quote_name(name)} is not known",
            where=path,
            way_out="install the package, or import the module, that registers it",
        )


def verify(file: TensorFile, *, numbers: bool) -> None:
    """Raise ValueError where something was altered; with `numbers`, in the tensors too."""
    check_names(file.description, (HEADER_SUM, TENSORS_SUM, *CONTENTS), "the description")
    file.check_header()
    Written.of(file.description)
    if numbers:
        file.check_tensors()


def decode(file: TensorFile) -> Checkpoint:
    """The checkpoint that a file describes; ValueError or ConfigError where it cannot be."""
    description = file.description
    return Checkpoint(
        Config.from_json(description["config"]),
        Vocabulary.from_json(description["vocabulary"]),
        Progress.from_json(description["progress"]),
        file.tensors,
        int(str(description[HEADER_SUM]), 16),
        Origin.of(description),
    )


def check_tensors(checkpoint: Checkpoint, *, numbers: bool) -> None:
    """Raise ValueError unless the tensors are those that the configuration asks for.

    Only the optimizer is left to who has it: see `check_optimizer`. With `numbers` all of them
    have to be finite, too; but not the state at the end of an epoch, which is dropped there.
    """
    config, weights, state = checkpoint.config, checkpoint.weights, checkpoint.part("state")
    for name in checkpoint.tensors:
        if not name.startswith(tuple(f"{part}/" for part in PARTS)):
            raise ValueError(f"it has a tensor {quote_name(name)}, which is of no known part")
    check_layout(weights, weights_layout(config.model, checkpoint.vocabulary.size), "weights")
    if not checkpoint.weights_alone:
        check_layout(state, state_layout(config.model, config.training.batch_size), "states")
    if numbers:
        check_finite(weights, "weights")
        check_finite(state if checkpoint.progress.window else {}, "states")


def check_optimizer(path: Path, checkpoint: Checkpoint, layout: Layout) -> None:
    """Raise CheckpointError unless the optimizer's tensors are those of a layout, all finite."""
    slots = checkpoint.part("optimizer")
    try:
        check_layout(slots, layout, "optimizer's tensors")
        check_finite(slots, "optimizer's tensors")
    except ValueError as error:
        raise damaged_checkpoint(path, str(error)) from error


def foreign_file_error(path: Path) -> CheckpointError:
    return CheckpointError(
        "not a charrnn checkpoint", where=path, way_out="name a run or its folder"
    )


def damaged_checkpoint(path: Path, why: str) -> CheckpointError:
    """The error for a file cut short or altered."""
    return CheckpointError(
        f"damaged checkpoint: {why}",
        where=path,
        way_out="restore the file, or use the run's other checkpoint"
        " (`which best` or `which last`; to train further, `init_from`)",
    )
