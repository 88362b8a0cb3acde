"""What a run is, from the head of its checkpoint: no tensor is read, no cell has to be known."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from charrnn.checkpoints import KEY, check_format, damaged
from charrnn.errors import CheckpointError, CorpusError
from charrnn.progress import Progress
from charrnn.text.corpus import INFO_FILE, read_info


@dataclass(frozen=True)
class Summary:
    """What is known of a run without its tensors."""

    checkpoint: Path
    config: Mapping[str, Mapping[str, Any]]
    """The settings as the file has them."""
    cell: str
    layers: int
    units: int | tuple[int, ...]
    progress: Progress
    parameters: int
    vocabulary_size: int
    version: str | None
    """Of the charrnn that wrote the checkpoint; early ones do not tell."""
    written: datetime
    """When the checkpoint was written, as it says itself or else the file system."""
    corpus: tuple[str, ...]
    """The files that the run learns; none where the corpus does not lie beside it."""
    characters: int | None
    """How many characters they have."""
    started: datetime | None
    """When the run began: its corpus was encoded then."""

    @property
    def best_bits_per_char(self) -> float | None:
        """The lowest validation loss, in bits per character; None before the first."""
        nats = self.progress.best_loss_nats
        return None if nats is None else nats / math.log(2)


def summarize(path: Path) -> Summary:
    """The summary of a checkpoint; CheckpointError where its head cannot be read."""
    try:
        description, parameters = read_head(path)
        check_format(path, description)
        written = description.get("written", {})
        model = description["config"]["model"]
        units = model["units"]
        sources, characters, started = corpus_beside(path)
        return Summary(
            checkpoint=path,
            config={name: dict(group) for name, group in description["config"].items()},
            cell=str(model["cell"]),
            layers=int(model["layers"]),
            units=tuple(map(int, units)) if isinstance(units, list) else int(units),
            progress=numbers_only(Progress.from_json(description["progress"])),
            parameters=parameters,
            vocabulary_size=len(description["vocabulary"]["characters"]) + 1,
            version=written.get("version"),
            written=datetime.fromisoformat(written["at"]) if written else modified(path),
            corpus=sources,
            characters=characters,
            started=started,
        )
    except SafetensorError as error:
        raise damaged(path, str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged(path, f"its description is incomplete: {error}") from error


def read_head(path: Path) -> tuple[dict[str, Any], int]:
    """A checkpoint's description, and how many numbers its weights have."""
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        names = [name for name in file.keys() if name.startswith("weights/")]  # noqa: SIM118
        parameters = sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    if KEY not in metadata:
        raise CheckpointError(
            "not a charrnn checkpoint", where=path, way_out="name a run or its folder"
        )
    return json.loads(metadata[KEY]), parameters


def numbers_only(progress: Progress) -> Progress:
    """The same progress; ValueError where a value in it is no number, or lacking."""
    for name, default in asdict(Progress()).items():
        value = getattr(progress, name)
        if (
            not isinstance(default, str)
            and not isinstance(value, (int, float))
            and (value is not None or default is not None)
        ):
            raise ValueError(f"{name} is not a number")
    return progress


def corpus_beside(path: Path) -> tuple[tuple[str, ...], int | None, datetime | None]:
    """Files, length and time of the corpus in a checkpoint's folder, where there is one."""
    record = path.parent / INFO_FILE
    try:
        info, _ = read_info(path.parent)
        return info.sources, info.length, modified(record)
    except (CorpusError, OSError):
        return (), None, None


def modified(path: Path) -> datetime:
    """When a file was written last, in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
