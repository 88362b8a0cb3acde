"""What the command line does with its process: signals, TensorFlow's quiet start, memory."""

import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from charrnn.tf import limits
from charrnn.training.ranks import ranks_if_joined

HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
"""Sent when the terminal is closed; `nohup` lets a program ignore it."""
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
NEVER = -1
GROWN_BYTES = 64 << 20
POSSIBLE = os.name == "posix"
"""Elsewhere the shell would take the command for ended."""


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


@contextmanager
def quiet_start() -> Iterator[None]:
    """Whatever needs TensorFlow within starts it quietly."""
    before, limits.around = limits.around, quiet_environment
    try:
        yield
    finally:
        limits.around = before


@contextmanager
def quiet_environment() -> Iterator[None]:
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


def keep_memory() -> None:
    """Let glibc keep freed memory. Call it before TensorFlow allocates; elsewhere it does nothing.

    A training step frees and allocates buffers of some 50 MB. By default glibc returns them to the
    system, and the kernel maps and clears them again at every step.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, NEVER)
    mallopt(M_TOP_PAD, GROWN_BYTES)


def start_again() -> None:
    """Replace this process by a fresh one with the same arguments, number and terminal."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
