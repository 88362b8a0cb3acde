"""What a run is, from the head of its checkpoint: no tensor is read, no cell has to be known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from charrnn.errors import CorpusError
from charrnn.network.weights import strip_prefix
from charrnn.runs.checkpoints import (
    KEY,
    Origin,
    StrangerError,
    Written,
    check_format,
    damaged_checkpoint,
    foreign_file_error,
    read_tensors,
    verify,
)
from charrnn.runs.progress import Progress
from charrnn.text.corpus import INFO_FILE, CorpusInfo, read_info
from charrnn.text.sources import common_path


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
    version: str
    """Of the charrnn that wrote the checkpoint."""
    written: datetime
    """When the checkpoint was written."""
    corpus: tuple[str, ...]
    """The files that the run learns; none where the corpus does not lie beside it."""
    characters: int | None
    """How many characters they have."""
    fingerprint: str | None
    """SHA-256 of these characters."""
    started: datetime | None
    """When the run began: its corpus was encoded then."""
    origin: Origin | None
    """Where the model came from, if another tool trained it."""

    @property
    def text_name(self) -> str | None:
        """The name of the text: of its file, or of the folder that holds all its files.

        None where the corpus does not lie beside the checkpoint.
        """
        if not self.corpus:
            return None
        if "-" in self.corpus:
            return "standard input"
        if len(self.corpus) == 1:
            return Path(self.corpus[0]).name
        folder = Path(common_path(set(self.corpus))).name
        return f"{folder}/ ({len(self.corpus)} files)" if folder else f"{len(self.corpus)} files"

    @property
    def best_bits_per_char(self) -> float | None:
        """The lowest validation loss, in bits per character; None before the first."""
        nats = self.progress.best_loss_nats
        return None if nats is None else nats / math.log(2)


def summarize(path: Path) -> Summary:
    """The summary of a checkpoint; CheckpointError where its head cannot be read."""
    try:
        description, parameters = read_head(path)
        written = Written.of(description)
        model = description["config"]["model"]
        units = model["units"]
        corpus, started = corpus_beside(path)
        return Summary(
            checkpoint=path,
            config={name: dict(group) for name, group in description["config"].items()},
            cell=str(model["cell"]),
            layers=int(model["layers"]),
            units=tuple(map(int, units)) if isinstance(units, list) else int(units),
            progress=Progress.from_json(description["progress"]),
            parameters=parameters,
            vocabulary_size=len(description["vocabulary"]["characters"]) + 1,
            version=written.version,
            written=datetime.fromisoformat(written.at),
            corpus=corpus.sources if corpus else (),
            characters=corpus.length if corpus else None,
            fingerprint=corpus.fingerprint if corpus else None,
            started=started,
            origin=Origin.of(description),
        )
    except StrangerError:
        raise foreign_file_error(path) from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged_checkpoint(path, f"its description is incomplete: {error}") from error


def read_head(path: Path) -> tuple[dict[str, Any], int]:
    """A checkpoint's description, and how many numbers its weights have."""
    file = read_tensors(path, KEY, mapped=True)
    check_format(path, file.description)
    verify(file, numbers=False)
    return file.description, sum(
        weight.size for weight in strip_prefix(file.tensors, "weights").values()
    )


def corpus_beside(path: Path) -> tuple[CorpusInfo | None, datetime | None]:
    """What is known of the corpus in a checkpoint's folder, and its time, where there is one."""
    record = path.parent / INFO_FILE
    try:
        info, _ = read_info(path.parent)
        return info, modified(record)
    except (CorpusError, OSError):
        return None, None


def modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
