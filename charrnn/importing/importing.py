"""`import_model`: from the files of another tool to a run."""

import hashlib
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn.config.settings import checks_names
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import name_place, sync_folder
from charrnn.importing import lua, pytorch, tf_checkpoint
from charrnn.importing.foreign import (
    DAMAGED,
    ORDERS,
    Foreign,
    Options,
    Symbols,
    UnreadableError,
    read_vocabulary,
    to_checkpoint,
)
from charrnn.network.instant import InstantNetwork
from charrnn.runs import checkpoints as files
from charrnn.runs.checkpoints import Checkpoint, Origin
from charrnn.runs.manage import aside, free_place
from charrnn.runs.run import DEFAULT_ROOT, Run
from charrnn.sampling.filters import log_softmax
from charrnn.text.sources import run_name
from charrnn.types import PathLike

SCORED = 2000
"""So many characters of a vocabulary's text tell whether the numbers are theirs."""
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
STRANGERS = (
    (
        rb"version https://git-lfs",
        "a Git LFS pointer, not the model",
        "run: git lfs pull",
    ),
    (rb"\s*<(!doctype )?html", "a web page, not a model", "download the file itself, as raw"),
    (
        rb"\d[\r\n]",
        "a file of Torch 7 in its ASCII form",
        "save it in the binary form, in Torch: torch.save(path, torch.load(path, 'ascii'))",
    ),
    (
        rb".{257}ustar",
        "a tar archive, which the first versions of PyTorch wrote, or something packed",
        "unpack it, or save the state_dict with a newer PyTorch",
    ),
)
"""How files begin that people have in place of a model, what they are, and what to do."""
AGAIN = "fetch the file again if it may be damaged"


class Imported(NamedTuple):
    """What was written."""

    run: Run
    origin: Origin
    checkpoint: Checkpoint
    loss_nats: float | None
    """Of the beginning of the text that gave the vocabulary; None without such a text."""

    @property
    def looks_ciphered(self) -> bool:
        return (self.loss_nats or 0) > math.log(self.checkpoint.vocabulary.size)


@checks_names
def import_model(
    path: PathLike,
    *,
    name: str | None = None,
    tool: str | None = None,
    vocabulary: PathLike | None = None,
    order: str | None = None,
    forget_bias: float | None = None,
    activation: str | None = None,
    recurrent_activation: str | None = None,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> Imported:
    """Write a model that another tool trained as a run.

    Args:
        path: Its file or folder.
        name: Of the run; by default that of the file or folder.
        tool: One of `TOOLS`, if what is in the file shall not decide.
        vocabulary: The tool's own file of characters, or the text that the model has learnt: needed
            where the model's file does not tell, and else in its place.
        order: How the tool numbered the characters of that text: "sorted", "first" (by first
            appearance) or "frequency"; by default as the tool does.
        forget_bias: What the tool added to an LSTM's forget gate when it ran, where its files
            do not have it: those of TensorFlow 1 and ml5.
        activation: The cells' function, where the file does not tell: that of `nn.RNN`, and of
            Keras's weights without a configuration.
        recurrent_activation: The gates' function, likewise.
        checkpoints: The folder of the runs.

    Returns:
        The run, where it came from, and how well it predicts the text.

    Raises:
        CheckpointError: The file is damaged, or not a network that charrnn has.
        ConfigError: The vocabulary is missing, or a setting has an impossible value.
        RunError: There is a run of this name.
        OSError: A file cannot be read or written.
    """
    source, root = Path(path), Path(checkpoints)
    for setting, value, choices in (("tool", tool, TOOLS), ("order", order, tuple(ORDERS))):
        if value is not None and value not in choices:
            raise ConfigError(f"must be one of {', '.join(choices)}", {setting: value})
    place = free_place(run_name([source.resolve()]) if name is None else name, root)
    options = Options(forget_bias, activation, recurrent_activation)
    with name_file_in_errors(source):
        head = head_of(source)
        foreign = READERS[tool or recognise(source, head)](source, options)
    symbols, text, order = foreign.symbols, None, order or foreign.order
    if vocabulary is not None:
        with name_file_in_errors(Path(vocabulary)):
            symbols, text = read_vocabulary(Path(vocabulary), foreign.size, order, foreign.spare)
    if symbols is None:
        raise ConfigError(
            f"needed, since the file does not tell which its {foreign.size} characters are",
            {"vocabulary": None},
            where=source,
            way_out="give the tool's own file of them, or the text that it learnt",
        )
    with name_file_in_errors(source):
        origin = origin_of(foreign, symbols, source)
        checkpoint = to_checkpoint(foreign, symbols, origin)
        loss = None if text is None else loss_of(checkpoint, text)
    root.mkdir(parents=True, exist_ok=True)
    with aside(root) as folder:  # the run appears when all is in it
        staged = Run(folder / place.name)
        staged.folder.mkdir()
        for file in (staged.best, staged.last):
            files.save(file, checkpoint)
        staged.folder.rename(place.folder)
    sync_folder(root)
    return Imported(place, origin, checkpoint, loss)


@contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into one line that names it."""
    try:
        with name_place(path), np.errstate(over="ignore", invalid="ignore"):
            yield
    except UnreadableError as error:
        raise CheckpointError(str(error), where=path, way_out=error.way_out) from error
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = str(error) if isinstance(error, ValueError) else "it is damaged"
        raise CheckpointError(why, where=path, way_out=AGAIN) from error


def recognise(path: Path, head: bytes) -> str:
    """The tool that made a file or folder, by what is in it; UnreadableError where none did."""
    if head.startswith(ZIP):
        with zipfile.ZipFile(path) as archive:
            return "keras" if "config.json" in archive.namelist() else "pytorch"
    if head.startswith(HDF5):
        return "keras"
    if pytorch.is_legacy(head):
        return "pytorch"
    if head[:4] in (b"\3\0\0\0", b"\4\0\0\0"):
        return "torch-rnn"
    if tf_checkpoint.is_manifest(path):
        return "ml5"
    if tf_checkpoint.checkpoint_in(path):
        return "char-rnn-tensorflow"
    raise UnreadableError(
        "no model of a tool that charrnn knows",
        "name a file of torch-rnn, char-rnn, PyTorch or Keras, or a folder of char-rnn-tensorflow"
        " or ml5",
    )


def head_of(path: Path) -> bytes:
    """How a file begins, or b"" of a folder or prefix; UnreadableError for what is no model."""
    if path.is_dir() or (not path.exists() and tf_checkpoint.checkpoint_in(path)):
        return b""
    with path.open("rb") as file:
        head = file.read(512)
    for pattern, why, way_out in STRANGERS:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            raise UnreadableError(why, way_out)
    return head


def from_keras(path: Path, options: Options) -> Foreign:
    """The network in a file of Keras, or in its checkpoint of TensorFlow 2."""
    if not path.is_file() or tf_checkpoint.is_table(path):
        return tf_checkpoint.read_checkpoint(path, options)
    from charrnn.importing.keras_models import read_file

    return read_file(path, options)


READERS: dict[str, Callable[[Path, Options], Foreign]] = {
    "torch-rnn": lua.read_checkpoint,
    "char-rnn": lua.read_checkpoint,
    "char-rnn-tensorflow": tf_checkpoint.read_checkpoint,
    "ml5": tf_checkpoint.read_folder,
    "pytorch": pytorch.read_checkpoint,
    "keras": from_keras,
}
TOOLS = tuple(READERS)
"""The tools whose models are read."""


def origin_of(foreign: Foreign, symbols: Symbols, source: Path) -> Origin:
    """What the run's checkpoints tell of where it came from."""
    digest, files = hashlib.sha256(), foreign.files or [source]
    for each in files:
        digest.update(each.read_bytes())
    units = "bytes" if symbols.byte_level else "Unicode characters"
    assumed = (*foreign.assumed, units, f"numbered {symbols.source}")
    return Origin(foreign.tool, files[0].name, digest.hexdigest(), assumed)


def loss_of(checkpoint: Checkpoint, text: str) -> float:
    """The mean loss of the characters after the first one, at the beginning of a text, in nats."""
    network = InstantNetwork(checkpoint.config.model, checkpoint.weights)
    losses = [
        -log_softmax(network.read(np.array([[read]])).astype(np.float64))[0, follows]
        for read, follows in pairwise(checkpoint.vocabulary.encode(text[:SCORED]))
    ]
    return float(np.mean(losses)) if losses else 0.0
