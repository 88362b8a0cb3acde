"""Checkpoints: one safetensors file that describes itself. Data only, never code.

The header's metadata has one entry, `charrnn`: JSON with the format version, the
configuration, the vocabulary, the progress, and a checksum over all of it and every tensor.
Tensors are named `weights/…`, and in a `last` checkpoint also `optimizer/…` and `state/…`.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from charrnn.config import Config
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import write_atomically
from charrnn.text.vocabulary import Vocabulary

FORMAT = 1
KEY = "charrnn"
Tensors = dict[str, np.ndarray]
Reader = Callable[[Path], tuple[dict[str, Any], Tensors]]

RENAMED = {"returns": "rollbacks"}
"""Fields of `Progress` that early checkpoints know by another name."""
READ_WHOLE = 1 << 24
"""A file up to this size, in bytes, is read and verified sooner than anyone notices."""


@dataclass
class Progress:
    """How far a run has come. `step` counts the steps done, so the next one has that number."""

    step: int = 0
    start: int = 0
    """The step at which the present plan begins."""
    end: int = 0
    """The step at which the present plan ends."""
    windows: int = 1
    """Steps in an epoch: each learns from one window of every stream."""
    eval_every: int = 1
    """Steps from one evaluation to the next."""
    sample_every: int = 0
    """Steps from one sample to the next; 0 means no samples."""
    checkpoint_every: int = 1
    """Steps from one `last` checkpoint to the next."""
    evaluated_step: int = 0
    """The step of the last evaluation."""
    best_loss_nats: float | None = None
    """The lowest validation loss, in nats per character; None before the first."""
    best_step: int | None = None
    """The step at which the `best` checkpoint was written."""
    rate_scale: float = 1.0
    """The learning rate is multiplied by this; each rollback halves it."""
    rollbacks: int = 0
    """How many times the run diverged and went back to its `last` checkpoint."""
    skipped_steps: int = 0
    """Steps whose loss or gradient was not finite, so that they changed no weight."""
    skipped_in_a_row: int = 0
    """How many of the latest steps were skipped, without a finite one between them."""
    elapsed_seconds: float = 0.0
    """Time that training has taken so far, in all sessions of the run together."""
    loss_sum: float = 0.0
    """Sum of the losses of all finite steps since the last evaluation, in nats per character."""
    norm_sum: float = 0.0
    """Sum of the gradient norms, before clipping, of the same steps."""
    clipped_steps: int = 0
    """How many of the same steps had their gradient clipped."""
    counted_steps: int = 0
    """How many finite steps there were since the last evaluation."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Progress":
        """Read the progress in a checkpoint; early ones call `rollbacks` "returns"."""
        return cls(**{RENAMED.get(name, name): value for name, value in data.items()})

    @property
    def window(self) -> int:
        """Where the streams stand: the next window of this epoch."""
        return self.step % self.windows

    @property
    def epoch(self) -> float:
        """Passes over the training part."""
        return self.step / self.windows

    @property
    def train_loss_nats(self) -> float | None:
        """Mean loss of the finite steps since the last evaluation; None where there are none."""
        return self.loss_sum / self.counted_steps if self.counted_steps else None

    @property
    def gradient_norm(self) -> float:
        """Mean norm of the gradients of these steps, before clipping; 0 where there are none."""
        return self.norm_sum / max(1, self.counted_steps)

    @property
    def clipped_share(self) -> float:
        """The share of these steps whose gradient was clipped; 0 where there are none."""
        return self.clipped_steps / max(1, self.counted_steps)

    @property
    def finished(self) -> bool:
        """Whether the plan has been carried out."""
        return self.step >= self.end


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


def prefixed(prefix: str, tensors: Mapping[str, np.ndarray]) -> Tensors:
    """The tensors under `prefix/`."""
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def below(tensors: Mapping[str, np.ndarray], prefix: str) -> Tensors:
    """The tensors under `prefix/`, named without it."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint so that at any moment the old file or the new one is there."""
    description = {
        "format": FORMAT,
        "config": checkpoint.config.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
        "progress": asdict(checkpoint.progress),
    }
    description["checksum"] = checksum(description, checkpoint.tensors)
    tensors = {name: np.asarray(value, order="C") for name, value in checkpoint.tensors.items()}
    write_atomically(path, serialize(tensors, {KEY: json.dumps(description)}))


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


def read(path: Path) -> tuple[dict[str, Any], Tensors]:
    """The description and the tensors as they stand in the file."""
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        if KEY not in metadata:
            raise CheckpointError(f"{path}: not a charrnn checkpoint; name a run or its folder")
        return json.loads(metadata[KEY]), {
            name: file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118
        }


def read_mapped(path: Path) -> tuple[dict[str, Any], Tensors]:
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


def check_format(path: Path, description: Mapping[str, Any]) -> None:
    """Refuse a format newer than this version's."""
    if description["format"] > FORMAT:
        raise CheckpointError(
            f"{path}: format {description['format']}, written by a newer charrnn"
            f" (this one reads up to {FORMAT}); upgrade with: pip install --upgrade charrnn"
        )


def damaged(path: Path, why: str) -> CheckpointError:
    """The error for a file cut short or altered."""
    return CheckpointError(
        f"{path}: damaged checkpoint: {why}; restore the file, or use the run's other one"
        " (--which best or last; to train on, --init-from)"
    )


def checksum(description: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> int:
    """CRC-32 of the description (without its checksum) and of every tensor."""
    value = 0
    for piece in checked_bytes(description, tensors):
        value = zlib.crc32(piece, value)
    return value


def checked_bytes(
    description: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> Iterator[Any]:
    """What the checksum covers, in a fixed order."""
    yield json.dumps(description, sort_keys=True).encode()
    for name in sorted(tensors):
        yield f"{name} {tensors[name].dtype} {tensors[name].shape}".encode()
        yield np.asarray(tensors[name], order="C").tobytes()
