"""Ctrl-C and the other requests to stop: training then saves before it ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from charrnn.training.ranks import ranks_if_joined

HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
"""Sent when the terminal is closed; `nohup` lets a program ignore it."""


def requests() -> tuple[signal.Signals, ...]:
    """The signals that ask a program to stop; not SIGHUP where it is ignored, as by `nohup`.

    Several ranks also stop at SIGUSR1, the one signal after which every launcher leaves time to
    save.
    """
    stopping: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
    if ranks_if_joined() is not None:
        stopping += (signal.SIGUSR1,)
    if HANGUP is None or signal.getsignal(HANGUP) is signal.SIG_IGN:
        return stopping
    return (*stopping, HANGUP)


@contextmanager
def stop_signals(*signals: signal.Signals) -> Iterator[list[int]]:
    """Collect the first of the signals; after it, each of them acts as it did before.

    Args:
        signals: Those to collect. With none: all `requests`.
    """
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in signals or requests()}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        restore()
