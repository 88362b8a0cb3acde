"""What the user names as a corpus: files, folders, globs, standard input, or nothing."""

import glob
import lzma
import os
import sysconfig
import zlib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.opening import OPENERS, Source
from charrnn.types import PathLike

SNIFFED_BYTES = 8192
DEFAULT = TextConfig()
STANDARD_LIBRARY = "python-stdlib"
NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


@dataclass(frozen=True)
class Selection:
    """The sources of a corpus in order, the run's name they suggest, files passed over."""

    sources: tuple[Source, ...]
    name: str
    skipped: tuple[Path, ...] = ()


def select(corpus: Sequence[PathLike], config: TextConfig = DEFAULT) -> Selection:
    """Files, folders, globs and `-`; with none, the interpreter's standard library.

    In a folder, files that look binary are passed over, unless the configuration takes any.
    """
    if not corpus:
        return standard_library()
    found = [path for argument in corpus for path in expand(os.fspath(argument))]
    named = {None, *map(Path, corpus)}
    met = set() if takes_nul(config) else {path for path in found if path not in named}
    binary = {path for path in met if path and looks_binary(path)}
    sources = tuple(Source(path) for path in found if path not in binary)
    if not sources:
        way_out = "name files, or use `bytes`"
        raise CorpusError("no text file in this folder", where=corpus[0], way_out=way_out)
    skipped = tuple(path for path in found if path and path in binary)
    return Selection(sources, run_name(corpus), skipped)


def takes_nul(config: TextConfig) -> bool:
    """Whether NUL bytes are nothing unusual: at byte level, or in UTF-16 and UTF-32."""
    return config.bytes or b"\0" in "a".encode(config.encoding)


def expand(argument: str) -> list[Path | None]:
    """Paths behind one argument; None is standard input."""
    path = Path(argument)
    if argument == "-":
        return [None]
    if path.is_dir():
        return [*files_below(path)]
    if path.exists() or path.is_symlink():
        return [path]
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
    if not matches:
        raise CorpusError("no such file or folder", where=argument, way_out="check the path")
    # `**` matches folders and the files in them: each is taken once.
    return list(dict.fromkeys(file for match in matches for file in expand(match)))


def files_below(folder: Path, without: Set[str] = frozenset()) -> list[Path]:
    """Every file below the folder, sorted by path, but for hidden files and folders.

    Folders whose names are in `without` are left out as well.
    """
    found: list[Path] = []
    visited = {folder.resolve()}
    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = (
            name
            for name in {*folders} - without
            if not name.startswith(".") and first_visit(Path(root, name), visited)
        )
        found += (Path(root, name) for name in files if not name.startswith("."))
    return sorted(found)


def first_visit(folder: Path, visited: set[Path]) -> bool:
    """Note the folder; False where links lead to it a second time."""
    place = folder.resolve()
    seen = place in visited
    visited.add(place)
    return not seen


def refuse(error: OSError) -> None:
    """Stop at a folder that cannot be listed: its text would be lost in silence."""
    raise CorpusError(
        f"cannot be listed: {error.strerror}", where=error.filename, way_out="name files instead"
    ) from error


def looks_binary(path: Path) -> bool:
    """Whether a NUL byte stands near the start of the (uncompressed) file.

    Only a regular file is looked into: what is read from a pipe is gone.
    """
    if not path.is_file():
        return False
    try:
        with Source(path).open() as stream:
            return b"\0" in stream.read(SNIFFED_BYTES)
    except (EOFError, OSError, lzma.LZMAError, zlib.error):
        return False  # reading it as text will say what is wrong


def run_name(corpus: Sequence[PathLike]) -> str:
    """The run's name for a corpus: its first file's or folder's, without suffixes."""
    if not corpus:
        return STANDARD_LIBRARY
    path = Path(corpus[0])
    if os.fspath(corpus[0]) == "-" or path.is_fifo() or path.is_char_device():
        return "stdin"
    path = Path(path.resolve().name)
    stem = Path(path.stem).stem if path.suffix.lower() in OPENERS else path.stem
    return stem.replace("*", "").replace("?", "").strip(". ") or "corpus"


def standard_library() -> Selection:
    """The Python sources of the running interpreter, without tests and installed packages."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = (file for file in files_below(root, NOT_LIBRARY) if file.suffix == ".py")
    return Selection(tuple(Source(file) for file in files), STANDARD_LIBRARY)
