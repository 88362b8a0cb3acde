"""What the rounding of a training step depends on, beside a run's settings.

A product is cut into one piece for each thread, and the pieces decide in which order sums are
rounded. So a run keeps its number of threads: fewer cores then take longer over the same
numbers. Another processor or another TensorFlow may still round otherwise, which is noted.
"""

import platform
import time
from collections.abc import Iterator
from functools import cache

from charrnn.config import Config
from charrnn.runs.events import Note
from charrnn.runs.progress import Progress
from charrnn.tf.limits import cores, told_by_system
from charrnn.tf.start import keras, start, tf
from charrnn.training.notes import plural
from charrnn.training.ranks import Ranks

VECTORS = ("avx512f", "avx2", "avx")
"""Instructions for vectors, the widest first: compiled code rounds as these add up."""
ROWS, INPUTS, OUTPUTS = 64, 512, 2048
PROBE_SECONDS = 0.4
"""A matrix product is repeated for so long."""


def machine() -> str:
    return f"{processor()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"


def processor() -> str:
    """The processor's name and its widest instructions for vectors, as far as can be told."""
    told = told_by_system()
    name = told.get("model name") or platform.processor() or platform.machine()
    widest = (each for each in VECTORS if each in told.get("flags", "").split())
    return " ".join([name, *list(widest)[:1]])


def use_threads(wanted: int | None, ranks: Ranks) -> Iterator[Note]:
    """Compute products with so many threads; note it where TensorFlow has others already.

    Once TensorFlow has begun to compute, its number of threads stays what it is: a program
    that trains several runs has one number for all of them. Of several GPUs each rank of the
    machine takes its own.
    """
    wanted = wanted or cores()
    gpus = tf.config.list_physical_devices("GPU")
    try:
        if gpus and ranks.size > 1:
            tf.config.set_visible_devices(gpus[ranks.local_rank % len(gpus)], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(wanted)
    except RuntimeError:
        used = tf.config.threading.get_intra_op_parallelism_threads() or cores()
        if used != wanted:
            yield Note(
                f"this process computes with {plural(used, 'thread')} already, not with the run's"
                f" {wanted}: sums may be rounded differently"
            )
    start()


def note_other_machine(progress: Progress, config: Config) -> Iterator[Note]:
    """Note where a resumed run meets other cores or another machine; record the machine."""
    threads, here = config.training.threads, machine()
    if threads != cores():
        yield Note(
            f"the run keeps to {plural(threads or 0, 'thread')}, to be exact; there"
            f" {'is' if cores() == 1 else 'are'} {plural(cores(), 'core')} here"
        )
    if progress.machine not in ("", here):
        yield Note(
            f"the run was on {progress.machine} before, and is on {here} now:"
            " sums may be rounded differently"
        )
    progress.machine = here


@cache
def operations_per_second() -> float:
    """Multiplications and additions that a matrix product comes to here: the best of several."""
    start()
    x, y = tf.ones((ROWS, INPUTS)), tf.ones((INPUTS, OUTPUTS))
    times: list[float] = []
    end = time.perf_counter() + PROBE_SECONDS
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        tf.matmul(x, y).numpy()
        times.append(time.perf_counter() - begin)
    return 2 * ROWS * INPUTS * OUTPUTS / max(min(times), 1e-9)
