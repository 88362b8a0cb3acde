"""The name that a corpus suggests for its run."""

import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from charrnn.text.folders import RECURSIVE, divided, mode_of, spelled
from charrnn.text.opening import OPENERS
from charrnn.types import PathLike

STANDARD_LIBRARY = "python-stdlib"
STREAM = "stdin"
NAMELESS = "corpus"


def run_name(corpus: Sequence[PathLike]) -> str:
    """The run's name: the file's or the folder's; of several, that of the folder with all of them.

    What has no place, like a pipe, is called `stdin`.
    """
    if not corpus:
        return STANDARD_LIBRARY
    arguments = [spelled(argument) for argument in corpus]
    if is_stream(arguments[0]):
        return STREAM
    places = {place for argument in arguments for place in places_of(argument)}
    name = own_name(common_path(places) or arguments[0])
    return plain(name) or plain(stem(arguments[0])) or NAMELESS


def is_stream(argument: str) -> bool:
    """Whether it is standard input, or what has no name of its own, as in `<(zcat a.gz)`."""
    mode = 0 if argument == "-" else mode_of(Path(argument)) or 0
    return argument == "-" or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def places_of(argument: str) -> list[str]:
    """Where the argument's file or folder is, or those that it matches as a glob."""
    if is_stream(argument):
        return []
    paths = [Path(argument)] if os.path.lexists(argument) else globbed(argument)
    return [os.path.normpath(path.absolute()) for path in paths]


def globbed(pattern: str) -> list[Path]:
    """What a glob matches; of a glob for all depths, the folder that it starts from."""
    base, wild = divided(pattern)
    return [base] if RECURSIVE in wild else list(map(Path, glob.glob(pattern)))  # noqa: PTH207


def common_path(places: set[str]) -> str:
    """The innermost folder with all the places in it, or the only place; nothing where none is."""
    try:
        return os.path.commonpath(places)
    except ValueError:  # no places, or on different drives
        return ""


def own_name(path: str) -> str:
    """The name of the folder that the path leads to, or of the file without suffixes."""
    return Path(os.path.realpath(path)).name if Path(path).is_dir() else stem(path)


def stem(path: str) -> str:
    """The name that the path leads to, without suffixes."""
    name = Path(Path(os.path.realpath(path)).name)
    return Path(name.stem).stem if name.suffix.lower() in OPENERS else name.stem


def plain(name: str) -> str:
    """The name without what is troublesome on a command line or in a message."""
    kept = (character if character.isprintable() else "_" for character in name)
    return "".join(kept).replace("*", "").replace("?", "").strip(". ").lstrip("-")
