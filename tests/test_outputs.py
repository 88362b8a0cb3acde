"""Files that a user names to write to: nothing of ours is lost; links, pipes, devices stay."""

import os
import sys
from pathlib import Path

import pytest
from commands import ROOT, charrnn, tree, untrained

from charrnn.errors import RunError
from charrnn.runs.outputs import check_output, open_output, write_output

RUN_FILES = ("best.safetensors", "last.safetensors", "corpus.ids", "corpus.json", "history.csv")


def write(path: Path, data: bytes) -> None:
    """Write by `open_output`, as a text is written."""
    with open_output(path) as file:
        file.write(data)


WRITERS = pytest.mark.parametrize("written", [write, write_output])


@WRITERS
def test_a_file_is_made_or_replaced(written) -> None:
    for data in (b"first and longer", b"second"):
        written(Path("new"), data)
        assert tree(Path()) == {"new": data}


@WRITERS
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(there: bool, written) -> None:
    Path("deep").mkdir()
    if there:
        Path("deep/target").write_bytes(b"old")
    Path("link").symlink_to("deep/second")
    Path("deep/second").symlink_to("target")
    written(Path("link"), b"new")
    assert Path("deep/target").read_bytes() == b"new"
    assert Path("link").is_symlink()
    assert Path("deep/second").is_symlink()


@WRITERS
def test_a_link_that_leads_back_to_itself_stays(written) -> None:
    Path("loop").symlink_to("loop")
    with pytest.raises(RunError, match=r"^loop: is a link that leads back to itself; name another"):
        written(Path("loop"), b"new")
    assert Path("loop").is_symlink()


@WRITERS
def test_a_pipe_is_written_to_and_stays(written) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        written(Path("pipe"), b"new")
        assert os.read(reader, 9) == b"new"
    finally:
        os.close(reader)
    assert Path("pipe").is_fifo()


def device(name: str, number: int) -> Path:
    """A memory device in this test's folder, which only root can make."""
    try:
        os.mknod(name, 0o20666, os.makedev(1, number))
        Path(name).open("wb").close()
    except OSError:
        pytest.skip("no device can be made here")
    return Path(name)


@pytest.mark.skipif(sys.platform != "linux", reason="devices have other numbers")
@WRITERS
def test_a_device_is_written_to_and_stays(written) -> None:
    written(device("null", 3), b"new")
    assert Path("null").is_char_device()


@pytest.mark.skipif(sys.platform != "linux", reason="devices have other numbers")
def test_a_device_that_is_full_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_output(device("full", 7), b"new")
    assert caught.value.filename == "full"


@WRITERS
@pytest.mark.parametrize("name", [*RUN_FILES, ".lock", "new.txt"])
@pytest.mark.parametrize("linked", [False, True])
def test_nothing_is_written_into_a_run_s_folder(linked: bool, name: str, written) -> None:
    path = untrained().folder / name
    if linked:
        Path("link").symlink_to(path)
    before = tree(Path())
    with pytest.raises(RunError, match=r"in the folder of a run or sweep, .*; name another"):
        written(Path("link") if linked else path, b"new")
    assert tree(Path()) == before


@WRITERS
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_a_checkpoint_is_not_written_over_wherever_it_stands(kept: float, written) -> None:
    data = untrained().best.read_bytes()
    Path("copy.bin").write_bytes(data[: int(kept * len(data))])
    before = tree(Path())
    with pytest.raises(RunError, match=r"^copy.bin: is a checkpoint; name another file$"):
        written(Path("copy.bin"), b"new")
    assert tree(Path()) == before


@pytest.mark.parametrize(
    "data", [b"", b"a", b"\xff" * 99, b"\1\0\0\0\0\0\0\0{", b'"charrnn":"' * 9]
)
def test_what_is_no_checkpoint_may_be_written_over(data: bytes) -> None:
    Path("other").write_bytes(data)
    check_output(Path("other"))


@pytest.mark.parametrize("option", ["--output", "--state-out"])
def test_the_command_refuses_before_it_writes_anything(option: str) -> None:
    run = untrained()
    before = tree(Path())
    for path in (run.best, run.folder / "new"):
        outcome = charrnn("sample", "--length", 5, option, path)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err.startswith(f"charrnn: {path}: is in the folder of a run or sweep, ")
    assert tree(Path()) == before


def test_text_and_state_are_not_written_to_the_same_file() -> None:
    untrained()
    Path("link").symlink_to("file")
    outcome = charrnn("sample", "--length", 5, "--output", "file", "--state-out", "link")
    assert (outcome.status, Path("file").exists()) == (2, False)
    assert "--output does not go together with --state-out to the same file" in outcome.err
    nowhere = ("--output", os.devnull, "--state-out", os.devnull)
    assert charrnn("sample", "--length", 5, *nowhere).status == 0


def test_a_state_may_be_written_over_by_its_successor() -> None:
    untrained()
    for _ in range(3):
        state_in = ["--state-in", "state"] if Path("state").exists() else []
        outcome = charrnn("sample", "--length", 5, "--state-out", "state", *state_in)
        assert outcome.status == 0, outcome
    assert set(tree(Path())) - set(tree(ROOT)) >= {"state"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_blamed_on_the_file_that_is_written() -> None:
    untrained()
    outcome = charrnn("sample", "--length", 5, "--output", "/dev/full")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith("charrnn: /dev/full: No space left on device; ")


def test_the_files_of_a_model_that_was_handed_on_are_not_replaced() -> None:
    untrained()
    assert charrnn("export", "fox", "--to", "hub", "-o", "model").status == 0
    before = tree(Path("model"))
    for name in before:
        done = charrnn("sample", "model", "-l", "3", "-o", f"model/{name}")
        assert done.status == 1
        assert done.err.count("\n") == 1
    assert tree(Path("model")) == before
    assert charrnn("sample", "model", "-l", "3", "-o", "model/sample.txt").status == 0
    Path("README.md").write_text("mine", encoding="utf-8")
    assert charrnn("sample", "model", "-l", "3", "-o", "README.md").status == 0


@pytest.mark.parametrize("command", [["sample", "fox", "-l", "3"], ["page", "fox"]])
def test_an_open_stream_is_added_to(command: list[str]) -> None:
    """As with `-o /dev/stdout >> notes.txt`."""
    untrained()
    with Path("notes.txt").open("ab") as notes:
        notes.write(b"mine\n")
        notes.flush()
        assert charrnn(*command, "-o", f"/dev/fd/{notes.fileno()}").status == 0
    found = Path("notes.txt").read_bytes()
    assert found.startswith(b"mine\n")
    assert len(found) > 7
