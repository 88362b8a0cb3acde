"""Runs are found by name, path or age; a run's folder is one process's at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrnn.errors import RunError
from charrnn.runs.run import Run, find_checkpoint, find_run, runs_below
from charrnn.training.run_folder import clean_up, settle

ROOT = Path("checkpoints")


def make(name: str, age: int = 0, root: Path = ROOT, which: str = "last") -> Run:
    """Something with the looks of a run, `age` seconds old."""
    run = Run(root / name)
    run.folder.mkdir(parents=True, exist_ok=True)
    path = run.folder / f"{which}.safetensors"
    path.touch()
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return run


def test_a_run_is_found_by_name() -> None:
    runs = [make("old", age=9), make("new")]
    assert [find_run(run.name, ROOT) for run in runs] == runs


def test_a_run_is_found_by_path(tmp_path: Path) -> None:
    run = make("poems", root=tmp_path / "elsewhere")
    assert find_run("elsewhere/poems", ROOT).folder.resolve() == run.folder
    assert find_run(run.folder, ROOT) == run
    assert find_run(f"{run.folder}/", ROOT) == run


def test_a_name_below_the_root_wins_over_a_path() -> None:
    make("poems", root=Path())
    run = make("poems")
    assert find_run("poems", ROOT) == run


def test_without_a_name_the_newest_run_is_found() -> None:
    make("a", age=5)
    make("b", age=1)
    make("c", age=3)
    assert find_run(None, ROOT).name == "b"
    make("c")
    assert find_run(None, ROOT).name == "c"


def test_either_checkpoint_tells_a_run_s_age() -> None:
    make("a", age=9)
    make("a", age=1, which="best")
    make("b", age=5)
    assert [run.name for run in runs_below(ROOT)] == ["b", "a"]


def test_folders_and_files_without_a_run_are_passed_over() -> None:
    run = make("run", age=5)
    (ROOT / "empty").mkdir()
    (ROOT / "README.md").touch()
    assert runs_below(ROOT) == [run]
    assert find_run(None, ROOT) == run


def test_an_unknown_name_is_answered_with_the_names() -> None:
    make("b")
    make("a")
    with pytest.raises(RunError, match=r"^poem: no run .* in checkpoints are: a, b$"):
        find_run("poem", ROOT)


@pytest.mark.parametrize("name", ["poem", "../poem", "/nowhere/poem", "checkpoints"])
def test_an_unknown_name_is_an_error_where_no_run_is(name: str) -> None:
    ROOT.mkdir()
    with pytest.raises(RunError, match=r"are: none$"):
        find_run(name, ROOT)


def test_no_run_yet_is_answered_with_how_to_make_one() -> None:
    with pytest.raises(RunError, match=r"^checkpoints: there is no run yet; .*`train corpus.txt`"):
        find_run(None, ROOT)


def test_a_checkpoint_is_found_by_run_or_by_file() -> None:
    run = make("run")
    assert find_checkpoint("run", ROOT, "last") == run.last
    assert find_checkpoint(None, ROOT, "last") == run.last
    assert find_checkpoint(run.last, ROOT, "best") == run.last


@pytest.mark.parametrize("which", ["best", "worst", "../run/last"])
def test_a_checkpoint_that_is_not_there_is_named(which: str) -> None:
    make("run")
    with pytest.raises(RunError, match=r"no checkpoint '.*'; give `which last`"):
        find_checkpoint("run", ROOT, which)


def test_a_text_file_is_no_checkpoint() -> None:
    Path("poem.txt").write_text("a poem", encoding="utf-8")
    with pytest.raises(RunError, match=r"poem.txt: no run of this name or path"):
        find_checkpoint("poem.txt", ROOT)


class Killed(BaseException):
    """What no handler catches."""


@pytest.mark.parametrize("moment", range(7))
def test_a_kill_while_a_run_is_replaced(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is there at once, and the new run is whole when the next process comes."""
    old = ("best.safetensors", "history.csv")
    new = ("last.safetensors", "corpus.ids", "corpus.json")
    run = make("run")
    others = dict.fromkeys(("notes.txt", "best.txt"), "old")
    for name in (*old, *new, *others):
        (run.folder / name).write_text("old", encoding="utf-8")
    staged = run.folder / ".staging-a"
    staged.mkdir()
    for name in new:
        (staged / name).write_text("new", encoding="utf-8")
    done: list[str] = []

    def dying(name: str) -> Callable[..., Any]:
        whole = getattr(Path, name)

        def step(*arguments: Any, **options: Any) -> Any:
            if len(done) == moment:
                raise Killed
            done.append(name)
            return whole(*arguments, **options)

        return step

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "unlink", "rmdir"):
            patched.setattr(Path, name, dying(name))
        with pytest.raises(Killed):
            settle(run, staged)
    assert find_checkpoint("run", ROOT)
    clean_up(run)
    there = {path.name: path.read_text(encoding="utf-8") for path in run.folder.iterdir()}
    before = others | dict.fromkeys((*old, *new), "old")
    after = others | dict.fromkeys(new, "new")
    assert there == (before if moment == 0 else after)


def test_each_step_of_settling_is_on_disk_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a loss of power, too, leaves the old run or the new one."""
    run = make("run", which="best")
    staged = run.folder / ".staging-a"
    staged.mkdir()
    for name in (run.last.name, "corpus.ids"):
        (staged / name).touch()
    done: list[str] = []
    names = {path.stat().st_ino: path.name for path in (run.folder, *run.folder.rglob("*"))}

    def noted(name: str) -> Callable[..., Any]:
        whole = getattr(Path, name)

        def step(path: Path, *arguments: Any, **options: Any) -> Any:
            done.append(f"{name} {path.name}")
            return whole(path, *arguments, **options)

        return step

    monkeypatch.setattr(os, "fsync", lambda fd: done.append(f"sync {names[os.fstat(fd).st_ino]}"))
    for name in ("rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, noted(name))
    settle(run, staged)
    assert done == [
        *("sync corpus.ids", "sync .staging-a", "rename .staging-a", "sync run"),
        *("replace last.safetensors", "replace corpus.ids", "sync run"),
        *("unlink best.safetensors", "unlink history.csv", "unlink samples.jsonl"),
        *("rmdir .settling", "sync run"),
    ]


HOLDER = """
import sys, pathlib
from charrnn.runs.run import Run
with Run(pathlib.Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_shuts_out_others_until_its_holder_is_killed() -> None:
    run = make("run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with (
            pytest.raises(RunError, match=r"^checkpoints/run: another process .*wait for it$"),
            run.locked(),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with run.locked():
        pass


def test_a_lock_ends_with_its_block() -> None:
    run = make("run")
    with pytest.raises(ZeroDivisionError), run.locked():
        raise ZeroDivisionError
    with run.locked(), pytest.raises(RunError, match="another process"), run.locked():
        pass
