"""Several processes that train one model: they equal one process, resume exactly, and end well."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_together import DROPPED, SURE, TEXT

import charrnn
from charrnn import checkpoints
from charrnn.checkpoints import Checkpoint
from charrnn.config import Plan
from charrnn.errors import ConfigError, WorkerError
from charrnn.moving import copy_run
from charrnn.text.streams import Streams
from charrnn.training.events import Note, Stepped
from charrnn.workers import facts, meeting, tensors
from charrnn.workers.cluster import Address, Cluster, cluster_of, from_tf_config, share
from charrnn.workers.line import END, Line
from charrnn.workers.messages import HEAD, LONGEST_DATA, MAGIC, Message, receive, send
from charrnn.workers.ring import Ring
from charrnn.workers.team import Leader

HERE = Path(__file__).parent
A_WHILE = 900
"""Seconds after which a hang is ended."""
TOLERANCE = 1e-5


def free_addresses(count: int) -> str:
    """Addresses of this machine whose ports are free."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return addresses


# -- Two processes that train ------------------------------------------------------------------


def start(worker: int, folder: Path, addresses: str, cases: list[str]) -> subprocess.Popen[str]:
    """A worker in a process of its own, which prints each case when it is done."""
    script = [sys.executable, str(HERE / "training_together.py")]
    given = [*script, str(worker), str(folder), addresses, *cases]
    return subprocess.Popen(given, stdout=subprocess.PIPE, text=True)


def wait_for(case: str, process: subprocess.Popen[str]) -> None:
    """Wait until a worker is done with a case."""
    assert process.stdout is not None
    for printed in process.stdout:
        if printed == f"{case}\n":
            return
    raise AssertionError(f"it has ended before {case!r}")


ROUNDS = ["rounds", "stopped between", "resumed between", "stopped after", "resumed after"]
BEGUN = ["sure", "whole", "stopped", "resumed", "finished"]
FIRST = [*BEGUN, *ROUNDS, "to part", "unlike", "another text"]
LOST = ["killed 1", "killed 0", "hung 1", "hung 0"]
THEN = [each for name in LOST for each in (name, f"after {name}")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where two workers have carried out all cases, though each is killed and each hangs."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "corpus.txt").write_text(TEXT)
    (folder / "other.txt").write_text(TEXT.replace("dog", "cat"))
    addresses = free_addresses(2)
    started: list[subprocess.Popen[str]] = []

    def begin(worker: int, cases: list[str]) -> subprocess.Popen[str]:
        started.append(start(worker, folder, addresses, cases))
        return started[-1]

    try:
        zero, one = begin(0, [*FIRST, *THEN[:3]]), begin(1, [*FIRST, *THEN[:1]])
        assert one.wait(A_WHILE) == -signal.SIGKILL
        one = begin(1, THEN[1:])
        assert zero.wait(A_WHILE) == -signal.SIGKILL
        zero = begin(0, THEN[3:])
        wait_for("hung 1", zero)
        one.send_signal(signal.SIGCONT)
        wait_for("hung 0", one)
        zero.send_signal(signal.SIGCONT)
        assert (zero.wait(A_WHILE), one.wait(A_WHILE)) == (0, 0)
        yield folder
    finally:
        for process in started:
            process.kill()
            process.communicate()


def told(folder: Path, worker: int, case: str) -> dict[str, Any]:
    """What a worker has written of a case."""
    found: dict[str, Any] = json.loads((folder / f"told-{worker}-{case}.json").read_text())
    return found


def last(folder: Path, name: str) -> Checkpoint:
    """The last checkpoint of a run of worker 0's."""
    return checkpoints.load(folder / "machine-0" / name / "last.safetensors")


def alone(folder: Path, **settings: Any) -> list[Any]:
    """A run of one process, in worker 0's folder."""
    given = {"checkpoints": folder / "machine-0", **settings}
    return list(charrnn.train(folder / "corpus.txt", **given))


@pytest.mark.compiled
def test_two_workers_learn_what_one_process_learns(trained: Path) -> None:
    alone(trained, name="alone", **SURE)
    together, one = last(trained, "sure"), last(trained, "alone")
    assert together.tensors.keys() == one.tensors.keys()
    for name, tensor in one.tensors.items():
        scale = max(1.0, float(np.abs(tensor).max()))
        np.testing.assert_allclose(
            together.tensors[name], tensor, rtol=0, atol=TOLERANCE * scale, err_msg=name
        )
    assert (together.progress.workers, one.progress.workers) == (2, 1)


def test_both_workers_tell_the_losses_of_the_whole_batch(trained: Path) -> None:
    losses = [told(trained, worker, "sure")["losses"] for worker in (0, 1)]
    assert len(losses[0]) == SURE["steps"]
    assert losses[0] == losses[1]


def test_stopped_and_resumed_equals_uninterrupted(trained: Path) -> None:
    assert told(trained, 0, "resumed")["losses"] == told(trained, 0, "whole")["losses"][3:]
    assert_same(last(trained, "halves"), last(trained, "whole"))


def test_all_workers_end_alike_where_a_run_that_has_finished_is_resumed(trained: Path) -> None:
    zero, one = (told(trained, worker, "finished") for worker in (0, 1))
    assert (zero["error"], one["error"], zero["losses"], one["losses"]) == (None, None, [], [])
    assert any("has already finished its 8 steps" in note for note in zero["notes"])
    assert any("worker 0 has ended the training" in note for note in one["notes"])


@pytest.mark.parametrize("case", LOST)
def test_lost_and_resumed_everywhere_equals_uninterrupted(trained: Path, case: str) -> None:
    how, victim = case.split()
    error = told(trained, 1 - int(victim), case)["error"]
    assert f"worker {victim} at 127.0.0.1:" in error
    assert ("is gone" if how == "killed" else "has not been heard of for 8 seconds") in error
    assert "`resume`" in error
    assert told(trained, 0, f"after {case}")["error"] is None
    assert_same(last(trained, case), last(trained, "whole"))


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    """Two checkpoints hold the same bits."""
    assert one.tensors.keys() == other.tensors.keys()
    for name in one.tensors:
        np.testing.assert_array_equal(one.tensors[name], other.tensors[name], err_msg=name)
    one.progress.elapsed_seconds = other.progress.elapsed_seconds = 0
    assert one.progress == other.progress


@pytest.mark.graphs
@pytest.mark.usefixtures("eagerly")
def test_masks_differ_between_workers_and_from_one_process(trained: Path) -> None:
    alone(trained, name="alone, dropped", **DROPPED)
    one, two = (last(trained, name).weights for name in ("alone, dropped", "whole"))
    assert any(not np.allclose(one[name], two[name], atol=TOLERANCE) for name in one)


@pytest.mark.graphs
@pytest.mark.usefixtures("eagerly")
def test_another_number_of_workers_goes_on_with_a_clear_word(trained: Path) -> None:
    copy_run("whole", "again", trained / "machine-0")
    events = alone(trained, name="again", resume=True, steps=1)
    notes = [event.message for event in events if isinstance(event, Note)]
    assert any("had 2 workers before and has 1 worker now" in note for note in notes)
    assert last(trained, "again").progress.step == DROPPED["steps"] + 1


@pytest.mark.parametrize(("name", "begin"), [("rests", 4), ("breaks", 6)])
def test_workers_that_learn_by_themselves_resume_exactly_between_exchanges_and_after_one(
    trained: Path, name: str, begin: int
) -> None:
    case = {"rests": "resumed between", "breaks": "resumed after"}[name]
    for worker in (0, 1):
        whole, rest = (told(trained, worker, each)["losses"] for each in ("rounds", case))
        assert rest == whole[begin:]
    assert_same(last(trained, name), last(trained, "rounds"))


def test_workers_that_learn_by_themselves_are_evaluated_and_end_after_an_exchange(
    trained: Path,
) -> None:
    evaluated = told(trained, 0, "rounds")["evaluated"]
    assert evaluated == [6, 8]
    assert not last(trained, "rounds").part("local/weights")
    assert last(trained, "parting").part("local/weights")


def test_each_worker_keeps_its_own_optimizer_and_counts_all_its_steps(trained: Path) -> None:
    checkpoint = last(trained, "rounds")
    slots = checkpoint.part("local/optimizer")
    assert {len(each) for each in slots.values()} == {2}
    assert any((each[0] != each[1]).any() for each in slots.values())
    assert list(slots["adamw/iteration"]) == [8, 8]
    assert checkpoint.progress.workers == 2


def test_one_process_goes_on_from_where_workers_were_between_two_exchanges(
    trained: Path,
) -> None:
    before = last(trained, "parting")
    copy_run("parting", "alone again", trained / "machine-0")
    events = alone(trained, name="alone again", resume=True)
    notes = [event.message for event in events if isinstance(event, Note)]
    assert any("had 2 workers before and has 1 worker now" in note for note in notes)
    assert any("the workers' last steps are brought together" in note for note in notes)
    steps = [event.step for event in events if isinstance(event, Stepped)]
    assert steps == [6, 7, 8]
    own = before.part("local/weights")
    assert own.keys() == before.weights.keys()
    after = last(trained, "alone again")
    assert not after.part("local")
    assert after.part("optimizer")


@pytest.mark.parametrize("worker", [0, 1])
def test_other_settings_are_refused_on_both_sides(trained: Path, worker: int) -> None:
    error = told(trained, worker, "unlike")["error"]
    assert "worker 1 at 127.0.0.1:" in error
    assert "has `units` 9, and worker 0 has 8" in error


@pytest.mark.parametrize("worker", [0, 1])
def test_another_text_is_refused_on_both_sides(trained: Path, worker: int) -> None:
    error = told(trained, worker, "another text")["error"]
    assert "worker 1 at 127.0.0.1:" in error
    assert "is not that of worker 0" in error


def test_a_worker_that_follows_writes_its_text_alone(trained: Path) -> None:
    files = {path.name for path in (trained / "machine-1").rglob("*") if path.is_file()}
    assert files <= {"corpus.ids", "corpus.json", ".lock"}


# -- What becomes of a worker when another is lost ----------------------------------------------

SUMMING = """
import sys
import numpy as np
from charrnn.errors import CharrnnError
from charrnn.workers import line, meeting
from charrnn.workers.cluster import cluster_of
from charrnn.workers.team import Follower, Leader, result
line.BEAT_SECONDS, line.SILENCE_SECONDS, meeting.MEETING_SECONDS = 0.1, 3.0, float(sys.argv[3])
team = (Follower if int(sys.argv[2]) else Leader)(cluster_of(sys.argv[1], int(sys.argv[2])), {})
error = None
try:
    if team.cluster.leads:
        result(team.meet({}))
        result(team.begin({"fingerprint": "same"}, {}))
    else:
        result(team.join())
        result(team.begin({"fingerprint": "same"}))
    print("summing", flush=True)
    while True:
        team.sum(np.ones(50_000, np.float32))
except CharrnnError as lost:
    error = lost
    print(lost, flush=True)
team.close(error)
"""


@pytest.fixture
def summing() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts workers that do nothing but sum."""
    started = []

    def one(
        addresses: str, worker: int, meeting_seconds: float = 60, inside: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        script = [sys.executable, "-c", SUMMING, addresses, str(worker), str(meeting_seconds)]
        started.append(subprocess.Popen([*inside, *script], stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    ("how", "words"),
    [(signal.SIGKILL, "is gone"), (signal.SIGSTOP, "has not been heard of for 3 s")],
)
@pytest.mark.parametrize("victim", [0, 1])
def test_the_others_end_with_the_name_of_a_worker_that_is_killed_or_hangs(
    summing: Callable[..., subprocess.Popen[str]], size: int, how: int, words: str, victim: int
) -> None:
    addresses = free_addresses(size)
    processes = [summing(addresses, worker) for worker in range(size)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "summing\n"
    processes[victim].send_signal(how)
    for worker in set(range(size)) - {victim}:
        output, _ = processes[worker].communicate(timeout=A_WHILE)
        assert output.count("\n") == 1
        assert f"worker {victim} at 127.0.0.1:" in output
        assert words in output
        assert "`resume`" in output


def ip(line: str) -> None:
    """Set up the network; CalledProcessError where that is not allowed."""
    subprocess.run(["ip", *line.split()], check=True, capture_output=True)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a link between them: as two machines."""
    names = f"charrnn-{os.getpid()}-0", f"charrnn-{os.getpid()}-1"
    try:
        for name in names:
            ip(f"netns add {name}")
        ip(f"link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}")
        for number, name in enumerate(names, start=1):
            ip(f"-n {name} address add 10.77.0.{number}/24 dev eth0")
            ip(f"-n {name} link set eth0 up")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces need Linux, the program ip, and a user who may make them")
    else:
        yield names
    finally:
        for name in names:
            with suppress(OSError):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def test_workers_end_when_the_network_between_them_is_gone(
    summing: Callable[..., subprocess.Popen[str]], namespaces: tuple[str, str]
) -> None:
    addresses = "10.77.0.1:2222,10.77.0.2:2222"
    processes = [
        summing(addresses, worker, inside=["ip", "netns", "exec", name])
        for worker, name in enumerate(namespaces)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "summing\n"
    ip(f"-n {namespaces[0]} link set eth0 down")
    for worker, process in enumerate(processes):
        output, _ = process.communicate(timeout=A_WHILE)
        assert f"worker {1 - worker} at 10.77.0.{2 - worker}:2222: has not been heard of" in output


@pytest.mark.parametrize("worker", [0, 1])
def test_a_worker_that_nobody_joins_says_whom_it_has_waited_for(
    summing: Callable[..., subprocess.Popen[str]], worker: int
) -> None:
    output, _ = summing(free_addresses(2), worker, 0.1).communicate(timeout=A_WHILE)
    assert f"worker {1 - worker} at 127.0.0.1:" in output
    assert "cannot be reached" in output


def test_a_port_that_is_taken_is_an_error_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster = cluster_of([f"127.0.0.1:{port}", "127.0.0.1:1"], 0)
        assert cluster is not None
        with pytest.raises(WorkerError, match="cannot listen there: address already in use"):
            Leader(cluster, {})


def test_a_connection_that_is_closed_after_the_end_is_no_failure() -> None:
    here, there = socket.socketpair()
    with there:
        send(there, Message(END))
    line = Line(here, "worker 0")
    assert [waiting for waiting in line.expect(END) if waiting is not None] == []
    line.close()
    line.check()


@pytest.mark.parametrize(
    "greeting",
    [
        Message("hello", {"worker": 1}),
        Message("hello", {"worker": 1, "facts": "none"}),
        Message("hello", {"worker": 2, "facts": {}}),
        Message("ring", {"worker": 1}),
    ],
)
def test_who_calls_with_another_greeting_is_sent_away(greeting: Message) -> None:
    cluster = cluster_of(free_addresses(2), 0)
    assert cluster is not None
    leader = Leader(cluster, {})
    waiting = leader.meet({})
    with socket.create_connection(cluster.addresses[0]) as stranger:
        send(stranger, greeting)
        next(waiting)
        assert stranger.recv(1) == b""
    leader.close()


def test_an_address_of_another_machine_is_an_error_without_python_s_own_words() -> None:
    cluster = cluster_of("192.0.2.1:24999,192.0.2.2:24999", 0)
    assert cluster is not None
    with pytest.raises(WorkerError, match=r"cannot listen there: [a-z' ]+; name an address"):
        Leader(cluster, {})


def test_a_name_that_only_this_machine_reaches_is_refused_where_others_are_elsewhere() -> None:
    cluster = cluster_of("localhost:24999,192.0.2.1:24999", 0)
    assert cluster is not None
    with pytest.raises(WorkerError, match="localhost is an address inside this machine"):
        meeting.listen(cluster)


def test_a_worker_listens_at_its_address_alone() -> None:
    cluster = cluster_of(free_addresses(2), 0)
    assert cluster is not None
    with meeting.listen(cluster) as listener:
        assert listener.getsockname()[:2] == tuple(cluster.addresses[0])


# -- The parts ---------------------------------------------------------------------------------


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("length", [5, 8, 100_001])
def test_a_ring_gives_all_workers_the_same_sum(size: int, length: int) -> None:
    rng = np.random.default_rng(length)
    vectors = [rng.normal(size=length).astype(np.float32) for _ in range(size)]
    expected = np.sum(vectors, axis=0, dtype=np.float64)
    forward = [pair() for _ in range(size)]  # from worker w to the next one
    sums: dict[int, np.ndarray] = {}

    def work(worker: int) -> None:
        preceding, following = forward[worker - 1][1], forward[worker][0]
        ring = Ring(worker, size, preceding, following, lambda: None)
        sums[worker] = ring.sum(vectors[worker].copy())

    threads = [threading.Thread(target=work, args=[worker]) for worker in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(A_WHILE)
    for each in sum(forward, ()):
        each.close()
    for worker in range(size):
        np.testing.assert_array_equal(sums[worker], sums[0])
    np.testing.assert_allclose(sums[0], expected, atol=1e-5)


@pytest.mark.parametrize(("streams", "workers"), [(5, 2), (16, 3), (4, 4), (7, 5)])
def test_shares_are_all_streams_and_as_even_as_can_be(streams: int, workers: int) -> None:
    shares = [share(streams, workers, worker) for worker in range(workers)]
    assert [row for each in shares for row in range(each.start, each.stop)] == list(range(streams))
    assert {each.stop - each.start for each in shares} <= {
        streams // workers,
        -(-streams // workers),
    }


@pytest.mark.parametrize("window", [0, 3, 9])
def test_the_shares_windows_put_together_are_the_batch_s(window: int) -> None:
    ids = np.arange(51)
    whole = Streams(ids, 5, 1)
    parts = [Streams(ids, 5, 1, rows=share(5, 3, worker)).window(window) for worker in range(3)]
    for place, tensor in enumerate(whole.window(window)):
        np.testing.assert_array_equal(np.concatenate([part[place] for part in parts]), tensor)
    assert whole.counted(window) == whole.window(window).mask.sum()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("node1:2222", Address("node1", 2222)),
        ("10.0.0.1:1", Address("10.0.0.1", 1)),
        ("[::1]:65535", Address("::1", 65535)),
    ],
)
def test_an_address_is_read_and_written(text: str, address: Address) -> None:
    cluster = cluster_of(f"{text},other:1", 0)
    assert cluster == Cluster((address, Address("other", 1)), 0)
    assert str(address) == text


@pytest.mark.parametrize(
    ("workers", "worker", "words"),
    [
        ("node1", 0, "is not an address"),
        ("node1:0,node2:1", 0, "is not an address"),
        ("node1:70000,node2:1", 0, "is not an address"),
        ("::1:22,node2:1", 0, "is not an address"),
        ("[::1:22,node2:1", 0, "is not an address"),
        ("node1:1,node1:1", 0, "there twice"),
        ("node1:1", 0, "name 2 to"),
        ("node1:1,node2:1", None, "say which of them"),
        ("node1:1,node2:1", 2, "from 0 to 1"),
        ("node1:1,node2:1", True, "of type int"),
        (None, 0, "name them all"),
    ],
)
def test_what_is_no_cluster_is_refused(workers: str | None, worker: int | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        charrnn.train("corpus.txt", workers=workers, worker=worker)


def test_tf_config_tells_the_same() -> None:
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}

    def config(kind: str, index: int) -> str:
        return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})

    assert from_tf_config(config("chief", 0)) == cluster_of("a:1,b:1,c:1", 0)
    assert from_tf_config(config("worker", 1)) == cluster_of("a:1,b:1,c:1", 2)
    assert from_tf_config(None) is None
    assert from_tf_config('{"cluster": {"worker": ["a:1"]}}') is None


TWO = '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": '


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[]",
        '{"cluster": {"worker": "a:1"}}',
        TWO + '{"type": "worker"}}',
        TWO + '{"type": "worker", "index": -1}}',
        TWO + '{"type": "chief", "index": 1}}',
    ],
)
def test_a_tf_config_that_says_nothing_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="TF_CONFIG"):
        from_tf_config(value)


def test_another_version_or_processor_is_named() -> None:
    cluster = cluster_of("a:1,b:1", 0)
    assert cluster is not None
    ours = facts.facts(cluster, {"units": "8,9"}, Plan(steps=3), resume=False)
    assert (ours["`units`"], ours["`steps`"]) == ("8,9", "3")
    facts.compare(ours, dict(ours), "worker 1 at b:1")
    for name in ("TensorFlow", "charrnn", "processor"):
        with pytest.raises(WorkerError, match=f"^worker 1 at b:1: has {name} other"):
            facts.compare(ours, {**ours, name: "other"}, "worker 1 at b:1")
    with pytest.raises(WorkerError, match="has `units` nothing, and worker 0 has 8,9"):
        facts.compare(ours, {n: each for n, each in ours.items() if n != "`units`"}, "worker 1")


def test_a_message_arrives_as_it_was_sent() -> None:
    one, other = pair()
    with one, other:
        sent = Message("step", {"rate": 0.1, "step": 3}, bytes(range(256)))
        send(one, sent)
        assert receive(other) == sent


def test_what_does_not_speak_as_a_worker_is_refused() -> None:
    one, other = pair()
    with one, other:
        one.sendall(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
        with pytest.raises(ValueError, match="does not speak as a worker"):
            receive(other)


def test_a_promise_of_a_terabyte_takes_no_memory_and_ends_as_a_lost_connection() -> None:
    one, other = pair()
    with other:
        with one:
            one.sendall(HEAD.pack(MAGIC, len(b'["x", {}]'), LONGEST_DATA) + b'["x", {}]' + b"few")
        with pytest.raises(ConnectionError, match="closed by the other side"):
            receive(other)


def test_tensors_travel_whole_and_their_sum_tells_them_apart() -> None:
    given = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(7)}
    back = tensors.unpacked(tensors.packed(given))
    assert back["a"].shape == ()
    assert tensors.checksum(back) == tensors.checksum(given)
    back["b"][0, 0] = np.nextafter(np.float32(0), np.float32(1))
    assert tensors.checksum(back) != tensors.checksum(given)
    with pytest.raises(ValueError, match="header"):
        tensors.unpacked(b"not tensors at all")
