"""Event files for TensorBoard, written by TensorFlow's own summary writer.

TensorBoard shows the folder of one run, or that of all runs. A session that goes back to
an earlier step, because it resumes or has diverged, first removes what was logged after that step:
each file is written again without it.
"""

import warnings
from collections.abc import Callable
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.files import sync_file, sync_folder
from charrnn.runs import events
from charrnn.runs.events import Event
from charrnn.runs.history import put_aside
from charrnn.tf.start import tf
from charrnn.types import Tensors

CopyWeights = Callable[[], Tensors]
POINTS = 200
"""About so many single steps of a plan are logged, beside all its evaluations: writing each step's
loss would take as long as a small network's steps themselves."""
BUCKETS = 30
SCALAR, TENSOR = 1, 2
"""Kinds of data, as TensorBoard counts them."""
PATTERN = "*.tfevents.*"


class EventFiles:
    """Logs events into a folder of event files.

    Args:
        folder: It is made where it is missing.
        step: What was logged after this step is removed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder = folder
        self._open(step)

    def _open(self, step: int) -> None:
        remove_after(self._folder, step)
        self._writer = tf.summary.create_file_writer(str(self._folder))

    def log(self, event: Event, weights: CopyWeights) -> None:
        """Write an event. All that was logged is in the file by the time of each evaluation."""
        if isinstance(event, events.Stepped) and not is_due(event):
            return  # every step comes here: nothing must be done for most of them
        with self._writer.as_default():
            self._write(event, weights)

    def close(self) -> None:
        self._writer.close()

    @singledispatchmethod
    def _write(self, event: Event, weights: CopyWeights) -> None:
        """Most events are not logged."""

    @_write.register
    def _(self, event: events.Stepped, weights: CopyWeights) -> None:
        scalar("loss/step_nats", event.loss_nats, event.step)

    @_write.register
    def _(self, event: events.Evaluated, weights: CopyWeights) -> None:
        for name, value in scalars(event).items():
            if value is not None:
                scalar(name, value, event.step)
        for name, weight in weights().items():
            histogram(f"weights/{name}", weight, event.step)
        self._writer.flush()

    @_write.register
    def _(self, event: events.Sampled, weights: CopyWeights) -> None:
        text("sample", event.text, event.step)
        self._writer.flush()

    @_write.register
    def _(self, event: events.Saved, weights: CopyWeights) -> None:
        self._writer.flush()

    @_write.register
    def _(self, event: events.RolledBack, weights: CopyWeights) -> None:
        self._writer.close()
        self._open(event.step)


def is_due(event: events.Stepped) -> bool:
    return not event.skipped and event.step % max(1, event.end // POINTS) == 0


def scalars(event: events.Evaluated) -> dict[str, float | None]:
    """An evaluation's numbers by their names in TensorBoard."""
    return {
        "loss/train_nats": event.train_loss_nats,
        "loss/validation_nats": event.val_loss_nats,
        "loss/validation_bits_per_char": event.val_bits_per_char,
        "learning_rate": event.learning_rate,
        "gradient_norm": event.gradient_norm,
        "epoch": event.epoch,
    }


def scalar(name: str, value: float, step: int) -> None:
    tf.summary.write(name, np.float32(value), step, described("scalars", SCALAR))


def text(name: str, value: str, step: int) -> None:
    """Write a text as it is. TensorBoard reads Markdown, in which indented lines stay unchanged."""
    lines = "".join(f"    {line}\n" for line in value.split("\n"))
    tf.summary.write(name, lines.encode("utf-8", "replace"), step, described("text", TENSOR))


def histogram(name: str, values: np.ndarray, step: int) -> None:
    """Write how values are distributed: rows [BUCKETS, 3] of left edge, right edge and count."""
    counts, edges = np.histogram(values, BUCKETS)
    rows = np.stack([edges[:-1], edges[1:], counts], 1).astype(np.float64)
    tf.summary.write(name, rows, step, described("histograms", TENSOR))


def described(plugin: str, kind: int) -> Any:
    """What tells TensorBoard which part of it shows a value.

    `tf.summary.scalar` and its like would add the same, but they need TensorBoard installed.
    """
    metadata = tf.compat.v1.SummaryMetadata
    return metadata(plugin_data=metadata.PluginData(plugin_name=plugin), data_class=kind)


def remove_after(folder: Path, step: int) -> None:
    """Write the event files in a folder again without what is later than a step.

    A file that is damaged, or ends within a record because its process was killed, is kept under
    another name, which TensorBoard does not read.
    """
    for path in sorted(folder.glob(PATTERN)):
        kept, whole = records(path)
        if whole and all(step_of(record) <= step for record in kept):
            continue
        rewritten = path.with_name(".rewritten.part")
        with tf.io.TFRecordWriter(str(rewritten)) as writer:
            for record in kept:
                if step_of(record) <= step:
                    writer.write(record)
        sync_file(rewritten)
        if not whole:
            put_aside(path, "damaged")
        rewritten.replace(path)
        sync_folder(folder)


def records(path: Path) -> tuple[list[bytes], bool]:
    """The records of a file up to the first that cannot be read, and whether these are all."""
    read: list[bytes] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # where functions are to run eagerly
        stored = iter(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    try:
        read.extend(stored)
    except tf.errors.DataLossError:
        return read, False
    return read, True


def step_of(record: bytes) -> int:
    event: Any = tf.compat.v1.Event.FromString(record)
    return int(event.step)
