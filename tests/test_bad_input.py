"""Bad input: one clear line (what, where, the way out), a status, and no file changed."""

import bz2
import errno
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import CHARRNN, ROOT, Outcome, charrnn, environment, options, tree, untrained
from conftest import SMALL, TEXT
from filelock import FileLock

from charrnn.runs import checkpoints
from charrnn.runs.run import Run
from charrnn.text.corpus import Spool

TINY = [*options(**SMALL), "--steps", 4]


def refused(*arguments: Any, stdin: bytes = b"", notes: int = 0) -> str:
    """The one line that a refused command writes; nothing else may come of it."""
    before = tree(Path())
    outcome = charrnn(*arguments, stdin=stdin)
    assert tree(Path()) == before
    return message(outcome, notes)


def message(outcome: Outcome, notes: int = 0) -> str:
    """The error's line of an outcome, which stands last, after so many notes."""
    assert outcome.status == 1, outcome
    assert outcome.out == ""
    others = ("this process computes with", "starting TensorFlow")  # as other tests leave it
    lines = [line for line in outcome.err.splitlines() if not line.startswith(others)]
    assert len(lines) == notes + 1, outcome.err
    assert lines[-1].startswith("charrnn: ")
    return lines[-1].removeprefix("charrnn: ")


def usage_error(*arguments: Any) -> str:
    """The error of a command line that click itself refuses."""
    before = tree(Path())
    outcome = charrnn(*arguments)
    assert tree(Path()) == before
    assert (outcome.status, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("charrnn: ")
    assert line.endswith(f"; see charrnn {arguments[0]} --help")
    return line.removeprefix("charrnn: ")


# -- The corpus --------------------------------------------------------------------------

BINARY = bytes(range(256)) * 4
FAR = ("é" * (1 << 20)).encode() + b"\xff"
CORPORA: dict[str, tuple[bytes, list[str]]] = {
    "empty.txt": (b"", ["no characters", "at least 2"]),
    "one.txt": (b"a", ["1 character;", "at least 2"]),
    "mark.txt": (b"\xef\xbb\xbf", ["no characters"]),
    "crlf.txt": (b"\r\n", ["1 character;"]),
    "photo.png": (b"\x89PNG\r\n\x1a\n" + BINARY, ["0x89 at offset 0", "--bytes"]),
    "program": (b"text, then\0\1\2", ["NUL", "binary", "--bytes", "--encoding"]),
    "latin.txt": (b"caf\xe9 au lait", ["byte 0xe9 at offset 3", "utf-8", "--encoding", "--bytes"]),
    "cut.txt": ("poésie".encode()[:3], ["0xc3 at offset 2", "--encoding"]),
    "far.txt": (FAR, [f"0xff at offset {len(FAR) - 1} "]),
    "cut.gz": (gzip.compress(TEXT.encode())[:-9], ["damaged compressed file"]),
    "cut.bz2": (bz2.compress(TEXT.encode())[:-9], ["damaged compressed file"]),
    "false.gz": (TEXT.encode(), ["gzip"]),
    "empty.gz": (gzip.compress(b""), ["no characters"]),
}


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_that_cannot_be_learnt(name: str) -> None:
    data, words = CORPORA[name]
    Path(name).write_bytes(data)
    line = refused("train", name, *TINY)
    assert line.startswith(f"{name}: ")
    assert not [word for word in words if word not in line], line


@pytest.mark.parametrize("data", [b"", b"a", b"ab\xff", b"ab\0"])
def test_standard_input_that_cannot_be_learnt(data: bytes) -> None:
    assert refused("train", "-", *TINY, stdin=data).startswith("standard input: ")


@pytest.mark.parametrize("name", ["missing.txt", "missing/poems.txt", "*.poem", "a\nb.txt"])
def test_a_corpus_that_is_not_there(name: str) -> None:
    line = refused("train", name, *TINY)
    assert line.endswith("no such file or folder; check the path")


def test_one_missing_file_among_others_is_named(corpus: Path) -> None:
    assert refused("train", corpus, "missing.txt", *TINY).startswith("missing.txt: ")


def test_a_folder_without_text(corpus: Path) -> None:
    folder = Path("photos")
    (folder / "deeper").mkdir(parents=True)
    assert "no text file in this folder" in refused("train", folder, *TINY)
    (folder / "deeper" / "photo.png").write_bytes(BINARY)
    (folder / ".hidden").write_bytes(corpus.read_bytes())
    line = refused("train", folder, *TINY)
    assert line.startswith("photos: no text file in this folder; ")
    assert "--bytes" in line


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (["--encoding", "klingon"], "--encoding klingon: unknown; try utf-8"),
        (["--min-count", "99999"], "--min-count 99999: no character occurs so often; lower it"),
        (["--val-fraction", "0.5", "--test-fraction", "0.5"], "leave no text for training"),
    ],
)
def test_ways_of_reading_that_cannot_be(corpus: Path, setting: list[str], words: str) -> None:
    assert words in refused("train", corpus, *TINY, *setting)


# -- Sizes and rates ---------------------------------------------------------------------

IMPOSSIBLE = [
    ("--units", "0"),
    ("--units", "-3"),
    ("--layers", "0"),
    ("--layers", "100000"),
    ("--embedding", "-1"),
    ("--batch-size", "0"),
    ("--seq-length", "0"),
    ("--learning-rate", "0"),
    ("--learning-rate", "-1"),
    ("--learning-rate", "nan"),
    ("--learning-rate", "inf"),
    ("--dropout", "1"),
    ("--dropout", "nan"),
    ("--clip-norm", "0"),
    ("--weight-decay", "-0.1"),
    ("--min-count", "0"),
    ("--val-fraction", "1"),
    ("--val-fraction", "-0.1"),
    ("--test-fraction", "nan"),
    ("--steps", "0"),
    ("--epochs", "0"),
    ("--epochs", "inf"),
    ("--time", "0s"),
    ("--eval-every", "0"),
    ("--seed", "-1"),
]


@pytest.mark.parametrize(("option", "value"), IMPOSSIBLE)
def test_impossible_settings_of_training(corpus: Path, option: str, value: str) -> None:
    line = refused("train", corpus, option, value)
    assert line.startswith(f"{option} ")
    assert ": must be " in line


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--temperature", "inf"),
        ("--temperature", "1.0,-1.0"),
        ("--top-k", "-1"),
        ("--top-p", "0"),
        ("--top-p", "1.1"),
        ("--min-p", "-0.1"),
        ("--repetition-penalty", "0"),
        ("--repetition-window", "0"),
        ("--length", "-2"),
        ("--lines", "0"),
        ("--words", "0"),
        ("--count", "0"),
        ("--best-of", "0"),
        ("--beam", "-1"),
    ],
)
def test_impossible_settings_of_sampling(option: str, value: str) -> None:
    untrained()
    line = refused("sample", option, value)
    assert line.startswith(f"{option} ")
    assert ": must be " in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stop", ""], "--stop '': an empty text"),
        (["--match", "(a"], "--match '(a': missing )"),
        (["--allow", "€"], "--allow '€': leaves none"),
        (["--length", -1, "--count", 2], "--length -1: an endless text is written alone"),
        (["--beam", 2, "--best-of", 2], "--beam 2 --best-of 2: give one of the two"),
        (["--beam", 2, "--count", 3], "--count 3"),
        (["--state-in", "fox.txt"], "fox.txt: not the saved state of a text"),
        (["--blend", "fox=0"], "--blend: weights must be above 0"),
    ],
)
def test_controls_that_make_no_sense(arguments: list[Any], message: str) -> None:
    untrained()
    assert refused("sample", *arguments).startswith(message)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--units", "many"],
        ["train", "--learning-rate", "fast"],
        ["train", "--cell", "heart"],
        ["train", "--time", "soon"],
        ["train", "--time", "5 parsecs"],
        ["train", "--time", ""],
        ["train", "--units", "8,x"],
        ["sample", "--seed", "-1"],
        ["sample", "--temperature", "warm"],
        ["sample", "--blend", "fox=much"],
        ["sample", "--engine", "steam"],
        ["sample", "--beam", "2", "--state-out", "state"],
        ["sample", "--state-in", "nowhere"],
        ["sample", "--prompt", "a", "--prompt-file", "corpus.txt"],
        ["sample", "--prompt-file", "nowhere.txt"],
        ["evaluate", "--which", "worst"],
        ["info", "--which", "worst"],
    ],
)
def test_values_that_are_none(corpus: Path, arguments: list[str]) -> None:
    untrained()
    assert usage_error(*arguments)


def test_two_plans_are_one_too_many(corpus: Path) -> None:
    assert "not several" in refused("train", corpus, "--steps", 3, "--time", "1m")


def test_a_prompt_file_that_is_not_text(corpus: Path) -> None:
    untrained()
    Path("prompt.txt").write_bytes(b"caf\xe9")
    assert "byte 0xe9 at offset 3 is not utf-8" in usage_error(
        "sample", "--prompt-file", "prompt.txt"
    )


def test_a_prompt_that_is_not_text() -> None:
    untrained()
    assert usage_error("sample", "--prompt", os.fsdecode(b"caf\xe9")).startswith("--prompt: ")


# -- Runs --------------------------------------------------------------------------------

READERS = ("sample", "evaluate", "info")


@pytest.mark.parametrize("command", READERS)
def test_no_run_yet(command: str) -> None:
    assert refused(command) == (
        "checkpoints: there is no run yet; make one with: charrnn train corpus.txt"
    )


def test_nothing_to_go_on_with(corpus: Path) -> None:
    assert "there is no run yet" in refused("train", "--resume")
    assert "no run of this name" in refused("train", corpus, "--resume", "--steps", 4)
    assert "no run of this name" in refused("train", corpus, "--init-from", "nobody")


@pytest.mark.parametrize("command", READERS)
def test_an_unknown_run(command: str) -> None:
    untrained()
    line = refused(command, "wolf")
    assert line == "wolf: no run of this name or path; the runs in checkpoints are: fox"


def test_an_unknown_run_to_go_on_with() -> None:
    untrained()
    assert "are: fox" in refused("train", "--resume", "--name", "wolf")


@pytest.mark.parametrize("which", ["best", "last"])
def test_a_run_without_the_checkpoint_asked_for(which: str) -> None:
    run = untrained()
    run.checkpoint(which).unlink()
    assert f"no checkpoint '{which}'; give --which" in refused("sample", "--which", which)


def test_a_run_that_stands_in_the_way() -> None:
    untrained()
    line = refused("train", "fox.txt", *TINY)
    assert line.startswith("checkpoints/fox: there is already a run in this folder; ")
    for way_out in ("--resume", "--name", "--overwrite"):
        assert way_out in line


@pytest.mark.parametrize("arguments", [["--resume"], ["fox.txt", "--overwrite", "--steps", 3]])
def test_two_processes_in_one_folder(arguments: list[Any]) -> None:
    run = untrained()
    with FileLock(run.lock_file):
        line = refused("train", *arguments)
    assert line.startswith("checkpoints/fox: another process is training here; ")
    assert "--name" in line


def test_a_second_process_leaves_the_first_one_s_new_folder_alone(corpus: Path) -> None:
    run = Run(ROOT / "corpus")
    run.folder.mkdir(parents=True)
    with FileLock(run.lock_file):
        assert "another process" in refused("train", corpus, *TINY)
        assert run.lock_file.exists()


def test_a_changed_corpus_is_not_gone_on_with() -> None:
    run = untrained()
    Path("fox.txt").write_text(TEXT.replace("fox", "cat"), encoding="utf-8")
    for arguments in (["--resume"], ["fox.txt", "--resume"]):
        line = refused("train", *arguments)
        assert "fox.txt" in line
        assert str(run.folder / "corpus.ids") in line
        assert "--init-from fox" in line


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"\0" + data[1:]])
@pytest.mark.parametrize("command", [["train", "--resume"], ["evaluate"]])
def test_a_run_s_own_text_cut_short_or_altered(
    command: list[str], change: Callable[[bytes], bytes]
) -> None:
    ids = untrained().folder / "corpus.ids"
    ids.write_bytes(change(ids.read_bytes()))
    assert refused(*command).startswith(f"{ids}: ")


def test_a_setting_that_cannot_change_on_the_way() -> None:
    untrained()
    line = refused("train", "--resume", "--units", 9)
    assert line.startswith("--units 9: the run has 8, which cannot change; ")


def test_going_on_and_starting_anew_exclude_each_other() -> None:
    untrained()
    assert "--overwrite" in refused("train", "--resume", "--overwrite")
    assert "--init-from" in refused("train", "--resume", "--init-from", "fox")


def test_a_new_shape_for_old_weights(corpus: Path) -> None:
    untrained()
    line = refused("train", corpus, "--init-from", "fox", "--units", 9)
    assert line == "--units 9: the run in --init-from has 8; leave it out"


def test_a_text_where_a_run_is_meant(corpus: Path) -> None:
    untrained()
    assert "no run of this name or path" in refused("evaluate", corpus)


def test_a_checkpoint_without_its_run_has_no_text_to_score() -> None:
    untrained().best.rename("lone.safetensors")
    assert refused("evaluate", "lone.safetensors").endswith("a file to evaluate")


@pytest.mark.parametrize("data", [b"", b"a", b"caf\xe9", b"a\0b", None])
def test_a_file_that_cannot_be_scored(data: bytes | None) -> None:
    untrained()
    if data is not None:
        Path("other.txt").write_bytes(data)
    assert refused("evaluate", "fox", "other.txt").startswith("other.txt: ")


def test_a_part_that_a_run_does_not_have() -> None:
    untrained()
    assert "has no test part; name a file" in refused("evaluate", "--test")


# -- Checkpoints -------------------------------------------------------------------------


def header_end(data: bytes) -> int:
    """Where a checkpoint's tensors begin."""
    return 8 + int.from_bytes(data[:8], "little")


def altered(data: bytes, place: int) -> bytes:
    """The data with one bit turned."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut within the length": lambda data: data[:5],
    "cut within the header": lambda data: data[:100],
    "cut after the header": lambda data: data[: header_end(data)],
    "cut within a tensor": lambda data: data[: (header_end(data) + len(data)) // 2],
    "last byte gone": lambda data: data[:-1],
    "altered length": lambda data: altered(data, 0),
    "altered setting": lambda data: altered(data, data.index(b"seq_length") + 14),
    "altered progress": lambda data: altered(data, data.index(b"rate_scale") + 14),
    "altered first number": lambda data: altered(data, header_end(data)),
    "altered number": lambda data: altered(data, (header_end(data) + len(data)) // 2),
    "altered last number": lambda data: altered(data, len(data) - 1),
}
BEST = ("--which", "best")
USES = (
    ["sample"],
    ["evaluate"],
    ["info", *BEST],
    ["info", "--json", *BEST],
    ["evaluate", "fox", "fox.txt"],
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint(damage: str) -> None:
    run = untrained()
    data = run.best.read_bytes()
    for path in (run.best, run.last):
        path.write_bytes(DAMAGES[damage](data))
        assert path.read_bytes() != data
    for command in USES:
        line = refused(*command)
        assert line.startswith(f"{run.best}: damaged checkpoint: ")
        assert "--which" in line
    for arguments in (["--resume"], ["fox.txt", "--name", "new", "--init-from", "fox"]):
        assert "damaged checkpoint" in refused("train", *arguments)


def test_weights_so_large_that_they_overflow() -> None:
    run = untrained()
    checkpoint = checkpoints.load(run.best)
    checkpoint.tensors["weights/logits/kernel"][:] = 3e38
    checkpoint.tensors["weights/recurrent_1/bias"][:] = 9.0  # so that all outputs are near 1
    checkpoints.save(run.best, checkpoint)
    assert "computes values that are not finite" in refused("sample", "--json", notes=1)


@pytest.mark.parametrize("command", USES)
def test_a_checkpoint_of_a_newer_format(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(checkpoints, "FORMAT", checkpoints.FORMAT + 1)
        run = untrained()
    line = refused(*command)
    assert line.startswith(
        f"{run.best}: format {checkpoints.FORMAT + 1}, written by a newer charrnn "
    )
    assert "upgrade charrnn" in line


# -- The system says no ------------------------------------------------------------------


def test_the_folder_s_place_is_taken_by_a_file(corpus: Path) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    assert "taken" in usage_error("train", corpus, "--checkpoints", "taken")
    line = refused("train", corpus, *TINY, "--checkpoints", "taken/deeper")
    assert line.startswith("taken/deeper")
    assert "--checkpoints" in line
    ROOT.mkdir()
    (ROOT / "corpus").write_text("a file", encoding="utf-8")
    line = refused("train", corpus, *TINY)
    assert line.startswith("checkpoints/corpus: ")
    assert "--checkpoints" in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_a_folder_where_nothing_can_be_made(corpus: Path) -> None:
    line = refused("train", corpus, *TINY, "--checkpoints", "/proc/checkpoints")
    assert line.startswith("/proc/checkpoints")
    assert "--checkpoints" in line


def test_a_folder_whose_last_part_cannot_be_made(corpus: Path) -> None:
    line = refused("train", corpus, *TINY, "--checkpoints", "deep/er", "--name", "x" * 300)
    assert "name too long" in line


@pytest.mark.parametrize("kind", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written(
    kind: int, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the system's answer is played."""

    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(kind, os.strerror(kind), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    line = refused("train", corpus, *TINY)
    assert line.startswith(f"checkpoints/corpus: {os.strerror(kind)}; ")
    assert "--checkpoints" in line


def full(*_: Any, **__: Any) -> None:
    """What the system says when the disk is full; it does not say where."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WRITES = {"flushing": (os, "fsync"), "the text": (Spool, "add")}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk(write: str, overwrite: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there was no run, nothing is left; a run that was to be replaced is whole."""
    Path("fox.txt").write_text(TEXT, encoding="utf-8")
    if overwrite:
        untrained()
    monkeypatch.setattr(*WRITES[write], full)
    line = refused("train", "fox.txt", *TINY, *["--overwrite"] * overwrite)
    assert line.startswith("checkpoints")
    assert ": No space left on device; free some disk space" in line


def test_a_full_disk_for_temporary_files(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained()
    monkeypatch.setattr(Spool, "add", full)
    line = refused("evaluate", "fox", corpus)
    assert line.startswith(tempfile.gettempdir())
    assert "No space left on device; free some disk space" in line


def test_a_disk_that_fills_up_on_the_way(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint before it stays, from which the run can go on."""
    save, saved = checkpoints.save, []

    def save_twice(path: Path, checkpoint: checkpoints.Checkpoint) -> None:
        saved.append(path)
        if len(saved) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(path, checkpoint)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", save_twice)
        outcome = charrnn("train", corpus, *TINY, "--eval-every", 2)
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    last = outcome.err.splitlines()[-1]
    assert last.startswith(
        "charrnn: checkpoints/corpus/last.safetensors: No space left on device; free "
    )
    run = Run(ROOT / "corpus")
    assert checkpoints.load(run.last).progress.step == 0
    assert not [name for name in tree(run.folder) if name.endswith(".part") or "staging" in name]


def test_a_lost_connection_is_not_blamed_on_the_folder(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> None:
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    monkeypatch.setattr("charrnn.training.session.Session.step", lost)
    outcome = charrnn("train", corpus, *TINY)
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == "charrnn: Connection reset by peer"


def test_memory_that_does_not_suffice(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError("Unable to allocate 4.00 TiB for an array")

    monkeypatch.setattr("charrnn.training.begin.initial_weights", exhausted)
    line = refused("train", corpus, *TINY, notes=6)
    assert line.startswith("out of memory; lower --units")


def test_memory_that_does_not_suffice_tensorflow(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any) -> None:
        import tensorflow as tf

        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr("charrnn.training.step.set_weights", exhausted)
    line = refused("train", corpus, *TINY, notes=6)
    assert line.startswith("out of memory; lower --units")


def test_what_a_killed_process_left_is_swept_up(corpus: Path) -> None:
    run = untrained()
    staged = run.folder / ".staging-killed"
    staged.mkdir()
    (staged / "corpus.ids").touch()
    (run.folder / ".last.safetensors.killed.part").touch()
    (run.folder / "notes.txt").touch()
    charrnn("train", "--resume", "--units", 9)
    names = {path.name for path in run.folder.iterdir()}
    assert {"notes.txt", run.best.name, run.last.name} < names
    assert not {staged.name, ".last.safetensors.killed.part"} & names


# -- Standard output ---------------------------------------------------------------------


def piped(shell: str) -> subprocess.CompletedProcess[str]:
    """A line for the shell, `charrnn` standing for the command."""
    line = shell.replace("charrnn", " ".join(CHARRNN))
    environ = {**environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environ)


def test_a_reader_that_leaves_early_is_met_with_silence() -> None:
    untrained()
    done = piped(
        "charrnn sample --seed 5 --length 200000 | head -c 10; echo; echo ${PIPESTATUS[0]}"
    )
    text, status = done.stdout.rsplit("\n", 2)[:2]
    assert text == charrnn("sample", "--seed", 5, "--length", 10).out.rstrip("\n")
    assert status == "0"
    assert done.stderr == "checkpoints/fox, --seed 5\n"


@pytest.mark.parametrize("command", ["info", "info --json", "--help", "--version"])
def test_a_reader_that_is_gone_already(command: str) -> None:
    untrained()
    done = piped(f"charrnn {command} | true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_standard_output_that_is_closed() -> None:
    untrained()
    done = piped("charrnn info >&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("options", ["--prompt -", "--prompt-file -", "--interactive"])
def test_standard_input_that_is_closed(options: str) -> None:
    untrained()
    done = piped(f"charrnn sample {options} <&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("charrnn: standard input: closed; ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_onto_a_full_disk() -> None:
    untrained()
    done = piped("charrnn info > /dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "charrnn: standard output: No space left on device; free some disk space and try again\n"
    )


def test_standard_output_that_cannot_show_the_text() -> None:
    untrained(text=TEXT.replace("fox", "füchsin"))
    outcome = charrnn("sample", "--prompt", "ü", "--length", 1, charset="ascii")
    assert message(outcome, notes=1) == r"ascii has no '\xfc'; set PYTHONIOENCODING=utf-8"
