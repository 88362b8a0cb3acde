"""Which workers there are, at which addresses, and which of them this process is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from charrnn.errors import ConfigError
from charrnn.plain import parse, table, typed

MOST_WORKERS = 1024
LAST_PORT = 65535
TF_CONFIG = "TF_CONFIG"
"""The environment variable in which clusters tell each process of the others."""


class Address(NamedTuple):
    """Where a worker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Cluster:
    """The addresses of all workers, and the number of this one among them."""

    addresses: tuple[Address, ...]
    worker: int

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self.addresses)

    @property
    def leads(self) -> bool:
        """Whether this is worker 0, which says what is done and writes the run."""
        return self.worker == 0

    @property
    def following(self) -> int:
        """The next worker in the ring."""
        return (self.worker + 1) % self.size

    @property
    def preceding(self) -> int:
        """The worker before this one in the ring."""
        return (self.worker - 1) % self.size

    def named(self, worker: int) -> str:
        """A worker as a message names it."""
        return f"worker {worker} at {self.addresses[worker]}"


def cluster_of(workers: str | Sequence[str] | None, worker: int | None) -> Cluster | None:
    """The cluster of some addresses; None where there are none.

    Args:
        workers: `host:port` of every worker, in the same order everywhere; or one text with
            commas between them.
        worker: The number of this one, from 0.

    Raises:
        ConfigError: An address or the number cannot be.
    """
    if workers is None:
        if worker is not None:
            why, way_out = "says which of the workers this is", "name them all with `workers`"
            raise ConfigError(why, {"worker": worker}, way_out=way_out)
        return None
    named = workers.split(",") if isinstance(workers, str) else workers
    addresses = tuple(map(parse_address, named))
    check(addresses, worker)
    assert worker is not None
    return Cluster(addresses, worker)


def check(addresses: Sequence[Address], worker: int | None) -> None:
    """Raise ConfigError unless these are the addresses of a cluster, one of them this worker's."""
    given = {"workers": ",".join(map(str, addresses))}
    if len(set(addresses)) < len(addresses):
        raise ConfigError("an address is there twice", given)
    if not 2 <= len(addresses) <= MOST_WORKERS:
        raise ConfigError(f"name 2 to {MOST_WORKERS} workers", given)
    numbers = f"0 to {len(addresses) - 1}"
    if worker is None:
        why = "say which of them this one is"
        raise ConfigError(why, given, way_out=f"give `worker`: a number from {numbers}")
    if isinstance(worker, bool) or not isinstance(worker, int):
        raise ConfigError("must be of type int", {"worker": worker})
    if not 0 <= worker < len(addresses):
        raise ConfigError(f"must be a number from {numbers}", {"worker": worker})


def parse_address(text: str) -> Address:
    """The address in `host:port`; an IPv6 address stands in brackets, as `[::1]:2222`."""
    host, _, port = str(text).strip().rpartition(":")
    in_brackets = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if in_brackets else host
    wrong = "[]" if in_brackets else "[]:"
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not bare or any(sign in bare for sign in wrong) or not 1 <= number <= LAST_PORT:
        why, way_out = "is not an address", "write host:port, as in node1:2222"
        raise ConfigError(why, {"workers": str(text)}, way_out=way_out)
    return Address(bare, number)


def from_tf_config(value: str | None) -> Cluster | None:
    """The cluster that TF_CONFIG tells of; None where it is not set, or names one process alone.

    A task of type "chief" is worker 0, and the tasks of type "worker" come after it.

    Raises:
        ConfigError: It is not what TensorFlow takes, or this task is another's.
    """
    try:
        told = table(parse(value), TF_CONFIG) if value else {}
        jobs = table(told.get("cluster", {}), "cluster")
        task = table(told.get("task", {"type": "worker", "index": 0}), "task")
        chiefs, others = (addresses_of(jobs, name) for name in ("chief", "worker"))
        kind = typed(str, task.get("type"), "task.type")
        index = index_of(task)
    except ValueError as error:
        raise ConfigError(f"the environment variable {TF_CONFIG}: {error}") from None
    if len(chiefs) + len(others) < 2:
        return None
    if kind not in ("chief", "worker"):
        why = f"the environment variable {TF_CONFIG} says that this is a task of type {kind!r}"
        raise ConfigError(why, way_out="run charrnn as chief or worker alone")
    before, own = (0, chiefs) if kind == "chief" else (len(chiefs), others)
    if not 0 <= index < len(own):
        why = f"there is no task {index} of type {kind!r}: it names {len(own)} of them, from 0"
        raise ConfigError(f"the environment variable {TF_CONFIG}: {why}")
    return cluster_of([*chiefs, *others], before + index)


def index_of(task: dict[str, object]) -> int:
    """The number of a task among those of its type; ValueError where there is none."""
    try:
        return int(str(task.get("index")))
    except ValueError:
        raise ValueError("task.index is not a whole number") from None


def addresses_of(jobs: dict[str, object], name: str) -> list[str]:
    """The addresses of the tasks of a type, in their order."""
    return list(typed(tuple[str, ...], jobs.get(name, []), f"cluster.{name}"))


def share(streams: int, workers: int, worker: int) -> slice:
    """Which of the B streams are a worker's: as even shares as can be."""
    return slice(streams * worker // workers, streams * (worker + 1) // workers)
