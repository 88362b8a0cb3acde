"""`export_model`: from a run to the files of a format."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from charrnn.config import ModelConfig
from charrnn.config.settings import checks_names
from charrnn.errors import ConfigError
from charrnn.export.formats import FORMATS, Contents, Format
from charrnn.models.language_model import LanguageModel
from charrnn.runs import checkpoints as files
from charrnn.runs.outputs import check_folder, check_output, is_device, write_folder, write_output
from charrnn.runs.run import DEFAULT_ROOT, WHICH, find_checkpoint
from charrnn.types import PathLike


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
    """The format of that name; ConfigError where there is none."""
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
