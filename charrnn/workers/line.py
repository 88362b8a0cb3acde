"""The line between worker 0 and another worker: messages, and signs of life beside them.

Each side sends a sign of life every two seconds, from a thread of its own, however long it
computes. A side that is silent for longer than `SILENCE` hangs, or the network between them does.
"""

import socket
import threading
from collections.abc import Generator
from contextlib import suppress
from queue import Empty, SimpleQueue

from charrnn.errors import WorkerError
from charrnn.workers.messages import Message, receive, send

BEAT_SECONDS = 2.0
"""From one sign of life to the next."""
SILENCE_SECONDS = 30.0
"""After so long without one a worker counts as lost."""
PAUSE_SECONDS = 1.0
AGAIN = "when it can run again, start all workers with `resume`: the last checkpoint is whole"
BEAT, ERROR, END = "beat", "error", "end"


class Line:
    """A connection to another worker that is watched all the time.

    Args:
        connection: The socket; the line closes it.
        peer: The other side, as messages name it.
        patience: Seconds until its first sign of life, where it may come later than others.
    """

    def __init__(self, connection: socket.socket, peer: str, patience: float | None = None) -> None:
        self.peer = peer
        self._connection, self._sending = connection, threading.Lock()
        self._received: SimpleQueue[Message | WorkerError] = SimpleQueue()
        self._failure: WorkerError | None = None
        self._closed = threading.Event()
        connection.settimeout(patience or SILENCE_SECONDS)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        threading.Thread(target=self._beat, daemon=True).start()

    def send(self, message: Message) -> None:
        """Send a message; WorkerError where the other side is lost."""
        self.check()
        try:
            with self._sending:
                send(self._connection, message)
        except OSError as error:
            raise self._failure or lost(self.peer, error) from error

    def receive(self) -> Generator[None, None, Message]:
        """Wait for the next message; after each second of waiting there is a None.

        Raises:
            WorkerError: The other side is lost, or tells of one that is.
        """
        while True:
            with suppress(Empty):
                received = self._received.get(timeout=PAUSE_SECONDS)
                if isinstance(received, WorkerError):
                    raise received
                return received
            yield

    def expect(self, kind: str) -> Generator[None, None, Message]:
        """Wait for a message, which has to be of this kind."""
        message = yield from self.receive()
        if message.kind != kind:
            raise WorkerError(f"said {message.kind!r} in place of {kind!r}", where=self.peer)
        return message

    def check(self) -> None:
        """Raise WorkerError where the other side is lost."""
        if self._failure is not None:
            raise self._failure

    def wait_for_failure(self, seconds: float) -> None:
        """Give the other side so long to say what is wrong; WorkerError if it does."""
        self._closed.wait(seconds)
        self.check()

    def say_last(self, message: Message) -> None:
        """Send a last message, if the other side still listens."""
        with suppress(OSError, WorkerError):
            self.send(message)
        self._closed.set()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection after the last message.

        What still comes is read for a moment: a connection that is closed on unread bytes would
        take the last message back.
        """
        self._listener.join(BEAT_SECONDS)
        self._connection.close()

    def _listen(self) -> None:
        try:
            while True:
                message = receive(self._connection)
                self._connection.settimeout(SILENCE_SECONDS)
                if message.kind == ERROR:
                    raise WorkerError(str(message.fields.get("text", "")))
                if message.kind != BEAT:
                    self._received.put(message)
                if message.kind == END:
                    return  # that the connection is closed then is no failure
        except (OSError, ValueError, WorkerError) as error:
            self._failure = error if isinstance(error, WorkerError) else lost(self.peer, error)
            self._received.put(self._failure)
            self._closed.set()

    def _beat(self) -> None:
        while not self._closed.is_set():
            with suppress(OSError), self._sending:
                send(self._connection, Message(BEAT))
            self._closed.wait(BEAT_SECONDS)


def lost(peer: str, error: Exception) -> WorkerError:
    """The error for a worker that is lost."""
    if isinstance(error, TimeoutError):
        why = (
            f"has not been heard of for {SILENCE_SECONDS:g} seconds: it hangs, or the network does"
        )
    elif isinstance(error, ValueError):
        why = str(error)
    else:
        why = "is gone: the connection was closed"
    return WorkerError(why, where=peer, way_out=AGAIN)
