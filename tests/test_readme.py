"""The README is short, and its main job and its tests are one command each."""

import re

from commands import charrnn
from pages import PAGES, ROOT, shown_commands

from charrnn.cli.usage import COMMANDS

README = PAGES["README.md"]


def line_with(word):
    """The only line of the README's blocks that has the word."""
    (line,) = re.findall(rf"^pip .*{word}.*$", README, re.MULTILINE)
    return line


def test_ci_runs_the_test_line():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert line_with("pytest") in lines


def test_the_main_job_runs_at_a_tiny_size():
    install, train, sample = line_with("sample").split(" && ")
    assert (install, train) == ("pip install .", "charrnn train --time 2m")
    trained = charrnn("train", "--units", 8, "--steps", 3, "--sample-every", 0, "--eval-chars", 500)
    assert trained.status == 0
    assert "reference of the Python language" in trained.err
    written = charrnn(*sample.split()[1:])
    assert written.status == 0
    assert len(written.out) == 500 + len("\n")


def test_it_is_read_in_two_minutes():
    assert len(README.encode()) < 9_000


def test_the_commands_come_first():
    head = README[: README.index("## What to expect")]
    assert [words[:2] for words in shown_commands(head)[:3]] == [
        ["pip", "install"],
        ["charrnn", "train"],
        ["charrnn", "sample"],
    ]


def test_every_command_is_named():
    shown = re.findall(r"`(?:charrnn )?([a-z]+)", README)
    assert set(COMMANDS.present) - set(shown) == set()


def test_the_tensorflow_range_stated_is_the_one_required():
    low, high = re.search(r"TensorFlow (\d\.\d+) and (\d\.\d+)", README).groups()
    required = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    below = f"2.{int(high.split('.')[1]) + 1}"
    assert f"tensorflow >= {low}, < {below}\n" in required
    assert f"tensorflow[and-cuda] >= {low}, < {below}\n" in required
