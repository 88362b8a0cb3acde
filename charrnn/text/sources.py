"""Which files make up a corpus: those behind what the user names, or the standard library."""

import lzma
import os
import sysconfig
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.folders import FolderTest, files_below, find
from charrnn.text.opening import Source
from charrnn.text.reading import decodable
from charrnn.types import PathLike

SNIFFED_BYTES = 8192
DEFAULT = TextConfig()
NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}

RUNS = "leaving out the folders of runs"
SPECIAL = "leaving out what is not a regular file"
BINARY = "leaving out binary files"
UNDECODABLE = "leaving out files that cannot be decoded"
REPEATED = "reading only once what was named or linked several times"


@dataclass(frozen=True)
class Selection:
    """The sources of a corpus in order, and the names of what was not taken, by the reason."""

    sources: tuple[Source, ...]
    skipped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    standard_library: bool = False
    """Whether the user named nothing."""


def no_folder(_: Path) -> bool:
    """Leave out no folder."""
    return False


def select(
    corpus: Sequence[PathLike], config: TextConfig = DEFAULT, left_out: FolderTest = no_folder
) -> Selection:
    """Files, folders, globs and `-`; with none, the interpreter's standard library.

    Each file is taken once. Of what stands in a folder or matches a glob, only regular files
    are taken, and no file that looks binary, unless the configuration takes any.

    Args:
        corpus: What the user names.
        config: How the files are read.
        left_out: Whether a folder is to be left out where it is found in another, or by a glob.

    Raises:
        CorpusError: There is nothing of that name, or nothing to read in it.
    """
    if not corpus:
        return standard_library()
    found = [each for argument in corpus for each in find(argument, left_out)]
    named = {Source(each.path).identity for each in found if each.named}
    kept: dict[object, Source] = {}
    skipped: dict[str, list[str]] = {}
    for source in (Source(each.path) for each in found):
        identity = source.identity
        reason = REPEATED if identity in kept else unfit(source, config, identity in named)
        if reason:
            skipped.setdefault(reason, []).append(source.name)
        else:
            kept[identity] = source
    if not kept:
        raise nothing_left(corpus, skipped)
    return Selection(tuple(kept.values()), skipped)


def unfit(source: Source, config: TextConfig, named: bool) -> str:
    """Why a file is not taken; nothing if it is. What the user named is not picked over."""
    path = source.path
    if path is None:
        return ""
    if not named and path.is_dir():
        return RUNS
    if not named and path.exists() and not path.is_file():
        return SPECIAL
    if not named and not takes_nul(config) and looks_binary(source):
        return BINARY
    if config.skip_undecodable and path.is_file() and not decodable(source, config):
        return UNDECODABLE
    return ""


def takes_nul(config: TextConfig) -> bool:
    """Whether NUL bytes are nothing unusual: at byte level, or in UTF-16 and UTF-32."""
    return config.bytes or b"\0" in "a".encode(config.encoding)


def looks_binary(source: Source) -> bool:
    """Whether a NUL byte stands near the start of the (uncompressed) file."""
    try:
        with source.open() as stream:
            return b"\0" in stream.read(SNIFFED_BYTES)
    except (EOFError, OSError, lzma.LZMAError, zlib.error):
        return False  # reading it as text will say what is wrong


def nothing_left(corpus: Sequence[PathLike], skipped: Mapping[str, Sequence[str]]) -> CorpusError:
    """The error where nothing that was found is taken."""
    where = os.fsdecode(corpus[0])
    if UNDECODABLE in skipped:
        return CorpusError("no file can be decoded", where=where, way_out="name the `encoding`")
    way_out = "name files, or use `bytes`"
    return CorpusError("no text file in this folder", where=where, way_out=way_out)


def standard_library() -> Selection:
    """The Python sources of the running interpreter, without tests and installed packages."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = files_below(root, lambda folder: folder.name in NOT_LIBRARY)
    sources = tuple(Source(file) for file in files if file.suffix == ".py")
    return Selection(sources, standard_library=True)
