"""A worker's connections to the others, from the first greeting to the last word.

worker 0                                   every other worker
------------------------------------------------------------------
                                      <--  hello: its facts
welcome: the run and its text         -->
                                      <--  text: what it has encoded
begin: the run's settings             -->
                (each connects to the next one: the ring)
step, exchange, state, restore        -->
                                      <--  state: its streams' state
end                                   -->
"""

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TypeVar

import numpy as np

from charrnn.errors import CharrnnError, WorkerError
from charrnn.plain import typed
from charrnn.workers import meeting
from charrnn.workers.cluster import Cluster, share
from charrnn.workers.facts import Facts, compare, compare_texts
from charrnn.workers.line import AGAIN, END, ERROR, Line, lost
from charrnn.workers.messages import Message
from charrnn.workers.ring import Ring

Result = TypeVar("Result")
Waiting = Generator[None, None, Result]
"""Something that is waited for: a None after each moment of waiting, so that one can leave it."""
LAST_WORDS_SECONDS = 5.0
"""Where a connection of the ring breaks, worker 0 has so long to say which worker is lost."""


class Team:
    """What both sides have: the ring, and lines that are watched.

    Args:
        cluster: The workers.
        facts: What is compared with the other workers' at the start.
    """

    def __init__(self, cluster: Cluster, facts: Facts) -> None:
        self.cluster, self.facts = cluster, facts
        self._listener = meeting.listen(cluster)
        self._lines: dict[int, Line] = {}
        self._ring: Ring | None = None

    def share(self, streams: int) -> slice:
        """Which of so many streams are this worker's."""
        return share(streams, self.cluster.size, self.cluster.worker)

    def check(self) -> None:
        """Raise WorkerError where a worker is lost."""
        for line in self._lines.values():
            line.check()

    def sum(self, vector: np.ndarray) -> np.ndarray:
        """The sum of all workers' vectors float32 [n], in place of this one's.

        Raises:
            WorkerError: A worker is lost.
        """
        assert self._ring is not None
        self.check()
        try:
            return self._ring.sum(vector)
        except OSError as error:
            for line in self._lines.values():
                line.wait_for_failure(LAST_WORDS_SECONDS / len(self._lines))
            around = self.cluster.named(self.cluster.preceding)
            raise lost(around, error) from error

    def close_ring(self) -> Waiting[None]:
        """Connect to the next worker, and take the connection of the one before."""
        cluster, check = self.cluster, self._checked_until(self.cluster.preceding)
        greeting = Message("ring", {"worker": cluster.worker})
        following = yield from meeting.connect(cluster, cluster.following, greeting, self.check)
        while self._ring is None:
            preceding, message = yield from meeting.accept(self._listener, check)
            if (message.kind, message.fields.get("worker")) == ("ring", cluster.preceding):
                self._ring = Ring(cluster.worker, cluster.size, preceding, following, self.check)
            else:
                preceding.close()
        self._listener.close()

    def _checked_until(self, worker: int) -> Callable[[], None]:
        """What raises WorkerError where a worker is lost, or this one does not come in time."""
        until = time.monotonic() + meeting.MEETING_SECONDS

        def check() -> None:
            self.check()
            if time.monotonic() > until:
                raise meeting.unreachable(self.cluster.named(worker))

        return check

    def close(self, error: BaseException | None = None) -> None:
        """Tell the others that it is over, or what went wrong, and close all connections.

        Nobody can connect any more before they are told: one that starts again at once is to meet
        the next worker 0.
        """
        self._listener.close()
        last = Message(END)
        if error is not None:
            last = Message(ERROR, {"text": self._told(error)})
        for line in self._lines.values():
            line.say_last(last)
        for line in self._lines.values():
            line.close()
        if self._ring is not None:
            self._ring.close()

    def _told(self, error: BaseException) -> str:
        """What the others are told of an error here."""
        here = self.cluster.named(self.cluster.worker)
        if isinstance(error, WorkerError):
            return str(error)
        if not isinstance(error, Exception):
            return f"{here}: was stopped there; {AGAIN}"
        why = str(error) if isinstance(error, CharrnnError) else type(error).__name__
        return f"{here}: has failed: {why}"


class Leader(Team):
    """Worker 0's side."""

    def meet(self, welcome: Mapping[str, object]) -> Waiting[None]:
        """Wait for all other workers, and welcome them if they are asked to do the same.

        Raises:
            WorkerError: One does not come, or was asked to do something else.
        """
        hellos: dict[int, dict[str, object]] = {}
        while absent := [w for w in range(1, self.cluster.size) if w not in hellos]:
            check = self._checked_until(absent[0])
            connection, message = yield from meeting.accept(self._listener, check)
            worker, facts = (message.fields.get(name) for name in ("worker", "facts"))
            if message.kind == "hello" and worker in absent and isinstance(facts, dict):
                self._lines[worker] = Line(connection, self.cluster.named(worker))
                hellos[worker] = facts
            else:
                connection.close()
        for worker, theirs in sorted(hellos.items()):
            compare(self.facts, theirs, self.cluster.named(worker))
        self.tell("welcome", welcome)

    def begin(self, text: Mapping[str, object], settings: Mapping[str, object]) -> Waiting[None]:
        """Compare the texts, hand the run's settings out, and close the ring."""
        for line in self._lines.values():
            theirs = yield from line.expect("text")
            compare_texts(text, theirs.fields, line.peer)
        self.tell("begin", settings)
        yield from self.close_ring()

    def tell(self, kind: str, fields: Mapping[str, object], data: bytes = b"") -> None:
        """Say the same to all other workers."""
        self.tell_each(kind, fields, [data] * len(self._lines))

    def tell_each(self, kind: str, fields: Mapping[str, object], data: Iterable[bytes]) -> None:
        """Say the same to all other workers, to each with data of its own."""
        for (_, line), own in zip(sorted(self._lines.items()), data, strict=True):
            line.send(Message(kind, dict(fields), own))

    def collect(self, kind: str) -> list[tuple[str, Message]]:
        """An answer of each other worker, in their order, with its name."""
        lines = [line for _, line in sorted(self._lines.items())]
        return [(line.peer, result(line.expect(kind))) for line in lines]


class Follower(Team):
    """Another worker's side."""

    def join(self) -> Waiting[dict[str, object]]:
        """Find worker 0, and return its welcome."""
        cluster = self.cluster
        greeting = Message("hello", {"worker": cluster.worker, "facts": self.facts})
        connection = yield from meeting.connect(cluster, 0, greeting)
        self._line = Line(connection, cluster.named(0), meeting.MEETING_SECONDS)
        self._lines[0] = self._line
        message = yield from self._line.expect("welcome")
        return message.fields

    def begin(self, text: Mapping[str, object]) -> Waiting[dict[str, object]]:
        """Say what was encoded, take the run's settings, and close the ring."""
        self.tell("text", text)
        settings = yield from self._line.expect("begin")
        yield from self.close_ring()
        return settings.fields

    def tell(self, kind: str, fields: Mapping[str, object], data: bytes = b"") -> None:
        """Say something to worker 0."""
        self._line.send(Message(kind, dict(fields), data))

    def receive(self) -> Waiting[Message]:
        """Wait for what worker 0 says next."""
        return self._line.receive()


def result(waiting: Waiting[Result]) -> Result:
    """What is waited for, with nothing done meanwhile."""
    while True:
        try:
            next(waiting)
        except StopIteration as done:
            found: Result = done.value
            return found


def number(message: Message, name: str) -> int:
    """A whole number that a message tells."""
    return int(typed(int, message.fields.get(name), name))
