"""The paths behind what a user names: files, folders, globs and `-`."""

import errno
import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.types import PathLike

FolderTest = Callable[[Path], bool]
WILDCARD = re.compile(r"[*?\[]")
RECURSIVE = "**"
NOWHERE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True)
class Found:
    """A path, and whether the user named it himself: not a folder or a glob with it in it."""

    path: Path | None
    """None is standard input."""
    named: bool


def find(argument: PathLike, left_out: FolderTest) -> list[Found]:
    """What is behind one argument. Folders to be left out come as themselves."""
    text = spelled(argument)
    if text == "-":
        return [Found(None, named=True)]
    path = Path(text)
    mode = mode_of(path)
    if mode is None:
        return [Found(file, named=False) for file in matches(text, left_out)]
    if stat.S_ISDIR(mode):
        return [Found(file, named=False) for file in files_below(path, left_out)]
    return [Found(path, named=True)]


def spelled(argument: PathLike) -> str:
    """The path as text; CorpusError for what cannot be a path."""
    try:
        text = os.fsdecode(argument)
    except TypeError:
        raise CorpusError(
            "is not a path", where=repr(argument), way_out="name files, folders or globs"
        ) from None
    if not text:
        raise CorpusError(
            "an empty name is no file and no folder",
            way_out="name one ('.' is the working folder), or leave the corpus out",
        )
    if "\0" in text:
        raise CorpusError("a path cannot hold a NUL character", where=repr(text))
    return text


def mode_of(path: Path) -> int | None:
    """The kind of file that a path leads to; None where nothing is. A dead link is itself."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if error.errno in NOWHERE and not os.path.lexists(path):
            return None
        if error.errno in (*NOWHERE, errno.ELOOP):
            return stat.S_IFLNK
        why = f"cannot be read: {error.strerror}"
        raise CorpusError(why, where=path, way_out="check the path") from error


def matches(pattern: str, left_out: FolderTest) -> Iterable[Path]:
    """The files that match a glob, and those below the folders that match it, each once."""
    base, wild = divided(pattern)
    if RECURSIVE in wild:
        below = files_below(base, left_out, hidden=True) if base.is_dir() else []
        parts = [file.relative_to(base).parts for file in below]
        found = [
            file for file, own in zip(below, parts, strict=True) if fits_or_is_below(own, wild)
        ]
    else:
        met = sorted(glob.glob(pattern))  # noqa: PTH207
        outer = (outermost(Path(path), base, left_out) for path in met)
        found = [file for path in outer for file in files_at(path, left_out)]
    if not found:
        raise CorpusError("no such file or folder", where=pattern, way_out="check the path")
    return dict.fromkeys(found)


def divided(pattern: str) -> tuple[Path, Sequence[str]]:
    """A glob's folder, up to the first part with a wildcard, and the parts from there on."""
    parts = Path(pattern).parts
    fixed = tuple(takewhile(lambda part: not WILDCARD.search(part), parts))
    return Path(*fixed), parts[len(fixed) :]


def fits_or_is_below(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, or is below a folder that does and not hidden there."""
    return any(
        fits(parts[:end], pattern) and not any(map(is_hidden, parts[end:]))
        for end in range(len(parts) + 1)
    )


def fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, part by part. A wildcard matches nothing hidden."""
    if not pattern or not parts:
        return not parts and all(each == RECURSIVE for each in pattern)
    hidden = is_hidden(parts[0]) and not is_hidden(pattern[0])
    if pattern[0] == RECURSIVE:
        return fits(parts, pattern[1:]) or (not hidden and fits(parts[1:], pattern))
    return not hidden and fnmatch(parts[0], pattern[0]) and fits(parts[1:], pattern[1:])


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is shown only to those who ask for it."""
    return name.startswith(".")


def outermost(path: Path, base: Path, left_out: FolderTest) -> Path:
    """The outermost folder to be left out between the base and the path, or the path itself."""
    inner = (folder for folder in reversed(path.parents) if folder != base)
    between = (folder for folder in inner if folder.is_relative_to(base))
    return next((folder for folder in between if left_out(folder)), path)


def files_at(path: Path, left_out: FolderTest) -> list[Path]:
    """The file itself, or the files below the folder."""
    return files_below(path, left_out) if path.is_dir() and not left_out(path) else [path]


def files_below(folder: Path, left_out: FolderTest, hidden: bool = False) -> list[Path]:
    """Every file below the folder, sorted by path; hidden files and folders only if asked.

    Of a folder to be left out, only the path of the folder itself is there. Links to folders
    are followed, but to each folder once.
    """
    found: list[Path] = []
    visited = {os.path.realpath(folder)}
    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        shown = [Path(root, name) for name in sorted(folders) if hidden or not is_hidden(name)]
        new = [path for path in shown if first_visit(path, visited)]
        closed = {path for path in new if left_out(path)}
        folders[:] = (path.name for path in new if path not in closed)
        found += closed
        found += (Path(root, name) for name in files if hidden or not is_hidden(name))
    return sorted(found)


def first_visit(folder: Path, visited: set[str]) -> bool:
    """Note the folder; False where links lead to it a second time."""
    place = os.path.realpath(folder)
    seen = place in visited
    visited.add(place)
    return not seen


def refuse(error: OSError) -> None:
    """Stop at a folder that cannot be listed: its text would be lost in silence."""
    raise CorpusError(
        f"cannot be listed: {error.strerror}", where=error.filename, way_out="name files instead"
    ) from error
