"""TensorFlow and Keras, imported in one place.

Nothing of the process is changed for it: no environment variable, no stream.
"""

import os
import sys
from functools import cache

from charrnn.errors import ConfigError
from charrnn.tf import limits
from charrnn.tf.limits import check_address_space

__all__ = ["has_gpu", "keras", "start", "tf"]


def check_backend(name: str) -> None:
    """Raise ConfigError where Keras computes with something else than TensorFlow."""
    if name != "tensorflow":
        raise ConfigError(
            f"Keras uses {name} as its backend, and charrnn needs TensorFlow",
            way_out="set the environment variable KERAS_BACKEND to tensorflow and restart Python",
        )


check_address_space()
with limits.around():
    if "keras" not in sys.modules:  # asked first: another backend may not even be installed
        check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
    import keras

    check_backend(keras.backend.backend())
    import tensorflow as tf


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU here."""
    return bool(tf.config.list_physical_devices("GPU"))


@cache
def start() -> None:
    """Compute for the first time: the devices and the number of threads are fixed by that."""
    with limits.around():
        tf.function(lambda: tf.constant(0), jit_compile=True, autograph=False)()
