"""TensorFlow's checkpoints: of char-rnn-tensorflow, in a folder with its vocabulary, and of Keras.

`tf.train.load_checkpoint` reads the old form (one file) and the new one (`.index` beside `.data-…`)
and verifies their checksums. TensorFlow is imported here alone, and only to read such a file.
"""

import glob
import re
from math import prod
from pathlib import Path

import numpy as np

from charrnn.checked_json import parse, quoted
from charrnn.importing import keras_network, variables
from charrnn.importing.foreign import Foreign, Options, UnreadableError
from charrnn.importing.vocabularies import plain_data, symbols_of
from charrnn.types import Tensors

STATE = "checkpoint"
"""The file in a folder that names the checkpoint that counts."""
NAMED = re.compile(r'^model_checkpoint_path: "(.*)"', re.MULTILINE)
SUFFIXES = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
"""The last bytes of a table of keys and values, as an index or an old checkpoint is."""
VOCABULARIES = ("chars_vocab.pkl", "vocab.json")
OBJECT = "/.ATTRIBUTES/VARIABLE_VALUE"
"""How the names of TensorFlow 2's variables end."""


def is_table(path: Path) -> bool:
    """Whether a file ends as TensorFlow's tables do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(TABLE_MAGIC)))
        return file.read() == TABLE_MAGIC


def checkpoint_in(path: Path) -> Path | None:
    """The prefix of the checkpoint that a folder or file means; None where it means none.

    A folder's is the one that its file `checkpoint` names, not the one with the highest number.
    """
    if path.is_dir() or path.name == STATE:
        folder = path if path.is_dir() else path.parent
        return named_in(folder) or the_only_one(folder)
    prefix = path.with_name(SUFFIXES.sub("", path.name))
    return prefix if files_of(prefix) else None


def named_in(folder: Path) -> Path | None:
    """The checkpoint that a folder's own files name; it may have lain elsewhere when they did."""
    state, result = folder / STATE, folder / "result.json"
    told = ""
    if state.is_file():
        match = NAMED.search(state.read_text("utf-8", "replace"))
        told = match[1] if match else ""
    elif result.is_file():
        best = parse(result.read_bytes())
        told = str(best.get("best_model", "")) if isinstance(best, dict) else ""
    parts = [part for part in re.split(r"[/\\]", told) if part not in ("", ".", "..")]
    for place in (folder.joinpath(*parts[-1:]), folder.joinpath(*parts[-2:])):
        if parts and files_of(place):
            return place
    if told and state.is_file():
        raise UnreadableError(
            f"its file {STATE} names {quoted(parts[-1] if parts else told)}, which is not there",
            "name another checkpoint in the folder",
        )
    return None


def the_only_one(folder: Path) -> Path | None:
    tables = [each for each in folder.iterdir() if is_table(each)]
    found = sorted(each.with_name(SUFFIXES.sub("", each.name)) for each in tables)
    if len(found) > 1:
        raise UnreadableError(
            f"it has {len(found)} checkpoints and no file '{STATE}' that says which counts",
            f"name one of them, as {found[-1].name}",
        )
    return found[0] if found else None


def files_of(prefix: Path) -> list[Path]:
    """The files of a checkpoint: the index and the data, or one old file."""
    index = prefix.with_name(f"{prefix.name}.index")
    if is_table(index):
        return [index, *sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*-of-*"))]
    return [prefix] if is_table(prefix) else []


def read_checkpoint(path: Path, options: Options) -> Foreign:
    """The network that a folder, prefix or file means, of TensorFlow 1 or of Keras."""
    prefix = checkpoint_in(path)
    if prefix is None:
        raise UnreadableError("no checkpoint of TensorFlow", "name its folder, or its .index file")
    tensors = read_variables(prefix)
    if any(name.endswith(OBJECT) for name in tensors):
        own = {name.removesuffix(OBJECT): tensors[name] for name in tensors if OBJECT in name}
        foreign = keras_network.of_attributes(own, options)
    else:
        foreign = variables.network(tensors, options)
        folders = (prefix.parent, prefix.parent.parent)
        tried = [folder / name for folder in folders for name in VOCABULARIES]
        for file in [each for each in tried if each.is_file()][:1]:
            data = plain_data(file.read_bytes())
            foreign.symbols = symbols_of(data, foreign.size, f"as in {file.name}")
    foreign.files = files_of(prefix)
    return foreign


def read_variables(prefix: Path) -> Tensors:
    """A checkpoint's variables by name, without the optimizer's; ValueError where it is damaged."""
    from charrnn.tf.backend import tf

    room = sum(file.stat().st_size for file in files_of(prefix))
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        wanted = [
            name
            for name in sorted(shapes)
            if types[name].is_floating and not variables.SLOTS.search(name)
        ]
        if sum(prod(shapes[name]) * types[name].size for name in wanted) > room:
            raise ValueError("it is cut short, or a variable in it is larger than the file")
        return {name: np.asarray(reader.get_tensor(name), np.float32) for name in wanted}
    except (tf.errors.OpError, RuntimeError, TypeError) as error:
        why = quoted(str(error).partition("\n")[0].rpartition("; ")[2])
        raise ValueError(f"TensorFlow cannot read it: {why}") from error
