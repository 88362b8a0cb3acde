"""Atomic writes: the whole new file, or the old one untouched and nothing beside it."""

import os
import stat
from pathlib import Path

import pytest

from charrnn import files
from charrnn.files import write_atomically


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("data", [b"", b"\0\r\n\xff", b"x" * 100_000])
def test_the_file_holds_exactly_the_data(data: bytes) -> None:
    write_atomically(Path("state"), data)
    assert Path("state").read_bytes() == data
    assert names() == ["state"]


def test_an_older_file_is_replaced_not_written_into() -> None:
    Path("state").write_bytes(b"old and longer")
    os.link("state", "link")
    write_atomically(Path("state"), b"new")
    assert Path("state").read_bytes() == b"new"
    assert Path("link").read_bytes() == b"old and longer"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_file_gets_the_mode_that_the_umask_allows(mask: int) -> None:
    before = os.umask(mask)
    try:
        write_atomically(Path("state"), b"new")
        assert files.current_umask() == mask
        assert os.umask(mask) == mask  # reading it has left it as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("state").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.chmod", "pathlib.Path.replace"])
def test_a_failure_leaves_the_old_file_and_names_it(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    Path("state").write_bytes(b"old")
    monkeypatch.setattr(step, full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(Path("state"), b"new")
    assert caught.value.filename == "state"
    assert Path("state").read_bytes() == b"old"
    assert names() == ["state"]


def test_an_interrupt_after_the_renaming_is_all_that_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(source: Path, target: Path) -> None:
        os.replace(source, target)  # noqa: PTH105
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(Path("state"), b"new")
    assert Path("state").read_bytes() == b"new"


def test_an_interrupt_leaves_the_old_file_and_nothing_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    Path("state").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(Path("state"), b"new")
    assert Path("state").read_bytes() == b"old"
    assert names() == ["state"]


def test_the_data_is_flushed_before_the_rename_and_the_folder_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bool, bool]] = []

    def fsync(handle: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(handle).st_mode), Path("state").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(Path("state"), b"new")
    assert seen == [(False, False), (True, True)]


def test_a_missing_folder_is_an_error_and_is_not_made() -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(Path("nowhere/state"), b"new")
    assert names() == []


def test_an_error_of_the_system_is_explained_in_one_line_with_its_place() -> None:
    missing = FileNotFoundError(2, "No such file or directory", "a.txt")
    assert files.explain(missing, "folder") == "a.txt: No such file or directory"
    assert files.explain(OSError(5, "Input/output error"), "folder", "try again") == (
        "folder: Input/output error; try again"
    )
    assert files.explain(OSError("no gzip")) == "no gzip"
    assert "free some disk space" in files.explain(OSError(28, "No space left on device"), "b")


def test_a_file_that_is_replaced_keeps_its_permissions() -> None:
    path = Path("private")
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
