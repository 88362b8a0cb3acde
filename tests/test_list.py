"""`charrnn list` and `charrnn info`: what runs are, from the heads of their checkpoints."""

import json
import os
import shutil
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from commands import ROOT, charrnn, tree, untrained

from charrnn import __version__
from charrnn.cli import list_command as list_command_module
from charrnn.cli import output
from charrnn.cli.output import format_duration
from charrnn.config import Config
from charrnn.errors import CheckpointError
from charrnn.runs import checkpoints
from charrnn.runs.run import Run, runs_below
from charrnn.runs.summary import Summary, summarize

SECOND = 10**9


def run(name="fox", seconds=0.0, best=None, **settings):
    """A run that says of itself that it has come so far."""
    made = untrained(ROOT / name)
    checkpoint = checkpoints.load(made.last)
    progress = replace(
        checkpoint.progress, step=12345, elapsed_seconds=seconds, best_loss_nats=best
    )
    config = checkpoint.config.changed(settings)
    checkpoints.save(made.last, replace(checkpoint, progress=progress, config=config))
    return made


def aged(made, seconds):
    """The run, last written so long after 1970."""
    for path in (made.best, made.last):
        os.utime(path, ns=(seconds * SECOND, seconds * SECOND))
    return made


def with_cell(path, name):
    """Give a checkpoint a cell that nobody has, and a checksum that fits."""
    checkpoint = checkpoints.load(path)
    given = checkpoint.config.to_json()
    given["model"]["cell"] = name

    class Foreign(Config):
        def to_json(self):
            return given

    checkpoints.save(path, replace(checkpoint, config=Foreign()))


def listed():
    """What --json tells."""
    outcome = charrnn("list", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def rows():
    """The cells of the table's lines, without the heading."""
    return [line.split() for line in charrnn("list").out.splitlines()[1:]]


def test_a_run_is_listed_with_its_facts():
    run(seconds=3725, best=1.4)
    heading, line = charrnn("list").out.splitlines()
    assert heading.split() == ["run", "cell", "size", "text", "steps", "time", "bits", "when"]
    assert line.split()[:-2] == ["fox", "lstm", "1x8", "fox.txt", "12,345", "1h2m", "2.020"]
    (facts,) = listed()
    assert (facts["run"], facts["cell"], facts["units"], facts["step"]) == ("fox", "lstm", 8, 12345)
    assert facts["best_bits_per_char"] == pytest.approx(1.4 / 0.6931471805599453)
    assert facts["corpus"] == [str(Path("fox.txt").absolute())]
    assert facts["version"] == __version__


def test_the_newest_run_stands_first():
    for name, when in (("a", 30), ("b", 10), ("c", 20)):
        aged(run(name), when)
    assert [row[0] for row in rows()] == ["a", "c", "b"]
    assert [each["run"] for each in listed()] == ["a", "c", "b"]


def test_lines_fit_the_terminal_and_are_whole_without_one(monkeypatch):
    run("a" * 60, best=1.0, seconds=1e6)
    assert "a" * 60 in charrnn("list").out
    monkeypatch.setattr(output, "width", lambda: 80)
    run("b", best=1.0)
    (ROOT / "b" / "last.safetensors").write_bytes(b"no checkpoint at all" * 9)
    (ROOT / "b" / "best.safetensors").unlink()
    lines = charrnn("list").out.splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert "2." not in lines[0]


@pytest.mark.parametrize("damage", [b"", b"x" * 99, None])
def test_a_damaged_run_is_listed_with_the_reason(damage):
    aged(run("whole"), 10)
    bent = aged(run("bent"), 20)
    data = bent.last.read_bytes()
    bent.last.write_bytes(data[: len(data) // 2] if damage is None else damage)
    outcome = charrnn("list")
    assert outcome.status == 0
    first, second = outcome.out.splitlines()[1:]
    assert first.startswith("bent")
    assert ("damaged checkpoint: " if damage is None else "checkpoint") in first
    assert second.startswith("whole  lstm")
    facts = listed()
    assert "checkpoint" in facts[0]["error"]
    assert "error" not in facts[1]


def test_heads_with_nonsense_are_damaged_not_fatal():
    made = run()
    for part in ("config", "progress", "vocabulary", "written", "format"):
        for value in (None, 3, [], {"model": 3}, {"at": "yesterday"}, {"step": "x"}):
            rewritten(made.last, **{part: value})
            (facts,) = listed()
            assert "run" in facts
            assert charrnn("list").status == 0
            assert charrnn("info").status in (0, 1)


def rewritten(path, **parts):
    """Give a checkpoint's description other parts."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    description = json.loads(header["__metadata__"]["charrnn"])
    header["__metadata__"]["charrnn"] = json.dumps({**description, **parts})
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])


def test_no_run_at_all():
    outcome = charrnn("list")
    assert (outcome.status, outcome.out) == (0, "")
    assert "charrnn train corpus.txt" in outcome.err
    assert listed() == []


def test_the_text_of_a_lone_checkpoint_is_not_known():
    made = run()
    lone = ROOT / "lone"
    lone.mkdir()
    shutil.copy(made.last, lone / "best.safetensors")
    assert summarize(lone / "best.safetensors").corpus == ()
    assert ["lone", "lstm", "1x8", "-"] in [row[:4] for row in rows()]


def test_control_characters_of_names_are_not_shown():
    aged(run("bell\a"), 10)
    assert rows()[0][0] == r"bell\u0007"


def test_nothing_is_changed():
    run()
    before = tree(Path())
    for arguments in (["list"], ["list", "--json"], ["info"], ["info", "--verify"], ["cells"]):
        assert charrnn(*arguments).status == 0
    assert tree(Path()) == before


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59.6, "1m0s"), (125, "2m5s"), (7260, "2h1m")]
)
def test_durations(seconds, words):
    assert format_duration(seconds) == words


# -- info --------------------------------------------------------------------------------


def test_information_names_text_time_and_version():
    run()
    shown = dict(line.split(maxsplit=1) for line in charrnn("info").out.splitlines()[:7])
    assert (shown["text"], shown["characters"]) == ("fox.txt", "1,800")
    assert shown["charrnn"] == __version__
    assert shown["started"][:4].isdigit()


def test_an_altered_description_is_not_believed():
    made = run()
    data = made.last.read_bytes()
    made.last.write_bytes(data.replace(b"written", b"unheard"))
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        summarize(made.last)


def test_two_runs_side_by_side_show_what_differs():
    run("fox", dropout=0.5)
    run("hen", learning_rate=0.02, dropout=0.5)
    outcome = charrnn("info", "fox", "hen")
    assert (outcome.status, outcome.err) == (0, "")
    table = {line[:26].strip(): line[26:].split() for line in outcome.out.splitlines()}
    assert table["checkpoint"] == ["fox/last", "hen/last"]
    assert table["learning rate"] == ["0.01", "0.02"]
    assert "dropout" not in table
    assert outcome.out.splitlines()[-1].endswith("more facts and settings are the same")


def test_two_runs_as_json_are_two_objects():
    run("fox")
    run("hen", learning_rate=0.02)
    one, other = json.loads(charrnn("info", "fox", "hen", "--json").out)
    assert one == json.loads(charrnn("info", "fox", "--json").out)
    assert other["config"]["training"]["learning_rate"] == 0.02


@pytest.mark.parametrize("path", ["best", "last"])
def test_a_run_whose_cell_is_not_installed_is_described(path):
    made = run()
    with_cell(made.file(path), "foreign")
    outcome = charrnn("info", "--which", path)
    assert outcome.status == 0
    assert "foreign" in outcome.out
    assert "its cell 'foreign' is not installed" in outcome.err
    if path == "last":
        assert rows()[0][1] == "foreign"
    assert charrnn("sample", "--which", path).status == 1


def test_a_run_that_is_gone_or_strange_leaves_the_others_in_the_table(monkeypatch) -> None:
    """A time that no calendar has here, sources with nothing in common, a run renamed meanwhile."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    for name in ("late", "mixed", "gone", "lost", "sound"):
        untrained(ROOT / name)
    told = list_command_module.summarize

    def summarized(path: Path) -> Summary:
        name = path.parent.name
        if name == "gone":
            shutil.rmtree(path.parent)
            raise FileNotFoundError(2, "No such file or directory", str(path))
        if name == "lost":
            raise PermissionError(13, "Permission denied", str(path))
        late = {"written": datetime.max.replace(tzinfo=timezone.utc)} if name == "late" else {}
        mixed = {"corpus": ("/a/b.txt", "c.txt")} if name == "mixed" else {}
        return replace(told(path), **late, **mixed)

    monkeypatch.setattr(list_command_module, "summarize", summarized)
    done = charrnn("list")
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert set(rows) == {"run", "late", "mixed", "lost", "sound"}
    assert rows["late"].endswith(" -")
    assert " 2 files " in rows["mixed"]
    assert "Permission denied" in rows["lost"]
    assert done.err == "gone: deleted or renamed meanwhile\n"


def test_a_run_that_is_deleted_while_runs_are_sought_is_left_out(monkeypatch) -> None:
    untrained(ROOT / "sound")
    untrained(ROOT / "gone")
    monkeypatch.setattr(Run, "exists", property(lambda run: True))
    for file in (Run(ROOT / "gone").best, Run(ROOT / "gone").last):
        file.unlink()
    assert [run.name for run in runs_below(ROOT)] == ["sound"]
