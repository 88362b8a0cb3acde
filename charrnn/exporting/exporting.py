"""`export_model`: from a run to the files of a format."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from charrnn import __version__
from charrnn.config import ModelConfig
from charrnn.config.settings import checks_names
from charrnn.errors import ConfigError
from charrnn.models.language_model import LanguageModel
from charrnn.plugins import Table
from charrnn.runs import checkpoints as files
from charrnn.runs.outputs import check_folder, check_output, is_device, write_folder, write_output
from charrnn.runs.run import DEFAULT_ROOT, WHICH, find_checkpoint
from charrnn.types import PathLike

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


class Exported(NamedTuple):
    """What was written."""

    path: Path
    """The file or folder."""
    size: int
    """Its bytes, of all files together."""
    usage: str
    """The lines that use it: a program, or a command."""


@checks_names
def export_model(
    run: PathLike | None = None,
    *,
    to: str,
    output: PathLike,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> Exported:
    """Write a run's model as a file, or a folder, that other programs read.

    Args:
        run: As in `charrnn.load`.
        to: The format: "onnx", "keras", "torch", "hub", or one that was added.
        output: The file, which is replaced if it is there; or the folder, in which none of the
            files may be yet.
        which: As in `charrnn.load`.
        checkpoints: As in `charrnn.load`.

    Returns:
        What was written, and how it is used.

    Raises:
        RunError: There is no such run, or the output would destroy one.
        CheckpointError: The checkpoint is damaged.
        ConfigError: There is no such format, it cannot hold this network, it needs a package
            that is not installed, or the file's name ends otherwise than the format's do.
        OSError: The file cannot be written.
    """
    chosen, path = chosen_format(to), Path(output)
    check_place(chosen, path)
    source = find_checkpoint(run, Path(checkpoints), which)
    model = LanguageModel(files.load(source), source)
    check_fit(chosen, model.checkpoint.config.model)
    contents = chosen.make(model)
    return Exported(path, written(path, contents), chosen.usage(path))


def chosen_format(name: str) -> Format:
    if name not in FORMATS:
        raise ConfigError(f"must be one of {', '.join(FORMATS)}", {"to": name})
    return FORMATS[name]


def check_place(chosen: Format, path: Path) -> None:
    """Refuse a path that the format cannot be written to, before any work is done."""
    if not chosen.suffix:
        check_folder(path, ())
        return
    check_output(path)
    if path.suffix != chosen.suffix and (path.is_dir() or not is_device(path)):
        raise ConfigError(
            f"the name of a file for {chosen.name} ends in {chosen.suffix}",
            {"output": str(path)},
            way_out=f"name it {path.stem or 'model'}{chosen.suffix}",
        )


def check_fit(chosen: Format, config: ModelConfig) -> None:
    """ConfigError, with the formats that can hold the network, where this one cannot."""
    obstacles = list(chosen.obstacles(config))
    if obstacles:
        others = [each.name for each in FORMATS.values() if each.holds(config)]
        raise ConfigError(
            ", and ".join(obstacles),
            {"to": chosen.name},
            way_out=f"choose {' or '.join(others)}, which can hold it",
        )


def written(path: Path, contents: Contents) -> int:
    """Write a file or folder; its bytes."""
    if isinstance(contents, bytes):
        write_output(path, contents)
        return len(contents)
    write_folder(path, contents)
    return sum(map(len, contents.values()))


WRITING = """\
characters, temperature = facts["vocabulary"]["characters"], 0.8
ids = {character: number for number, character in enumerate(characters)}
text = "\\n"  # charrnn reads a line's end before every text
for _ in range(200):
    logits = step(ids.get(text[-1], len(ids)))  # the last id stands for unknown characters
    logits = logits[:-1].astype(float)
    p = np.exp((logits - logits.max()) / temperature)
    text += np.random.choice(list(characters), p=p / p.sum())
if facts["network"]["direction"] == "backward":
    text = text[::-1]
if facts["vocabulary"]["byte_level"]:
    text = text.encode("latin-1").decode("utf-8", "replace")
print(text.strip())"""


def program(packages: str, reading: str) -> Callable[[Path], str]:
    """The lines of a program that needs these packages."""
    lines = f"# needs: pip install {packages}\n{reading.strip()}\n\n\n{WRITING}"
    return lambda path: lines.replace('"PATH"', json.dumps(str(path)))
