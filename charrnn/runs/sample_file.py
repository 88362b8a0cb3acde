"""samples.jsonl, which has a line for each sample: what the model wrote as training went on.

A line is a JSON object, `{"step": 120, "epoch": 0.53, "text": "..."}`, in UTF-8. Lines end with a
line feed alone, since other line ends may stand within a text.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from charrnn.checked_json import at_least, filled, parse
from charrnn.files import append_durably
from charrnn.runs.events import Sampled
from charrnn.runs.history import before, rewrite
from charrnn.runs.progress import Progress

BEGINNING = b'{"step": '
"""How every line begins that is written here."""
LAST_BYTES = 1 << 16
"""The last line is looked for in so many bytes first, so that a long file need not be read."""


@dataclass(frozen=True)
class Sample:
    """A text that was written after so many steps, or passes over the text."""

    step: int
    epoch: float
    text: str


def sample_of(sampled: Sampled, progress: Progress) -> Sample:
    return Sample(sampled.step, round(progress.epoch, 4), sampled.text)


def append(path: Path, sample: Sample) -> None:
    append_durably(path, encoded(sample))


def truncate(path: Path, step: int) -> Path | None:
    """Remove the last samples, those after a step; see `charrnn.runs.history`.

    Returns:
        Where the old file is kept; None where all of it was understood.
    """
    return rewrite(
        path, parsed, lambda lines: joined(before(step, lines, lambda line: sample_in(line).step))
    )


def last_step(path: Path) -> int | None:
    """The step of the last sample in a file; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        lines, _ = parsed(file.read())
    return sample_in(lines[-1]).step if lines else None


def read(data: bytes) -> tuple[list[Sample], bool]:
    lines, understood = parsed(data)
    return [sample_in(line) for line in lines], understood


def parsed(data: bytes) -> tuple[list[bytes], bool]:
    """The lines that are samples, and whether that is all that the file holds."""
    *lines, rest = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if is_sample(rest) or not is_half(rest):
        lines.append(rest)
    lines = [line for line in lines if line.strip()]
    known = [line for line in lines if is_sample(line)]
    return known, known == lines


def is_half(line: bytes) -> bool:
    """Whether a last line without end may be the beginning of one of ours, cut by a kill."""
    return line.startswith(BEGINNING) or BEGINNING.startswith(line)


def is_sample(line: bytes) -> bool:
    """Whether a line can be read as a sample."""
    try:
        sample_in(line)
    except ValueError:
        return False
    return True


def sample_in(line: bytes) -> Sample:
    sample = filled(Sample, parse(line.decode("utf-8")), "sample")
    at_least(0, {"step": sample.step, "epoch": sample.epoch})
    return sample


def joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line.rstrip(b"\r") + b"\n" for line in lines)


def encoded(sample: Sample) -> bytes:
    """A sample's line; a character that UTF-8 does not have is escaped, as JSON does."""
    text = json.dumps(asdict(sample), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"
