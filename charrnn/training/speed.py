"""How fast this machine is, before anything is trained on it."""

import time
from functools import cache

from charrnn.model.backend import start, tf

ROWS, INPUTS, OUTPUTS = 64, 512, 2048
PROBE_SECONDS = 0.4
"""A matrix product is repeated for so long."""


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
