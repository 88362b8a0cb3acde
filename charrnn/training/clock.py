"""The time that training takes, which adds up across the sessions of a run."""

import time

from charrnn.progress import Progress


class Clock:
    """Measures the seconds of one session, beginning when the clock is made."""

    def __init__(self) -> None:
        self._counted_until = time.perf_counter()

    def update(self, progress: Progress) -> None:
        """Add the seconds since the last update to `progress.elapsed_seconds`."""
        now = time.perf_counter()
        progress.elapsed_seconds += now - self._counted_until
        self._counted_until = now
