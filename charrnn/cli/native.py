"""TensorFlow started without what its native code writes to the screen.

The command line owns its process: it chooses Keras's backend, keeps Keras from reading and
writing a file of settings in the user's home folder, and holds back standard error while
TensorFlow starts. A library must do none of this, so `charrnn.tf.backend` does not.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from charrnn.tf import starting


@contextmanager
def quiet_start() -> Iterator[None]:
    """Whatever needs TensorFlow within starts it quietly."""
    before, starting.around = starting.around, prepared
    try:
        yield
    finally:
        starting.around = before


@contextmanager
def prepared() -> Iterator[None]:
    """The environment as charrnn needs it, and silence."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("KERAS_HOME", os.devnull)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        yield


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
