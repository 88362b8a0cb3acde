"""The table of formats."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from charrnn.config import ModelConfig
from charrnn.models.language_model import LanguageModel
from charrnn.plugins import Table
from charrnn.version import __version__

Contents = bytes | Mapping[str, bytes]
"""A file; or a folder's files by name."""
Make = Callable[[LanguageModel], Contents]
"""Writes a model in a format."""


@dataclass(frozen=True)
class Format:
    """A way to write a model for other programs."""

    name: str
    summary: str
    """A line for the help."""
    make: Make
    suffix: str = ""
    """How the file's name ends; a format without one is a folder."""
    obstacles: Callable[[ModelConfig], Iterable[str]] = lambda config: ()
    """What of a network the format cannot hold, a few words each: "no layer for `layer_norm`"."""
    usage: Callable[[Path], str] = lambda path: ""
    """What a user runs to use what was written to the path."""

    def holds(self, config: ModelConfig) -> bool:
        """Whether a network can be written in the format."""
        return not list(self.obstacles(config))


FORMATS: Table[Format] = Table("format")
"""Every format by name."""


def register(
    name: str,
    summary: str,
    suffix: str = "",
    obstacles: Callable[[ModelConfig], Iterable[str]] = lambda config: (),
    usage: Callable[[Path], str] = lambda path: "",
) -> Callable[[Make], Format]:
    """Make a function a format, and put it into the table. The arguments are those of `Format`.

    Raises:
        ConfigError: There is a format of this name already.
    """
    return lambda make: FORMATS.add(name, Format(name, summary, make, suffix, obstacles, usage))


def facts(model: LanguageModel) -> dict[str, object]:
    """What every format tells beside the weights, as plain data.

    Returns:
        The characters by their ids, the settings of the network, and charrnn's version.
    """
    return {
        "vocabulary": model.vocabulary.to_json(),
        "network": asdict(model.checkpoint.config.model),
        "charrnn_version": __version__,
    }


def facts_as_texts(model: LanguageModel) -> dict[str, str]:
    """The same for formats that keep texts alone: each fact as JSON."""
    return {name: json.dumps(fact) for name, fact in facts(model).items()}
