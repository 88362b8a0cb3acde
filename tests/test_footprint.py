"""Nothing is written but the run's folder and the outputs that are named; nothing is sent.

Python tells an audit hook of every file that is opened and of every socket.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import charrnn, options
from conftest import SMALL, TEXT

CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

watched: list[tuple[str, object]] | None = None
"""What happens while a test watches; None where none does. An audit hook cannot be removed."""


def note(event: str, arguments: tuple) -> None:
    """Note a file that is changed, or anything that is done with a socket."""
    if watched is None:
        return
    if event.startswith("socket."):
        watched.append((event, arguments))
    elif event in CHANGES or (event == "open" and arguments[2] & WRITING):
        watched.append((event, arguments[0]))


sys.addaudithook(note)


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, object]]]:
    """The changes of files and uses of sockets, as they happen."""
    global watched
    monkeypatch.setattr(tempfile, "tempdir", str(Path.cwd() / "temporary"))
    Path("temporary").mkdir()
    watched = []
    yield watched
    watched = None


def below_working_folder(place: object) -> bool:
    """Whether a path is in the working folder, or an open file's number."""
    if isinstance(place, int):
        return True
    path = Path(os.fsdecode(place))  # type: ignore[arg-type]
    return path == Path(os.devnull) or Path.cwd() in (path.absolute().parents)


@pytest.mark.usefixtures("eagerly")
def test_commands_write_what_is_named_and_open_no_socket(watching: list) -> None:
    Path("fox.txt").write_text(TEXT)
    tiny = options(**{**SMALL, "sample_every": 2}, steps=4)
    for command in (
        ["train", "fox.txt", *tiny],
        ["train", "--resume", "--steps", 2],
        ["sample", "--length", 20, "--state-out", "end.state", "--output", "out.txt"],
        ["sample", "--length", 20, "--state-in", "end.state"],
        ["page", "--text", "fox.txt"],
        ["evaluate"],
        ["info"],
    ):
        assert charrnn(*command).status == 0
    assert "open" in {event for event, _ in watching}
    assert [each for each in watching if each[0].startswith("socket.")] == []
    assert [each for each in watching if not below_working_folder(each[1])] == []
    named = {"fox.txt", "checkpoints", "end.state", "out.txt", "fox.html", "temporary"}
    assert {path.name for path in Path.cwd().iterdir()} == named
    assert list(Path("temporary").iterdir()) == []
    files = {path.name for path in Path("checkpoints/fox").iterdir()}
    run = {"best.safetensors", "last.safetensors", "corpus.ids", "corpus.json"}
    assert files == run | {"history.csv", "samples.jsonl", ".lock"}
