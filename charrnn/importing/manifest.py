"""ml5's charRNN: variables of char-rnn-tensorflow, each a file of float32, and a manifest."""

from math import prod
from pathlib import Path

import numpy as np

from charrnn.importing import variables
from charrnn.importing.foreign import Foreign
from charrnn.importing.vocabularies import symbols_of
from charrnn.plain import parse, quoted, table, typed
from charrnn.types import Tensors

MANIFEST, VOCABULARY = "manifest.json", "vocab.json"


def manifest_in(path: Path) -> Path | None:
    """The manifest that a folder has, or that a file is; None where there is none."""
    file = path / MANIFEST if path.is_dir() else path
    if not file.is_file() or (file == path and path.name != MANIFEST):
        return None
    return file


def files_of(manifest: Path) -> list[Path]:
    """The manifest and the files that it lists, all in its folder."""
    listed = table(parse(manifest.read_bytes()), MANIFEST)
    names = [typed(str, table(each, name).get("filename"), name) for name, each in listed.items()]
    for name in names:
        if name != Path(name).name or "\\" in name or not (manifest.parent / name).is_file():
            raise ValueError(f"its manifest lists {quoted(name)}, which is no file beside it")
    return [manifest, *(manifest.parent / name for name in names)]


def read_model(manifest: Path, forget_bias: float | None) -> Foreign:
    """The network; ValueError where a file does not have the size that the manifest states."""
    listed = table(parse(manifest.read_bytes()), MANIFEST)
    tensors: Tensors = {}
    for (name, entry), file in zip(listed.items(), files_of(manifest)[1:], strict=True):
        shape = typed(tuple[int, ...], table(entry, name).get("shape"), f"{name}.shape")
        if min(shape, default=0) < 0 or prod(shape) * 4 != file.stat().st_size:
            raise ValueError(f"its file {quoted(file.name)} is not of the size that it says")
        tensors[name] = np.fromfile(file, "<f4").reshape(shape)
    foreign = variables.network(tensors, forget_bias)
    vocabulary = manifest.parent / VOCABULARY
    if vocabulary.is_file():
        data = parse(vocabulary.read_bytes())
        foreign.symbols = symbols_of(data, foreign.size, f"as in {VOCABULARY}")
    return foreign
