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
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from charrnn.model.limits import check_address_space


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what native code writes to standard error; show it if the block fails."""
    try:
        screen = os.dup(2)
    except OSError:  # closed by the caller: `2>&-`
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(screen, held.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


check_address_space()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with quiet():
    import keras
    import tensorflow as tf

    # The first device and the first compiled function have their chatter too.
    tf.function(lambda: tf.constant(0), jit_compile=True, autograph=False)()

__all__ = ["has_gpu", "keras", "tf"]


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU here."""
    return bool(tf.config.list_physical_devices("GPU"))
