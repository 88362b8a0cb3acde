"""history.csv: rows after the checkpoint go, and no other row is ever lost."""

import random
from pathlib import Path

import pytest

from charrnn.runs import history

FILE = Path("history.csv")
HEADER = ",".join(history.COLUMNS)
STEPS = (10, 20, 30, 40, 50)
LIMIT = 30


def line(step: int) -> str:
    """A row as it is written."""
    return f"{step},0.5,1.25,1.5,2.1640425613334453,0.002,0.75,0.0,{step % 3},{step / 8}"


ROWS = [line(step) for step in STEPS]
WHOLE = "\n".join([HEADER, *ROWS, ""]).encode()


def cut(data: bytes, step: int = LIMIT) -> tuple[list[str], Path | None]:
    """The lines after a resume at the step, and where the old file is kept."""
    FILE.write_bytes(data)
    kept = history.truncate(FILE, step)
    return FILE.read_bytes().decode("utf-8", "surrogateescape").splitlines(), kept


@pytest.mark.parametrize("step", [0, 9, 10, 35, 50, 99])
def test_rows_after_the_step_go(step: int) -> None:
    rows = [row for row, at in zip(ROWS, STEPS, strict=True) if at <= step]
    assert cut(WHOLE, step) == ([HEADER, *rows], None)


def test_no_history_stays_none() -> None:
    assert history.truncate(FILE, LIMIT) is None
    assert not FILE.exists()


@pytest.mark.parametrize("there", [None, b"", WHOLE])
def test_a_row_is_added_under_a_header(there: bytes | None) -> None:
    if there is not None:
        FILE.write_bytes(there)
    history.append(FILE, dict.fromkeys(history.COLUMNS, 0.5) | {"step": 60, "epoch": None})
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    assert lines[-1] == "60,," + ",".join(["0.5"] * 8)
    assert len(lines) == (2 if not there else 7)


@pytest.mark.parametrize("size", range(1, len(line(50))))
def test_half_a_row_that_a_kill_left_goes(size: int) -> None:
    assert cut(WHOLE[: -len(line(50)) - 1 + size]) == ([HEADER, *ROWS[:3]], None)


HARMLESS = {
    "byte-order mark": b"\xef\xbb\xbf" + WHOLE,
    "other line ends": WHOLE.replace(b"\n", b"\r\n"),
    "quotes": WHOLE.replace(b"step,", b'"step",').replace(b"1.25", b'"1.25"'),
    "no line end": WHOLE[:-1],
    "empty lines": WHOLE.replace(b"\n", b"\n\n"),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_what_a_spreadsheet_changes_is_no_harm(change: str) -> None:
    assert cut(HARMLESS[change]) == ([HEADER, *ROWS[:3]], None)


STRANGE = {
    "step that is no number": (WHOLE.replace(b"\n20,", b"\n2x,"), [10, 30]),
    "negative step": (WHOLE.replace(b"\n20,", b"\n-20,"), [10, 30]),
    "step with a fraction": (WHOLE.replace(b"\n20,", b"\n20.5,"), [10, 30]),
    "step of 9,999 digits": (WHOLE.replace(b"\n20,", b"\n" + b"9" * 9999 + b","), [10, 30]),
    "missing field": (WHOLE.replace(b"\n20,0.5,", b"\n20,"), [10, 30]),
    "further field": (WHOLE.replace(b"\n20,", b"\n20,1,"), [10, 30]),
    "further column": (WHOLE.replace(b"\n", b",mine\n"), []),
    "other header": (WHOLE.replace(b"step", b"Step"), []),
    "other separator": (WHOLE.replace(b",", b";"), []),
    "huge field": (WHOLE.replace(b"1.25", b"1" * 200_000, 1), []),
    "no header": (WHOLE[len(HEADER) + 1 :], []),
    "utf-16": (WHOLE.decode().encode("utf-16"), []),
    "another file": (b"\x89PNG\r\n\0\xff", []),
}


@pytest.mark.parametrize("change", STRANGE)
def test_what_is_not_understood_is_kept_aside(change: str) -> None:
    data, known = STRANGE[change]
    for number in (1, 2):
        lines, kept = cut(data)
        assert lines == [HEADER, *map(line, known)]
        assert kept == Path(f"history.kept-{number}.csv")
        assert kept.read_bytes() == data


def test_bytes_that_are_no_text_stay_in_their_row() -> None:
    changed = WHOLE.replace(b"\n20,0.5,", b"\n20,0\xff5,")
    lines, kept = cut(changed)
    assert kept is None
    assert [line.encode("utf-8", "surrogateescape") for line in lines] == changed.splitlines()[:4]


def test_what_is_no_file_is_kept_aside() -> None:
    FILE.mkdir()
    assert history.truncate(FILE, LIMIT) == Path("history.kept-1.csv")
    assert FILE.read_text(encoding="utf-8") == HEADER + "\n"
    assert Path("history.kept-1.csv").is_dir()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The data with one random byte or stretch changed."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((0, 1, 1, 1, 8, 64)))
    new = bytes(
        rng.choice(b'\0\n\r",;-.0129aex\x80\xc3\xff ') for _ in range(rng.choice((0, 1, 1, 3)))
    )
    return data[:start] + new + data[end:]


@pytest.mark.parametrize("seed", range(4))
def test_no_change_of_bytes_is_an_error_or_loses_a_row(seed: int) -> None:
    hold_the_law(random.Random(seed), times=250)


def hold_the_law(rng: random.Random, times: int) -> None:
    """Change a history so many times: no change is an error, and none loses a row."""
    for _ in range(times):
        data = mutated(WHOLE, rng)
        lines, kept = cut(data)
        assert lines[0] == HEADER
        if kept is not None:
            assert kept.read_bytes() == data
            kept.unlink()
            continue
        untouched = [row for row in ROWS[:3] if f"\n{row}\n".encode() in data]
        assert set(untouched) <= set(lines), data
