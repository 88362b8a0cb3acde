"""How workers find each other: each listens at its own address, and at that one alone."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from charrnn.errors import WorkerError
from charrnn.workers.cluster import Cluster
from charrnn.workers.messages import Message, receive, send

MEETING_SECONDS = 600.0
"""So long a worker waits for the others to be started."""
GREETING_SECONDS = 10.0
"""Whoever connects has to say so soon who it is."""
RETRY_SECONDS = 0.5


def listen(cluster: Cluster) -> socket.socket:
    """A socket that listens at this worker's address; WorkerError where that cannot be."""
    address = cluster.addresses[cluster.worker]
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(address, family=family, backlog=cluster.size + 16)
    except OSError as error:
        raise WorkerError(
            f"cannot listen there: {(error.strerror or str(error)).lower()}",
            where=cluster.named(cluster.worker),
            way_out="name an address of this machine, with a port that is free",
        ) from error


def connect(
    cluster: Cluster, worker: int, greeting: Message, check: Callable[[], None] = lambda: None
) -> socket.socket:
    """A connection to another worker, which is told who calls; it is waited for.

    Raises:
        WorkerError: It does not answer in time, or `check` has found that a worker is lost.
    """
    until = time.monotonic() + MEETING_SECONDS
    while True:
        try:
            connection = socket.create_connection(cluster.addresses[worker], GREETING_SECONDS)
            break
        except OSError as error:
            check()
            if time.monotonic() > until:
                raise unreachable(cluster.named(worker), error) from error
            time.sleep(RETRY_SECONDS)
    prepare(connection)
    send(connection, greeting)
    return connection


def accept(
    listener: socket.socket, until: float, check: Callable[[], None] = lambda: None
) -> tuple[socket.socket, Message] | None:
    """The next worker that calls, with its greeting; None when the time is over.

    Whoever else connects, such as a scanner of ports, is sent away.
    """
    listener.settimeout(RETRY_SECONDS)
    while time.monotonic() < until:
        check()
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            try:
                prepare(connection)
                return connection, receive(connection, most=0)
            except (OSError, ValueError):
                connection.close()
    return None


def prepare(connection: socket.socket) -> None:
    """Small messages travel at once, and nobody is waited for long."""
    connection.settimeout(GREETING_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def unreachable(peer: str, error: OSError | None = None) -> WorkerError:
    """The error for a worker that does not come."""
    why = f": {(error.strerror or str(error)).lower()}" if error is not None else ""
    return WorkerError(
        f"cannot be reached after {MEETING_SECONDS / 60:g} minutes{why}",
        where=peer,
        way_out="see that it runs, and that the network lets the workers' ports through",
    )
