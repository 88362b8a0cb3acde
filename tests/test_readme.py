"""The README's commands are the ones that run."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from commands import charrnn

from charrnn.cli import main
from charrnn.cli.usage import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = ["--units", "8", "--steps", "3", "--sample-every", "0"]


def commands():
    """Every line of the README's shell blocks, without comments."""
    blocks = re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).splitlines()
    return [
        line.partition("  #")[0].strip() for line in lines if line.startswith(("charrnn", "pip"))
    ]


def test_ci_runs_the_test_line_of_the_readme():
    (line,) = [line for line in commands() if "pytest" in line]
    assert line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_main_job_runs_at_a_tiny_size():
    (line,) = [line for line in commands() if line.startswith("pip install . &&")]
    train, sample = line.split(" && ")[1:]
    assert train.split() == ["charrnn", "train", "--time", "2m"]
    trained = charrnn("train", *TINY, "--eval-chars", "500")
    assert trained.status == 0
    assert "Python standard library" in trained.err
    written = charrnn(*sample.split()[1:])
    assert written.status == 0
    assert len(written.out) == 500 + len("\n")


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("charrnn")])
def test_every_command_shown_is_understood(line):
    assert charrnn(*shlex.split(line)[1:]).status in (0, 1)  # 2 is a usage error


def test_every_setting_the_readme_names_exists():
    options = set(re.findall(r"--[a-z][a-z-]+", README))
    helps = "".join(charrnn(name, "--help").out for name in COMMANDS.present)
    assert {option for option in options if option not in helps} == set()


def test_every_command_is_shown():
    for name in set(COMMANDS.present):
        assert f"charrnn {name}" in README


def test_links_lead_to_files():
    for path in re.findall(r"\]\(([^):#]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_shown_is_the_shell_s(shell, monkeypatch):
    assert f"_CHARRNN_COMPLETE={shell}_source charrnn" in README
    monkeypatch.setenv("_CHARRNN_COMPLETE", f"{shell}_source")
    script = CliRunner().invoke(main, [], prog_name="charrnn").output
    assert f"_CHARRNN_COMPLETE={shell}_complete" in script


def test_the_python_examples_run(corpus):
    layers, example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    Path("another.txt").write_text("the dog\n", encoding="utf-8")
    tiny = example.replace('time="2m", units=256', "steps=2, units=8, sample_every=0")
    assert tiny != example
    for each in (tiny, layers):
        exec(compile(each, "README.md", "exec"), {"print": lambda *_, **__: None})


def test_the_tensorflow_range_stated_is_the_one_required():
    low, high = re.search(r"TensorFlow (\d\.\d+) and (\d\.\d+)", README).groups()
    required = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    below = f"2.{int(high.split('.')[1]) + 1}"
    assert f"tensorflow >= {low}, < {below}\n" in required
    assert f"tensorflow[and-cuda] >= {low}, < {below}\n" in required
