"""How many texts are written at once, so that memory stays small however many are wanted."""

from collections.abc import Mapping

from charrnn.errors import ConfigError
from charrnn.sampling.engines import Engine

GROUP_BYTES = 1 << 26
"""Texts are written in groups of about this size: a few thousand of 500 characters, more than
any engine needs to be at its fastest."""
MOST_BYTES = 1 << 30
"""What can only be written at once, as the candidates of a beam, may not take more than this."""
OBJECT_BYTES = 6144
"""About what a text takes beside its numbers."""
COPIES = 6
"""About how many arrays of a text's states and of its logits there are at the same time."""


def bytes_of_a_text(engine: Engine, vocabulary_size: int, length: int) -> int:
    """About how much memory a text takes while it is written, with its row in the engine."""
    state = sum(part.nbytes // max(1, len(part)) for part in engine.state)
    return OBJECT_BYTES + COPIES * (state + 8 * vocabulary_size) + 8 * max(0, length)


def check_fit(count: int, text_bytes: int, settings: Mapping[str, object]) -> None:
    """Raise ConfigError, naming the settings, where so many texts at once take too much memory."""
    most = max(1, MOST_BYTES // text_bytes)
    if count > most:
        why = f"{count:,} texts at once would take {count * text_bytes / 2**30:.1f} GiB"
        raise ConfigError(why, settings, way_out=f"at most {most:,} fit")
