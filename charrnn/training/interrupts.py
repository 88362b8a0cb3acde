"""Ctrl-C while something must not be cut short: the KeyboardInterrupt waits until that is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[None]:
    """Raise KeyboardInterrupt after the block, not within it; a second Ctrl-C raises at once.

    A program that handles SIGINT in its own way continues to do so.
    """
    if not raises_here():
        yield
        return
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if received:
        raise KeyboardInterrupt


def raises_here() -> bool:
    """Whether Ctrl-C raises KeyboardInterrupt in this thread, as Python has it by default."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
