"""How workers find each other: each listens at its own address, and at that one alone."""

import socket
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from ipaddress import ip_address

from charrnn.errors import WorkerError
from charrnn.workers.cluster import Address, Cluster
from charrnn.workers.messages import Message, receive, send

MEETING_SECONDS = 600.0
"""So long a worker waits for the others to be started."""
GREETING_SECONDS = 10.0
"""Whoever connects has to say so soon who it is."""
RETRY_SECONDS = 0.5


def listen(cluster: Cluster) -> socket.socket:
    """A socket that listens at this worker's address; WorkerError where that cannot be."""
    address = cluster.addresses[cluster.worker]
    refuse_loopback(cluster)
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(address, family=family, backlog=cluster.size + 16)
    except OSError as error:
        why, _, _ = (error.strerror or str(error)).partition(" (")  # Python adds the address
        raise WorkerError(
            f"cannot listen there: {why.lower()}",
            where=cluster.named(cluster.worker),
            way_out="name an address of this machine, with a port that is free",
        ) from error


def refuse_loopback(cluster: Cluster) -> None:
    """Raise WorkerError where this worker would listen inside its machine, and others are outside.

    Many systems know their own name as an address that only they can reach.
    """
    here = cluster.addresses[cluster.worker]
    if on_loopback(here) and not all(map(on_loopback, cluster.addresses)):
        raise WorkerError(
            f"{here.host} is an address inside this machine here, which no other machine reaches",
            where=cluster.named(cluster.worker),
            way_out="name its address in the network, the same on all workers",
        )


def on_loopback(address: Address) -> bool:
    """Whether an address is one that a machine has for itself alone."""
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        return False
    return ip_address(str(found).partition("%")[0]).is_loopback


def connect(
    cluster: Cluster, worker: int, greeting: Message, check: Callable[[], None] = lambda: None
) -> Generator[None, None, socket.socket]:
    """A connection to another worker, which is told who calls; while it is waited for, Nones.

    Raises:
        WorkerError: It does not answer in time, or `check` has found that a worker is lost.
    """
    begin = time.monotonic()
    while True:
        try:
            connection = socket.create_connection(cluster.addresses[worker], GREETING_SECONDS)
            break
        except OSError as error:
            check()
            if time.monotonic() > begin + MEETING_SECONDS:
                raise unreachable(cluster.named(worker), error) from error
            time.sleep(RETRY_SECONDS)
            yield
    prepare(connection)
    send(connection, greeting)
    return connection


def accept(
    listener: socket.socket, check: Callable[[], None] = lambda: None
) -> Generator[None, None, tuple[socket.socket, Message]]:
    """The next worker that calls, with its greeting; while it is waited for, Nones.

    Whoever else connects, such as a scanner of ports, is sent away.
    """
    listener.settimeout(RETRY_SECONDS)
    while True:
        check()
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            try:
                prepare(connection)
                return connection, receive(connection, most=0)
            except (OSError, ValueError):
                connection.close()
        yield


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
