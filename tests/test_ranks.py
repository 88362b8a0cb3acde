"""Several ranks under MPI: they equal one process, resume exactly, stop alike, and end together."""

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from apart import run_apart
from training_ranks import CASES, DROPPED, SMALL, SURE, TEXT

import charrnn
from charrnn.config import Config, Plan
from charrnn.errors import ConfigError, RankError
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.events import Stepped
from charrnn.text.batches import Streams, Stretches
from charrnn.text.corpus import LIST, CorpusInfo, encode_corpus
from charrnn.text.sources import select
from charrnn.training.ranks import (
    LAUNCHERS,
    Facts,
    Ranks,
    facts,
    launched,
    refuse_differences,
    streams_of_rank,
    text_facts,
)
from charrnn.training.ranks import TEXT as FINGERPRINT
from charrnn.training.step import mask_seed

HERE = Path(__file__).parent
A_WHILE = 300
"""Seconds after which a hang is ended."""
TOLERANCE = 1e-5

mpiexec = str(Path(sys.executable).with_name("mpiexec"))
needs_mpi = pytest.mark.skipif(
    which(mpiexec) is None, reason="needs mpi4py and mpich: pip install '.[mpi]'"
)


def start(size: int, script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script on so many ranks."""
    command = [mpiexec, "-n", str(size), sys.executable, str(HERE / script)]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(sign: str, process: subprocess.Popen[str]) -> None:
    """Wait until a process has printed a line with the sign."""
    assert process.stdout is not None
    lines = []
    for line in iter(process.stdout.readline, ""):
        lines.append(line)
        if sign in line:
            return
    process.wait()
    raise AssertionError(f"it has ended before it printed {sign!r}: {''.join(lines)}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """What a launcher exits with, and all that was printed."""
    try:
        output, _ = process.communicate(timeout=A_WHILE)
    finally:
        process.kill()
    return process.returncode, output


# -- What becomes of all ranks where something happens to one ----------------------------------

VICTIMS = [(2, 1), (3, 0)]
TOLD_BY_MPICH = {"before": signal.SIGTERM}
"""The signal by which MPICH's launcher may say that it has ended a process; mostly SIGKILL."""
HAPPENINGS: dict[str, tuple[list[tuple[int, int]], int, str]] = {
    "killed": (VICTIMS, signal.SIGKILL, ""),
    "hung": (VICTIMS, 75, "rank {} has given no sign of life for 2 s: .* start all ranks again"),
    "failed": ([(3, 0)], 1, "rank {}: has failed: ValueError"),
    "left": ([(2, 1)], 1, "rank {}: has ended in the middle of the training, with status 3"),
    "full": ([(2, 0)], 1, "rank {}: run/last: No space left on device; free some disk space"),
    "memory": ([(2, 1)], 1, "rank {}: out of memory; lower --units"),
    "interrupted": ([(2, 0)], 130, "rank {}: interrupted"),
    "before": ([(2, 1)], signal.SIGALRM, ""),
}
"""What happens to which rank of how many; the launcher's status; the line that says so."""
EVENTS = [(what, *where) for what, (victims, *_) in HAPPENINGS.items() for where in victims]


@pytest.fixture(scope="module")
def happened() -> dict[tuple[str, int, int], tuple[int, str]]:
    """The launcher's status and the output in each case; some run side by side."""

    def carry_out(event: tuple[str, int, int]) -> tuple[int, str]:
        what, size, victim = event
        return ended(start(size, "summing.py", what, victim))

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(EVENTS, pool.map(carry_out, EVENTS), strict=True))


@needs_mpi
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: " ".join(map(str, event)))
def test_all_ranks_end_and_one_line_says_which_rank_and_why(
    happened: dict[tuple[str, int, int], tuple[int, str]], event: tuple[str, int, int]
) -> None:
    what, _, victim = event
    status, output = happened[event]
    _, expected, line = HAPPENINGS[what]
    assert status in {expected, TOLD_BY_MPICH.get(what, signal.SIGKILL)}, output
    said = [each for each in output.splitlines() if each.startswith("charrnn: ")]
    assert len(said) == bool(line), output
    if line:
        assert re.match(f"charrnn: {line.format(victim)}", said[0])
    assert ("Traceback" in output) == (what in ("failed", "before"))


# -- Ranks that train --------------------------------------------------------------------------

KILLED = [case for case in CASES if case != "after killed"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two and three ranks have carried out all cases; in the last one is killed."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "corpus.txt").write_text(TEXT)
    (folder / "other.txt").write_text(TEXT.replace("dog", "cat"))
    status, output = ended(start(3, "training_ranks.py", folder, *KILLED))
    assert status == signal.SIGKILL, output
    options = {name: value for name, value in SMALL.items() if name not in ("parts", "threads")}
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    where = [
        folder / "corpus.txt",
        "--name=long",
        "--steps=1000000",
        "--checkpoints",
        folder / "runs",
    ]
    train = ["train", *where, *settings]
    process = start(3, "training_ranks.py", folder, "after killed", *train)
    wait_for("parameters, step 0 of 1,000,000", process)
    process.send_signal(signal.SIGTERM)
    status, output = ended(process)
    assert status == 128 + signal.SIGTERM, output
    (folder / "stopped.txt").write_text(output)
    return folder


def told(folder: Path, case: str) -> list[dict[str, Any]]:
    """What each rank has written of a case."""
    paths = [folder / f"{case} {rank}.json" for rank in range(CASES[case][0])]
    return [json.loads(path.read_text()) for path in paths]


def last(folder: Path, name: str) -> Checkpoint:
    """The last checkpoint of a run."""
    return checkpoints.load(folder / "runs" / name / "last.safetensors")


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    """Two checkpoints hold the same bits."""
    assert one.tensors.keys() == other.tensors.keys()
    for name in one.tensors:
        np.testing.assert_array_equal(one.tensors[name], other.tensors[name], err_msg=name)
    one.progress.elapsed_seconds = other.progress.elapsed_seconds = 0
    assert one.progress == other.progress


@needs_mpi
@pytest.mark.compiled
@pytest.mark.usefixtures("eagerly")
def test_ranks_learn_what_one_process_learns(trained: Path) -> None:
    alone = charrnn.train(
        trained / "corpus.txt", name="alone", checkpoints=trained / "runs", **SURE
    )
    losses = [event.loss_nats for event in alone if isinstance(event, Stepped)]
    one = last(trained, "alone")
    assert one.progress.ranks == 1
    for size in (2, 3):
        together = last(trained, f"sure {size}")
        assert together.progress.ranks == size
        assert together.tensors.keys() == one.tensors.keys()
        for name, tensor in one.tensors.items():
            scale = max(1.0, float(np.abs(tensor).max()))
            np.testing.assert_allclose(
                together.tensors[name], tensor, rtol=0, atol=TOLERANCE * scale, err_msg=name
            )
        for rank in told(trained, f"sure {size}"):
            np.testing.assert_allclose(rank["losses"], losses, atol=TOLERANCE)


@needs_mpi
@pytest.mark.parametrize("case", [case for case in KILLED if case != "killed"])
def test_all_ranks_are_told_the_same(trained: Path, case: str) -> None:
    first, *others = told(trained, case)
    for other in others:
        if case == "stopped":  # rank 1 has been left after three steps
            assert other["losses"][:3] == first["losses"][:3]
            continue
        for name in ("losses", "evaluated", "rolled back", "finished"):
            assert other[name] == first[name]


@needs_mpi
def test_left_on_one_rank_and_resumed_equals_uninterrupted(trained: Path) -> None:
    """Rank 1, which is left, does not see the encoded text of rank 0, and has encoded it too."""
    stopped, resumed = told(trained, "stopped"), told(trained, "resumed")
    # The one that was left takes a step more, which tells the others.
    assert [rank["stopped"] for rank in stopped] == [[4], [], [4]]
    for rank, whole in zip(resumed, told(trained, "whole"), strict=True):
        assert rank["losses"] == whole["losses"][4:]
        assert rank["finished"]
    saved = checkpoints.load(trained / "runs" / "halves" / "best.safetensors")
    assert saved.weights.keys() == last(trained, "whole").weights.keys()


@needs_mpi
def test_killed_and_resumed_equals_uninterrupted(trained: Path) -> None:
    assert_same(last(trained, "killed"), last(trained, "whole"))


@needs_mpi
def test_another_number_of_ranks_goes_on_with_a_clear_word(trained: Path) -> None:
    notes = told(trained, "longer")[0]["notes"]
    assert any("had 3 ranks before and has 2 ranks now" in note for note in notes)


@needs_mpi
def test_a_run_that_has_finished_ends_on_all_ranks(trained: Path) -> None:
    for rank in told(trained, "finished"):
        assert rank["losses"] == []
        assert any("has already finished its 8 steps" in note for note in rank["notes"])


@needs_mpi
def test_a_plan_by_time_ends_after_the_same_step_on_all_ranks(trained: Path) -> None:
    one, other = told(trained, "longer")
    assert one["finished"]
    assert other["finished"]
    assert len(one["losses"]) == len(other["losses"]) == last(trained, "halves").progress.end - 8


@needs_mpi
def test_a_run_that_diverges_on_one_rank_goes_back_on_all(trained: Path) -> None:
    one, other = told(trained, "diverged")
    assert one["rolled back"] == other["rolled back"] == [2]
    assert last(trained, "diverged").progress.step == 10


@needs_mpi
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("unlike", "rank 1: has `units` 9, and rank 0 has 8; give all ranks the same settings"),
        ("exists", ".*whole: there is already a run in this folder; continue it with `resume`"),
        ("another text", "rank 1: has a text with the fingerprint .*; give all ranks the same f"),
    ],
)
def test_what_differs_is_named_on_all_ranks(trained: Path, case: str, words: str) -> None:
    for rank in told(trained, case):
        assert re.match(words, rank["error"])
    assert not (trained / "runs" / case).exists()


@needs_mpi
@pytest.mark.parametrize("case", ["no text", "no text to resume"])
def test_an_error_of_one_rank_is_raised_on_all(trained: Path, case: str) -> None:
    one, other = (rank["error"] for rank in told(trained, case))
    assert one == f"rank 1: {other}"
    assert "nowhere.txt: no such file" in other


@needs_mpi
@pytest.mark.graphs
@pytest.mark.usefixtures("eagerly")
def test_masks_differ_between_ranks(trained: Path) -> None:
    """And so from those of one process, although all weights are the same at the start."""
    alone = charrnn.train(trained / "corpus.txt", name="masks", checkpoints=trained, **DROPPED)
    losses = [event.loss_nats for event in alone if isinstance(event, Stepped)]
    together = told(trained, "whole")[0]["losses"]
    assert not np.allclose(losses, together, atol=TOLERANCE)
    assert mask_seed(7, 0) == 7
    assert len({mask_seed(7, rank) for rank in range(9)}) == 9


@needs_mpi
@pytest.mark.parametrize(
    ("size", "number"), [(3, signal.SIGINT), (2, signal.SIGTERM), (2, signal.SIGUSR1)]
)
def test_at_the_launcher_s_signals_all_ranks_stop_alike(size: int, number: int) -> None:
    process = start(size, "summing.py", "told", 0)
    wait_for("all sum", process)
    process.send_signal(number)
    status, output = ended(process)
    assert status == 128 + number, output
    assert output.count("has stopped like all") == size


@needs_mpi
def test_a_training_that_the_launcher_stops_is_saved(trained: Path) -> None:
    output = (trained / "stopped.txt").read_text()
    (said,) = re.findall(r"stopped with 0% done, and saved at step ([\d,]+)", output)
    assert last(trained, "long").progress.step == int(said.replace(",", "")) > 0


# -- How ranks are found -----------------------------------------------------------------------


def under(launcher: int, rank: object, size: object) -> dict[str, str]:
    """The environment of a process that a launcher has started."""
    return dict(zip(LAUNCHERS[launcher], map(str, (rank, size)), strict=True))


@pytest.fixture
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No launcher has started this process, not even one of the tests."""
    for name in {name for names in LAUNCHERS for name in names}:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("launcher", range(len(LAUNCHERS)))
def test_each_launcher_is_known_by_its_variables(
    no_launcher: pytest.MonkeyPatch, launcher: int
) -> None:
    for name, value in under(launcher, 2, 3).items():
        no_launcher.setenv(name, value)
    assert launched() == (2, 3)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PMI_RANK": "0"},
        {"PMI_RANK": "0", "PMI_SIZE": "many"},
        {"PMIX_RANK": "1"},
        {"SLURM_PROCID": "1", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"},
    ],
)
def test_what_no_launcher_sets_starts_nothing(
    no_launcher: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        no_launcher.setenv(name, value)
    assert launched() == (0, 1)


def test_without_a_launcher_mpi_is_not_loaded(no_launcher: pytest.MonkeyPatch) -> None:
    program = """
import sys
import charrnn
try:
    charrnn.train("no-such-text")
except charrnn.CharrnnError:
    print("charrnn.training.ranks" in sys.modules, "mpi4py" in sys.modules)
"""
    assert run_apart(program, capture_output=True).stdout == "True False\n"


TRAIN = """
import sys
{}
from charrnn.cli import main
main(["train", *sys.argv[1:]])
"""
NO_MPI4PY = 'sys.modules["mpi4py"] = None'
NO_LIBRARY = """
class Finder:
    def find_spec(self, name, *others):
        if name == "mpi4py":
            raise RuntimeError("cannot load MPI library")
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("missing", [NO_MPI4PY, NO_LIBRARY])
def test_a_launcher_without_mpi4py_is_a_line_with_the_way_out(
    corpus: Path, tmp_path: Path, no_launcher: pytest.MonkeyPatch, missing: str
) -> None:
    for name, value in under(0, 0, 2).items():
        no_launcher.setenv(name, value)
    runs = tmp_path / "runs"
    program = TRAIN.format(missing)
    done = run_apart(program, corpus, "--checkpoints", runs, capture_output=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("charrnn: a launcher has started 2 processes, and MPI cannot be")
    assert "pip install mpi4py mpich" in done.stderr
    assert not runs.exists()


@needs_mpi
def test_processes_that_are_each_alone_in_their_world_write_no_run(
    corpus: Path, tmp_path: Path, no_launcher: pytest.MonkeyPatch
) -> None:
    """As under the launcher of another MPI, which mpi4py's does not understand."""
    for name, value in under(1, 1, 2).items():
        no_launcher.setenv(name, value)
    runs = tmp_path / "runs"
    done = run_apart(TRAIN.format(""), corpus, "--checkpoints", runs, capture_output=True)
    assert done.returncode == 1
    assert done.stderr.startswith("charrnn: the mpiexec that has started these 2 processes bel")
    assert not runs.exists()


def test_a_sweep_is_no_work_for_ranks(no_launcher: pytest.MonkeyPatch) -> None:
    for name, value in under(0, 0, 2).items():
        no_launcher.setenv(name, value)
    with pytest.raises(ConfigError, match=r"a sweep trains each run in one.*without mpiexec"):
        charrnn.sweep("corpus.txt", units="4..8", steps=1)


# -- The parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("streams", "size"), [(5, 2), (16, 3), (4, 4), (7, 5)])
def test_shares_are_all_streams_and_as_even_as_can_be(streams: int, size: int) -> None:
    shares = [streams_of_rank(streams, rank, size) for rank in range(size)]
    assert [row for each in shares for row in range(each.start, each.stop)] == list(range(streams))
    assert {each.stop - each.start for each in shares} <= {streams // size, -(-streams // size)}


@pytest.mark.parametrize("window", [0, 3, 9])
@pytest.mark.parametrize("stretch", [0, 3])
def test_the_shares_windows_put_together_are_the_batch_s(window: int, stretch: int) -> None:
    def streams(rows: slice) -> Streams:
        ids = np.arange(51)
        return (
            Stretches(ids, 5, 1, stretch, start=7, rows=rows)
            if stretch
            else Streams(ids, 5, 1, rows=rows)
        )

    whole = streams(slice(None))
    parts = [streams(streams_of_rank(5, rank, 3)) for rank in range(3)]
    for place, tensor in enumerate(whole.window(window)):
        together = np.concatenate([part.window(window)[place] for part in parts])
        np.testing.assert_array_equal(together, tensor)
    begins = np.concatenate([part.begins(window) for part in parts])
    np.testing.assert_array_equal(begins, whole.begins(window))
    assert whole.counted(window) == whole.window(window).mask.sum()


def test_more_ranks_than_streams_are_refused(corpus: Path, tmp_path: Path) -> None:
    from charrnn.training.learner import learner_of

    config = Config.of(batch_size=8)
    encoded = encode_corpus(select([corpus], config.text).sources, config.text, tmp_path)
    many = Ranks()
    many.size = 9
    with pytest.raises(ConfigError, match=r"there are 9 ranks, and each needs a st.*at most 8"):
        learner_of(encoded, config, many)


def facts_here(**settings: object) -> Facts:
    """What a rank tells of itself."""
    info = CorpusInfo((), "0123456789abcdef", 9, "uint8", 8, 9, 0, 0, 0, LIST)
    return facts(settings, Plan(steps=3), resume=False) | text_facts(info)


def gathering(*of_ranks: Facts) -> Ranks:
    """Ranks that have gathered these facts."""
    ranks = Ranks()
    ranks.gather = lambda value: list(of_ranks)  # type: ignore[method-assign,assignment]
    return ranks


def test_another_version_processor_setting_or_text_is_named() -> None:
    ours = facts_here(units="8,9")
    assert (ours["`units`"], ours["`steps`"]) == ("8,9", "3")
    refuse_differences(gathering(ours, dict(ours), dict(ours)), ours)
    for name in ("TensorFlow", "charrnn", "processor", FINGERPRINT):
        with pytest.raises(RankError, match=rf"^rank 2: has {name} other, and rank 0 has"):
            refuse_differences(gathering(ours, dict(ours), {**ours, name: "other"}), ours)
    with pytest.raises(RankError, match=r"^rank 1: has `units` nothing, and rank 0 has 8,9"):
        refuse_differences(gathering(ours, facts_here()), ours)
