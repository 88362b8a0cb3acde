"""Which files make up a corpus, and the name that they suggest for its run.

A user names files, folders, globs and `-`; with nothing named, the corpus is the
reference of the Python language, which comes with Python.
"""

import errno
import glob
import lzma
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.reading import OPENERS, REFERENCE, Source, decodable
from charrnn.types import PathLike

SNIFFED_BYTES = 8192
WILDCARD = re.compile(r"[*?\[]")
RECURSIVE = "**"
NOWHERE = (errno.ENOENT, errno.ENOTDIR)
FolderTest = Callable[[Path], bool]

RUNS = "leaving out the folders of runs"
SPECIAL = "leaving out what is not a regular file"
BINARY = "leaving out binary files"
UNDECODABLE = "leaving out files that cannot be decoded"
REPEATED = "reading only once what was named or linked several times"

REFERENCE_NAME = "python-reference"
STREAM = "stdin"
NAMELESS = "corpus"


@dataclass(frozen=True)
class Selection:
    """The sources of a corpus in order, and the names of the files left out, by the reason."""

    sources: tuple[Source, ...]
    skipped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_default: bool = False
    """The user named nothing."""


def select(
    corpus: Sequence[PathLike],
    config: TextConfig = TextConfig(),  # noqa: B008  (frozen)
    left_out: FolderTest = lambda folder: False,
) -> Selection:
    """Find the files of a corpus, each once.

    Of what stands in a folder or matches a glob, only regular files are taken, and no file that
    looks binary, unless the configuration takes any.

    Args:
        corpus: Files, folders, globs and `-`; with none, the reference of the language.
        config: How the files are read.
        left_out: True for a folder that is left out where a folder or a glob leads to it.

    Raises:
        CorpusError: There is nothing of that name, or nothing to read in it.
    """
    if not corpus:
        return Selection((Source(REFERENCE),), is_default=True)
    found = [each for argument in corpus for each in find(argument, left_out)]
    named = {Source(path).identity for path, by_name in found if by_name}
    chosen: dict[object, Source] = {}
    skipped: dict[str, list[str]] = {}
    for source in (Source(path) for path, _ in found):
        identity = source.identity
        if identity in chosen:
            reason = REPEATED
        else:
            reason = reason_to_skip(source, config, named=identity in named)
        if reason:
            skipped.setdefault(reason, []).append(source.name)
        else:
            chosen[identity] = source
    if chosen:
        return Selection(tuple(chosen.values()), skipped)
    where = os.fsdecode(corpus[0])
    if UNDECODABLE in skipped:
        raise CorpusError("no file can be decoded", where=where, way_out="name the `encoding`")
    way_out = "name files, or use `bytes`"
    raise CorpusError("no text file in this folder", where=where, way_out=way_out)


def reason_to_skip(source: Source, config: TextConfig, *, named: bool) -> str:
    """Why a file is left out, or nothing. A file that the user named must only be decodable."""
    path = source.path
    if path is None:
        return ""
    if not named and path.is_dir():
        return RUNS
    if not named and path.exists() and not path.is_file():
        return SPECIAL
    takes_nul = config.bytes or b"\0" in "a".encode(config.encoding)  # UTF-16 and UTF-32
    if not named and not takes_nul and looks_binary(source):
        return BINARY
    if config.skip_undecodable and path.is_file() and not decodable(source, config):
        return UNDECODABLE
    return ""


def looks_binary(source: Source) -> bool:
    """Whether a NUL byte stands near the start of the (uncompressed) file."""
    try:
        with source.open() as stream:
            return b"\0" in stream.read(SNIFFED_BYTES)
    except (EOFError, OSError, lzma.LZMAError, zlib.error):
        return False  # reading it as text raises the error


def find(argument: PathLike, left_out: FolderTest) -> Iterable[tuple[Path | None, bool]]:
    """The paths behind one argument (None is standard input), and whether it is their own name.

    Of a folder to be left out, the path itself is there, and no file in it.
    """
    text = path_text(argument)
    if text == "-":
        return [(None, True)]
    path = Path(text)
    mode = file_mode(path)
    if mode is None:
        return [(file, False) for file in matches(text, left_out)]
    if stat.S_ISDIR(mode):
        return [(file, False) for file in files_below(path, left_out)]
    return [(path, True)]


def path_text(argument: PathLike) -> str:
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


def file_mode(path: Path) -> int | None:
    """The mode of the file that a path leads to; None where there is none, a dead link's own."""
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
    """The files that match a glob, and those below the folders that match it, each once.

    `**` is matched against a walk of our own, since `glob.glob` follows links in circles.
    """
    base, wild = split_glob(pattern)
    found: list[Path] = []
    if RECURSIVE in wild:
        for file in files_below(base, left_out, hidden=True) if base.is_dir() else []:
            parts = file.relative_to(base).parts
            if any(
                fits(parts[:end], wild) and not any(map(is_hidden, parts[end:]))
                for end in range(len(parts) + 1)
            ):
                found.append(file)
    else:
        for match in sorted(glob.glob(pattern)):  # noqa: PTH207
            path = outermost(Path(match), base, left_out)
            below = path.is_dir() and not left_out(path)
            found += files_below(path, left_out) if below else [path]
    if not found:
        raise CorpusError("no such file or folder", where=pattern, way_out="check the path")
    return dict.fromkeys(found)


def split_glob(pattern: str) -> tuple[Path, Sequence[str]]:
    parts = Path(pattern).parts
    fixed = tuple(takewhile(lambda part: not WILDCARD.search(part), parts))
    return Path(*fixed), parts[len(fixed) :]


def fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, part by part. A wildcard matches nothing hidden."""
    if not pattern or not parts:
        return not parts and all(each == RECURSIVE for each in pattern)
    hidden = is_hidden(parts[0]) and not is_hidden(pattern[0])
    if pattern[0] == RECURSIVE:
        return fits(parts, pattern[1:]) or (not hidden and fits(parts[1:], pattern))
    return not hidden and fnmatch(parts[0], pattern[0]) and fits(parts[1:], pattern[1:])


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def outermost(path: Path, base: Path, left_out: FolderTest) -> Path:
    """The outermost folder to be left out between the base and the path, or the path itself."""
    between = (each for each in reversed(path.parents) if each != base and base in each.parents)
    return next(filter(left_out, between), path)


def files_below(folder: Path, left_out: FolderTest, hidden: bool = False) -> list[Path]:
    """Every file below the folder, sorted by path; hidden files and folders only if asked.

    Of a folder to be left out, only the path of the folder itself is there. Links to folders
    are followed, but to each folder once.
    """
    found: list[Path] = []
    visited = {os.path.realpath(folder)}
    for root, folders, files in os.walk(folder, onerror=refuse_unlisted, followlinks=True):
        names, folders[:] = sorted(folders), []
        for path in (Path(root, name) for name in names if hidden or not is_hidden(name)):
            place = os.path.realpath(path)
            if place not in visited and left_out(path):
                found.append(path)
            elif place not in visited:
                folders.append(path.name)
            visited.add(place)
        found += (Path(root, name) for name in files if hidden or not is_hidden(name))
    return sorted(found)


def refuse_unlisted(error: OSError) -> None:
    """Stop at a folder that cannot be listed: its text would be lost in silence."""
    raise CorpusError(
        f"cannot be listed: {error.strerror}", where=error.filename, way_out="name files instead"
    ) from error


def run_name(corpus: Sequence[PathLike]) -> str:
    """The name that a corpus suggests for its run.

    That of the file or folder; of several, that of the folder with all of them; `stdin` for what
    has no place, like a pipe.
    """
    if not corpus:
        return REFERENCE_NAME
    arguments = [path_text(argument) for argument in corpus]
    if is_stream(arguments[0]):
        return STREAM
    places = {place for argument in arguments for place in places_of(argument)}
    path = common_path(places) or arguments[0]
    name = Path(os.path.realpath(path)).name if Path(path).is_dir() else stem(path)
    return printable_name(name) or printable_name(stem(arguments[0])) or NAMELESS


def is_stream(argument: str) -> bool:
    """Whether it is standard input, or has no name of its own, as `<(zcat a.gz)`."""
    mode = 0 if argument == "-" else file_mode(Path(argument)) or 0
    return argument == "-" or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def places_of(argument: str) -> list[str]:
    """Where the argument's file or folder is, or those that it matches as a glob.

    Of a glob for all depths, the folder that it starts from.
    """
    if is_stream(argument):
        return []
    base, wild = split_glob(argument)
    if os.path.lexists(argument):
        paths = [Path(argument)]
    else:
        paths = [base] if RECURSIVE in wild else list(map(Path, glob.glob(argument)))  # noqa: PTH207
    return [os.path.normpath(path.absolute()) for path in paths]


def common_path(places: Iterable[str]) -> str:
    """The innermost folder with all the places in it, or the only place; else nothing."""
    try:
        return os.path.commonpath(places)
    except ValueError:  # no places, or on different drives
        return ""


def stem(path: str) -> str:
    """The name that the path leads to, without suffixes."""
    name = Path(Path(os.path.realpath(path)).name)
    return Path(name.stem).stem if name.suffix.lower() in OPENERS else name.stem


def printable_name(name: str) -> str:
    """The name without characters that are troublesome on a command line or in a message."""
    characters = (character if character.isprintable() else "_" for character in name)
    return "".join(characters).replace("*", "").replace("?", "").strip(". ").lstrip("-")
