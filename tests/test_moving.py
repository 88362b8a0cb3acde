"""Runs are renamed, copied and deleted whole, and nothing outside of their folder is touched."""

import shutil
from pathlib import Path

import pytest
from commands import ROOT, charrnn, tree, untrained

from charrnn.errors import ConfigError, RunError
from charrnn.runs.manage import copy_run, delete, rename_run
from charrnn.runs.run import SWEEP, Run, runs_below


@pytest.fixture
def run() -> Run:
    return untrained(ROOT / "fox")


def names() -> list[str]:
    """What lies in the folder of the runs."""
    return sorted(path.name for path in ROOT.iterdir())


def contents(run: Run) -> dict[str, bytes]:
    """The files of a run, without the lock."""
    return {name: data for name, data in tree(run.folder).items() if name != ".lock"}


def test_a_renamed_run_has_all_that_it_had(run: Run) -> None:
    before = contents(run)
    renamed = rename_run("fox", "hound", ROOT)
    assert names() == ["hound"]
    assert contents(renamed) == before


def test_a_copy_is_the_run_without_what_is_half_made(run: Run) -> None:
    before = contents(run)
    (run.folder / ".staging-x").mkdir()
    (run.folder / ".last.safetensors.y.part").touch()
    copied = copy_run(run.folder, "hound", ROOT)
    assert tree(copied.folder) == before
    assert names() == ["fox", "hound"]
    assert before.items() <= contents(run).items()


def test_a_deleted_run_is_gone_and_no_other(run: Run) -> None:
    copy_run("fox", "hound", ROOT)
    delete("fox", ROOT)
    assert names() == ["hound"]


def test_a_sweep_is_deleted_with_its_runs_unless_one_is_in_training(run: Run) -> None:
    inner = untrained(ROOT / "hens" / "000-seed0")
    (ROOT / "hens" / SWEEP).write_text("{}")
    with pytest.raises(RunError, match="is a sweep, not a run"):
        rename_run("hens", "cocks", ROOT)
    with inner.locked(), pytest.raises(RunError, match="training here"):
        delete("hens", ROOT)
    assert inner.exists
    assert charrnn("delete", "hens", "--yes").err == "deleted checkpoints/hens\n"
    assert names() == ["fox"]


def test_a_misspelt_name_is_told_which_it_may_have_meant(run: Run) -> None:
    untrained(ROOT / "hounds")
    assert "did you mean hounds? The runs in" in charrnn("info", "hound").err


@pytest.mark.parametrize("change", [rename_run, copy_run])
def test_a_name_that_is_taken_is_refused(run: Run, change) -> None:
    (ROOT / "full").write_text("a file")
    (ROOT / "lost").symlink_to("nowhere")
    for name in ("fox", "full", "lost"):
        with pytest.raises(RunError, match="there is one already; choose another name"):
            change("fox", name, ROOT)
    assert names() == ["fox", "full", "lost"]


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", "../fox2", "/tmp/fox", "."])
@pytest.mark.parametrize("change", [rename_run, copy_run])
def test_a_name_that_leads_elsewhere_is_refused(run: Run, change, name: str) -> None:
    with pytest.raises((ConfigError, RunError)):
        change("fox", name, ROOT)
    assert names() == ["fox"]


def test_a_run_that_lies_elsewhere_is_left_alone(tmp_path: Path) -> None:
    elsewhere = untrained(tmp_path / "elsewhere" / "fox")
    ROOT.mkdir()
    (ROOT / "link").symlink_to(elsewhere.folder)
    before = tree(tmp_path)
    for change in (lambda run: rename_run(run, "a", ROOT), lambda run: delete(run, ROOT)):
        for path in (elsewhere.folder, "link", "link/../fox"):
            with pytest.raises(RunError, match=r"does not lie in the folder|no run of this name"):
                change(path)
    assert tree(tmp_path) == before


def test_a_run_that_is_being_trained_is_left_alone(run: Run) -> None:
    with run.locked():
        for change in (
            lambda: rename_run("fox", "hound", ROOT),
            lambda: copy_run("fox", "hound", ROOT),
            lambda: delete("fox", ROOT),
        ):
            with pytest.raises(RunError, match=r"training here; wait for it$"):
                change()
    assert names() == ["fox"]


def test_a_copy_that_fails_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space"):
        copy_run("fox", "hound", ROOT)
    assert names() == ["fox"]
    assert [each.name for each in runs_below(ROOT)] == ["fox"]


def test_the_commands_do_it_and_say_so(run: Run) -> None:
    outcome = charrnn("copy", "fox", "hound")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "wrote checkpoints/hound\n")
    outcome = charrnn("rename", "hound", "dog")
    assert (outcome.status, outcome.err) == (0, "checkpoints/dog is its name now\n")
    outcome = charrnn("delete", "fox", "dog", "--yes")
    assert (outcome.status, outcome.err) == (0, "deleted checkpoints/fox, checkpoints/dog\n")
    assert names() == []


def test_where_nobody_can_be_asked_nothing_is_deleted(run: Run) -> None:
    outcome = charrnn("delete", "fox")
    assert outcome.status == 2
    assert "nobody can be asked here; give --yes" in outcome.err
    assert names() == ["fox"]


def test_one_unknown_name_and_nothing_is_deleted(run: Run) -> None:
    outcome = charrnn("delete", "fox", "hound", "--yes")
    assert outcome.status == 1
    assert "no run of this name or path" in outcome.err
    assert names() == ["fox"]
