"""A sum over all workers, computed in a ring (Patarasuk and Yuan 2009).

The vector is cut into N pieces. In N - 1 turns each worker sends a piece to the next worker and
adds the one that comes from the worker before; then every worker has the whole sum of one piece.
In N - 1 more turns the sums travel on in the same way. So each worker sends and receives
2 (N - 1) / N of the vector, however many workers there are, and all have the same bits.
"""

import select
import socket
from collections.abc import Callable

import numpy as np

PAUSE_SECONDS = 0.5
"""Where nothing comes or goes for so long, the lines are asked whether a worker is lost."""


class Ring:
    """The connections to the worker before and to the next one.

    Args:
        worker: The number of this worker.
        size: How many workers there are.
        preceding: The connection from the worker before.
        following: The connection to the next worker.
        check: Raises an error where a worker is lost.
    """

    def __init__(
        self,
        worker: int,
        size: int,
        preceding: socket.socket,
        following: socket.socket,
        check: Callable[[], None],
    ) -> None:
        self._worker, self._size, self._check = worker, size, check
        self._preceding, self._following = preceding, following
        for connection in (preceding, following):
            connection.setblocking(False)

    def sum(self, vector: np.ndarray) -> np.ndarray:
        """The sum of the vectors float32 [n] of all workers, n at least N, in place of this one.

        Raises:
            OSError: A connection of the ring is lost.
        """
        pieces = np.array_split(vector, self._size)
        received = np.empty_like(pieces[0])
        for turn in range(self._size - 1):
            outgoing, incoming = (self._piece(pieces, -turn - back) for back in (0, 1))
            self._exchange(outgoing, received[: incoming.size])
            incoming += received[: incoming.size]
        for turn in range(self._size - 1):
            outgoing, incoming = (self._piece(pieces, 1 - turn - back) for back in (0, 1))
            self._exchange(outgoing, incoming)
        return vector

    def close(self) -> None:
        """Close both connections."""
        self._preceding.close()
        self._following.close()

    def _piece(self, pieces: list[np.ndarray], distance: int) -> np.ndarray:
        return pieces[(self._worker + distance) % self._size]

    def _exchange(self, outgoing: np.ndarray, incoming: np.ndarray) -> None:
        """Send one piece to the next worker while another comes from the worker before."""
        to_send, to_fill = (each.data.cast("B") for each in (outgoing, incoming))
        while to_send or to_fill:
            readable, writable, _ = select.select(
                [self._preceding] * bool(to_fill),
                [self._following] * bool(to_send),
                [],
                PAUSE_SECONDS,
            )
            if writable:
                to_send = to_send[sent_from(self._following, to_send) :]
            if readable:
                to_fill = to_fill[received_into(self._preceding, to_fill) :]
            if not readable and not writable:
                self._check()


def sent_from(connection: socket.socket, view: memoryview) -> int:
    """How many bytes could be sent."""
    try:
        return connection.send(view)
    except BlockingIOError:  # there was no room after all
        return 0


def received_into(connection: socket.socket, view: memoryview) -> int:
    """How many bytes have come; ConnectionError where the other side has closed."""
    try:
        received = connection.recv_into(view)
    except BlockingIOError:
        return 0
    if not received:
        raise ConnectionResetError("closed by the other side")
    return received
