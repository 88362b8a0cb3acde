"""All that a page knows, as plain data."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from charrnn.models.language_model import LanguageModel
from charrnn.network.recording import Recording, record
from charrnn.page.look import look_inside
from charrnn.page.runs import describe_runs


class Contents(TypedDict):
    """`charrnn.data` in the page."""

    name: str
    vocabulary: dict[str, object]
    backward: bool
    recording: Recording
    precision: int
    """Bits of each weight."""
    text: str | None
    """A text to look into."""
    look: dict[str, object] | None
    runs: list[dict[str, object]]


def collect(
    model: LanguageModel, name: str, text: str | None, precision: int, others: Sequence[Path]
) -> Contents:
    """Put together what a page knows.

    Args:
        model: The model that writes.
        name: What the page is called.
        text: A text to look into, or None.
        precision: Bits of each weight.
        others: Checkpoints of other runs, which are compared with that of the model.

    Raises:
        ConfigError: The model's cell cannot be recorded.
    """
    recording = record(model.checkpoint.config.model, model.vocabulary.size)
    return {
        "name": name,
        "vocabulary": model.vocabulary.to_json(),
        "backward": model.backward,
        "recording": recording,
        "precision": precision,
        "text": text,
        "look": look_inside(model, recording, text),
        "runs": describe_runs([model.path, *others]),
    }
