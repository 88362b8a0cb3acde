"""What the shell completes."""

from click.shell_completion import ShellComplete
from commands import ROOT, untrained

from charrnn.cli import main


def completed(*words):
    """The completions of the last word."""
    *before, incomplete = words
    shell = ShellComplete(main, {}, "charrnn", "_CHARRNN_COMPLETE")
    return [item.value for item in shell.get_completions(list(before), incomplete)]


def test_commands_and_options():
    assert completed("tr") == ["train"]
    assert completed("train", "--uni") == ["--units"]
    assert "--temperature" in completed("sample", "--temp")


def test_runs_are_completed_by_name():
    untrained(ROOT / "fox")
    untrained(ROOT / "foal")
    assert sorted(completed("sample", "fo")) == ["foal", "fox"]
    assert completed("train", "--init-from", "foa") == ["foal"]
    assert completed("train", "--resume", "--name", "fox") == ["fox"]
    assert completed("sample", "--blend", "fox=1", "--blend", "foa") == ["foal"]


def test_runs_of_another_folder():
    untrained(ROOT.parent / "other" / "wolf")
    assert completed("info", "--checkpoints", "other", "w") == ["wolf"]


def test_where_there_is_no_run_the_shell_looks_for_files():
    shell = ShellComplete(main, {}, "charrnn", "_CHARRNN_COMPLETE")
    for words in (["sample"], ["train"], ["evaluate", "fox"]):
        (item,) = shell.get_completions(words, "po")
        assert (item.value, item.type) == ("po", "file")


def test_choices():
    assert completed("train", "--cell", "LS") == ["lstm"]
    assert completed("train", "--optimizer", "") == ["adamw"]
    assert completed("train", "--activation", "r") == ["relu"]
    assert completed("sample", "--which", "b") == ["best"]
