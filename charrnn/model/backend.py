"""TensorFlow and Keras, imported in one place.

Nothing of the process is changed for it: no environment variable, no stream. What TensorFlow
writes when it starts is held back by the command line alone (charrnn/cli/native.py).
"""

import os
import sys

from charrnn.errors import ConfigError


def check_backend(name: str) -> None:
    """Raise ConfigError where Keras computes with something else than TensorFlow."""
    if name != "tensorflow":
        raise ConfigError(
            f"Keras is set to run on {name}, and charrnn needs it on TensorFlow",
            way_out="set the environment variable KERAS_BACKEND to tensorflow and start anew",
        )


if "keras" not in sys.modules:  # asked first: another backend may not even be installed
    check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
import keras  # noqa: E402

check_backend(keras.backend.backend())
import tensorflow as tf  # noqa: E402

__all__ = ["has_gpu", "keras", "tf"]


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU here."""
    return bool(tf.config.list_physical_devices("GPU"))
