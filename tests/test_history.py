"""history.csv and samples.jsonl: lines are only added, and those that count are read."""

import json
import random
from pathlib import Path

import pytest

from charrnn.runs import history
from charrnn.runs.history import Sample

ROWS, SAMPLES = Path("history.csv"), Path("samples.jsonl")
HEADER = ",".join(history.COLUMNS)
STEPS = (10, 20, 30, 40, 50)
TEXT = 'a "quoted"\r\n\u2028line\\ of 漢字 and \0'


def line(step: int) -> str:
    """A row as it is written."""
    return f"{step},0.5,1.25,1.5,2.1640425613334453,0.002,0.75,0.0,{step % 3},{step / 8}"


WHOLE = "\n".join([HEADER, *map(line, STEPS), ""]).encode()


def steps_of(data: bytes) -> tuple[list[float | None], bool]:
    """The steps of the rows that count, and whether every row could be read."""
    rows, complete = history.read_history(data)
    return [row["step"] for row in rows], complete


@pytest.mark.parametrize("there", [None, b"", WHOLE])
def test_a_row_is_added_under_a_header(there: bytes | None) -> None:
    if there is not None:
        ROWS.write_bytes(there)
    history.write_row(ROWS, dict.fromkeys(history.COLUMNS, 0.5) | {"step": 60, "epoch": None})
    lines = ROWS.read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    assert lines[-1] == "60,," + ",".join(["0.5"] * 8)
    assert len(lines) == (2 if not there else 7)


@pytest.mark.parametrize(
    ("written", "counting"),
    [
        ([10, 20, 30], [10, 20, 30]),
        ([10, 20, 30, 20, 30, 40], [10, 20, 30, 40]),
        ([10, 20, 30, 15, 25], [10, 15, 25]),
        ([10, 20, 5], [5]),
        ([10, 10], [10]),
    ],
)
def test_what_a_run_that_went_back_has_left_behind_does_not_count(
    written: list[int], counting: list[int]
) -> None:
    data = "\n".join([HEADER, *map(line, written)]).encode()
    assert steps_of(data) == (counting, True)
    for number, step in enumerate(written):
        history.write_sample(SAMPLES, Sample(step, 0.5, str(number)))
    samples, complete = history.read_samples(SAMPLES.read_bytes())
    assert complete
    assert [sample.step for sample in samples] == counting
    last = {step: str(number) for number, step in enumerate(written)}
    assert [sample.text for sample in samples] == [last[step] for step in counting]


@pytest.mark.parametrize("size", [1, 9, 20])
def test_half_a_line_that_a_kill_left_spoils_no_other(size: int) -> None:
    ROWS.write_bytes(WHOLE[: -len(line(50)) - 1 + size])
    history.write_row(ROWS, dict.fromkeys(history.COLUMNS, 0.5) | {"step": 60})
    assert steps_of(ROWS.read_bytes()) == ([10, 20, 30, 40, 60], False)
    SAMPLES.write_bytes(b'{"step": 1, "epoch": 0.5, "text": "a"}\n{"step": 2, "ep')
    history.write_sample(SAMPLES, Sample(3, 0.5, "b"))
    samples, complete = history.read_samples(SAMPLES.read_bytes())
    assert [sample.step for sample in samples] == [1, 3]
    assert not complete


HARMLESS = {
    "byte-order mark": b"\xef\xbb\xbf" + WHOLE,
    "other line ends": WHOLE.replace(b"\n", b"\r\n"),
    "quotes": WHOLE.replace(b"step,", b'"step",').replace(b"1.25", b'"1.25"'),
    "no line end": WHOLE[:-1],
    "empty lines": WHOLE.replace(b"\n", b"\n\n"),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_what_a_spreadsheet_changes_is_no_harm(change: str) -> None:
    assert steps_of(HARMLESS[change]) == ([*STEPS], True)


STRANGE = {
    "step that is no number": WHOLE.replace(b"\n20,", b"\n2x,"),
    "negative step": WHOLE.replace(b"\n20,", b"\n-20,"),
    "step of 9,999 digits": WHOLE.replace(b"\n20,", b"\n" + b"9" * 9999 + b","),
    "missing field": WHOLE.replace(b"\n20,0.5,", b"\n20,"),
    "further field": WHOLE.replace(b"\n20,", b"\n20,1,"),
    "huge field": WHOLE.replace(b"\n20,0.5,", b"\n20," + b"1" * 200_000 + b","),
}
OTHER = [WHOLE.replace(b"step", b"Step"), WHOLE.decode().encode("utf-16"), b"\x89PNG\r\n\0\xff"]


@pytest.mark.parametrize("change", STRANGE)
def test_a_row_that_is_not_understood_is_passed_over(change: str) -> None:
    assert steps_of(STRANGE[change]) == ([10, 30, 40, 50], False)


@pytest.mark.parametrize("data", OTHER)
def test_of_another_file_nothing_is_read(data: bytes) -> None:
    assert history.read_history(data) == ([], False)
    assert history.read_samples(data)[0] == []


@pytest.mark.parametrize("text", [TEXT, "", "\ud800", "a\x85b\u2029c", "\U0001f600"])
def test_a_text_comes_back_as_it_was(text: str) -> None:
    for step in (1, 2):
        history.write_sample(SAMPLES, Sample(step, 0.5, text))
    both = [Sample(1, 0.5, text), Sample(2, 0.5, text)]
    assert history.read_samples(SAMPLES.read_bytes()) == (both, True)
    lines = SAMPLES.read_bytes().decode("utf-8").split("\n")
    assert [json.loads(each)["text"] for each in lines[:-1]] == [text, text]


def test_a_late_sample_is_found_in_a_file_of_any_length() -> None:
    assert not history.is_sampled(SAMPLES, 299)
    SAMPLES.write_bytes(b"")
    assert not history.is_sampled(SAMPLES, 299)
    for step in range(300):
        history.write_sample(SAMPLES, Sample(step, 0.5, "漢" * 200))
    assert SAMPLES.stat().st_size > history.LAST_BYTES
    assert history.is_sampled(SAMPLES, 299)
    assert not history.is_sampled(SAMPLES, 300)


@pytest.mark.parametrize("seed", range(2))
def test_no_change_of_bytes_is_an_error(seed: int) -> None:
    rng = random.Random(seed)
    sample = b'{"step": 20, "epoch": 0.5, "text": "a"}\n'
    for _ in range(250):
        for data, read in ((WHOLE, history.read_history), (3 * sample, history.read_samples)):
            start = rng.randrange(len(data))
            new = bytes(rng.choice(b'\0\n\r",;-.0129aex{[\x80\xc3\xff ') for _ in range(3))
            read(data[:start] + new[: rng.randrange(4)] + data[start + rng.randrange(9) :])
