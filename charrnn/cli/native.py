"""TensorFlow started without what its native code writes to the screen.

The command line owns its process: it chooses Keras's backend and TensorFlow's log level, and
holds back standard error while both are imported. A library must do none of this, so
`charrnn.model.backend` does not.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

BACKEND = "charrnn.model.backend"


@contextmanager
def quiet_start() -> Iterator[None]:
    """Whatever imports TensorFlow within, by way of `charrnn.model.backend`, does so quietly.

    Most commands come to need it deep in the library, if at all: so the import is what is
    changed, and not each command.
    """
    finder = QuietFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class QuietFinder(MetaPathFinder):
    """Finds `charrnn.model.backend` as ever, and has it loaded by a `QuietLoader`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == BACKEND else None
        if spec is not None and spec.loader is not None:
            spec.loader = QuietLoader(spec.loader)
        return spec


class QuietLoader(Loader):
    """Loads a module as another loader does, and compiles a first function, without chatter."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with quiet():
            self._loader.exec_module(module)
            # The first device and the first compiled function have their chatter too.
            tf = module.tf
            tf.function(lambda: tf.constant(0), jit_compile=True, autograph=False)()


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
