"""TensorFlow's graphs without XLA, which takes longer to compile them than a tiny run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest import mock


@contextmanager
def without_xla() -> Iterator[None]:
    """Functions that are made here become graphs, and XLA compiles none of them."""
    from charrnn.tf.start import tf

    function = tf.function

    @wraps(function)
    def as_graph(*given: Any, jit_compile: bool | None = None, **options: Any) -> Any:
        return function(*given, **options)

    with mock.patch.object(tf, "function", as_graph):
        yield
