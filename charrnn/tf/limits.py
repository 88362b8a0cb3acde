"""What this process may use (cores, address space), and what is done around TensorFlow's start."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from charrnn.errors import CharrnnError

NEEDED_BYTES = 2_600 << 20
"""Address space that TensorFlow maps before its first step, though it uses little of it."""
CORE_BYTES = 80 << 20
"""Address space for the stacks and heaps of the threads that it starts for each core."""
CPU_INFO = Path("/proc/cpuinfo")
sharing = 1
"""How many processes share the cores, where the system does not deal cores to processes."""
around: Callable[[], AbstractContextManager[None]] = nullcontext
"""Entered around TensorFlow's start. A library must neither set environment variables nor mute a
stream; the command line may, and puts something of its own here (charrnn/cli/process.py)."""


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return max(1, (os.cpu_count() or 1) // sharing)


def check_address_space() -> None:
    """CharrnnError where the process may not map as much as TensorFlow does (`ulimit -v`).

    It has to be known beforehand: native code that is refused a thread or a mapping ends the
    process at once, without a word. Measured with TensorFlow 2.21 on one core and on two.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = NEEDED_BYTES + CORE_BYTES * cores()
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise CharrnnError(
            f"TensorFlow needs {needed / 1e9:.1f} GB of address space,"
            f" and the limit is {limit / 1e9:.1f} GB",
            way_out="raise it with: ulimit -v unlimited",
        )


def told_by_system() -> dict[str, str]:
    """Return what Linux tells of the processor, by name."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    return {
        name.strip(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }
