"""Event files for TensorBoard, written by TensorFlow's own summary writer.

TensorBoard shows the folder of one run, or that of all runs. Where a session goes back to an
earlier step, because it resumes or has diverged, TensorBoard's server drops what was logged from
there on; its Python reader keeps both (findings/tensorboard_session_start.sh).
"""

from collections.abc import Callable
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.runs import events
from charrnn.runs.events import Event
from charrnn.tf.start import tf
from charrnn.types import Tensors

CopyWeights = Callable[[], Tensors]
POINTS = 200
"""About so many single steps of a plan are logged, beside all its evaluations: writing each step's
loss would take as long as a small network's steps themselves."""
BUCKETS = 30
SCALAR, TENSOR = 1, 2
"""Kinds of data, as TensorBoard counts them."""


class EventFiles:
    """Logs events into a folder of event files.

    Args:
        folder: It is made where it is missing.
        step: Where the session begins; TensorBoard need not know it.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

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
