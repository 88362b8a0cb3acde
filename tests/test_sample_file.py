"""samples.jsonl: samples after the checkpoint go, and no other line is ever lost."""

import json
import random
from pathlib import Path

import pytest
from test_history import mutated

from charrnn.runs import sample_file
from charrnn.runs.sample_file import Sample

FILE = Path("samples.jsonl")
STEPS = (10, 20, 30, 40, 50)
LIMIT = 30
TEXT = 'a "quoted"\r\n\u2028line\\ of 漢字 and \0'


def line(step: int) -> bytes:
    """A line as it is written, without its end."""
    return sample_file.encoded(Sample(step, step / 8, f"{step}: {TEXT}")).rstrip(b"\n")


LINES = [line(step) for step in STEPS]
WHOLE = b"\n".join([*LINES, b""])


def cut(data: bytes, step: int = LIMIT) -> tuple[list[bytes], Path | None]:
    """The lines after a resume at the step, and where the old file is kept."""
    FILE.write_bytes(data)
    kept = sample_file.truncate(FILE, step)
    return FILE.read_bytes().split(b"\n")[:-1], kept


@pytest.mark.parametrize("text", [TEXT, "", "\ud800", "a\x85b\u2029c", "\U0001f600"])
def test_a_text_comes_back_as_it_was(text: str) -> None:
    for step in (1, 2):
        sample_file.append(FILE, Sample(step, 0.5, text))
    assert sample_file.read(FILE.read_bytes()) == (
        [Sample(1, 0.5, text), Sample(2, 0.5, text)],
        True,
    )
    lines = FILE.read_bytes().decode("utf-8").split("\n")
    assert [json.loads(each)["text"] for each in lines[:-1]] == [text, text]


@pytest.mark.parametrize("step", [0, 9, 10, 35, 50, 99])
def test_samples_after_the_step_go(step: int) -> None:
    lines = [each for each, at in zip(LINES, STEPS, strict=True) if at <= step]
    assert cut(WHOLE, step) == (lines, None)


def test_no_samples_stay_none() -> None:
    assert sample_file.truncate(FILE, LIMIT) is None
    assert not FILE.exists()
    assert sample_file.last_step(FILE) is None


def test_the_last_step_is_found_in_a_file_of_any_length() -> None:
    FILE.write_bytes(b"")
    assert sample_file.last_step(FILE) is None
    for step in range(300):
        sample_file.append(FILE, Sample(step, 0.5, "漢" * 200))
    assert FILE.stat().st_size > sample_file.LAST_BYTES
    assert sample_file.last_step(FILE) == 299


@pytest.mark.parametrize("size", range(1, len(line(50))))
def test_half_a_line_that_a_kill_left_goes(size: int) -> None:
    assert cut(WHOLE[: -len(line(50)) - 1 + size]) == (LINES[:3], None)


HARMLESS = {
    "byte-order mark": b"\xef\xbb\xbf" + WHOLE,
    "other line ends": WHOLE.replace(b"\n", b"\r\n"),
    "no line end": WHOLE[:-1],
    "empty lines": WHOLE.replace(b"\n", b"\n\n"),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_what_an_editor_changes_is_no_harm(change: str) -> None:
    assert cut(HARMLESS[change]) == (LINES[:3], None)


STRANGE = {
    "step that is no number": (WHOLE.replace(b'"step": 20', b'"step": "20"'), [10, 30]),
    "negative step": (WHOLE.replace(b'"step": 20', b'"step": -20'), [10, 30]),
    "step with a fraction": (WHOLE.replace(b'"step": 20', b'"step": 20.5'), [10, 30]),
    "step of 9,999 digits": (WHOLE.replace(b'"step": 20', b'"step": ' + b"9" * 9999), [10, 30]),
    "missing field": (WHOLE.replace(b'"step": 20, ', b""), [10, 30]),
    "further field": (WHOLE.replace(b'"step": 20, ', b'"step": 20, "mine": 1, '), [10, 30]),
    "no text": (WHOLE.replace(b'"20: ', b'1, "20: '), [10, 30]),
    "bytes that are no text": (WHOLE.replace(b"20: ", b"20\xff: "), [10, 30]),
    "nested too deeply": (WHOLE.replace(b'"step": 20', b'"step": ' + b"[" * 99_999), [10, 30]),
    "a note at the end": (
        WHOLE.replace(LINES[3] + b"\n" + LINES[4] + b"\n", b"mine"),
        [10, 20, 30],
    ),
    "utf-16": (WHOLE.decode().encode("utf-16"), []),
    "another file": (b"\x89PNG\r\n\0\xff", []),
}


@pytest.mark.parametrize("change", STRANGE)
def test_what_is_not_understood_is_kept_aside(change: str) -> None:
    data, known = STRANGE[change]
    for number in (1, 2):
        lines, kept = cut(data)
        assert lines == [line(step) for step in known]
        assert kept == Path(f"samples.kept-{number}.jsonl")
        assert kept.read_bytes() == data


def test_what_is_no_file_is_kept_aside() -> None:
    FILE.mkdir()
    assert sample_file.truncate(FILE, LIMIT) == Path("samples.kept-1.jsonl")
    assert FILE.read_bytes() == b""
    assert Path("samples.kept-1.jsonl").is_dir()


@pytest.mark.parametrize("seed", range(4))
def test_no_change_of_bytes_is_an_error_or_loses_a_sample(seed: int) -> None:
    hold_the_law(random.Random(seed), times=250)


def hold_the_law(rng: random.Random, times: int) -> None:
    """Change the samples so many times: no change is an error, and none loses a sample."""
    for _ in range(times):
        data = mutated(WHOLE, rng)
        lines, kept = cut(data)
        if kept is not None:
            assert kept.read_bytes() == data
            kept.unlink()
            continue
        untouched = [each for each in LINES[:3] if each + b"\n" in data]
        assert set(untouched) <= set(lines), data
