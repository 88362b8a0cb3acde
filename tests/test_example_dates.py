"""What examples/dates.py asks, and the picture that it draws."""

import re
from datetime import date, datetime

import numpy as np
import pytest
from click import ClickException
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

dates = load_example("dates")
TINY = ("--days", "32", "--held-out", "4", "--words", "1", "--units", "4", "--epochs", "1")


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("{month} {d}{th}, {y}", "march 5th, 1998"),
        ("{weekday}, {d} {month} {y}", "thursday, 5 march 1998"),
        ("{d}-{short}-{y}", "5-mar-1998"),
        ("{d}.{m}.{y}", "5.3.1998"),
        ("{m}/{d}/{y}", "3/5/1998"),
    ],
)
def test_a_day_is_written_as_people_do(form, written):
    assert form in dates.FORMATS
    assert dates.as_written(date(1998, 3, 5), form) == written


@pytest.mark.parametrize(
    ("day", "written"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th"), (22, "22nd")],
)
def test_days_have_their_ordinals(day, written):
    assert dates.as_written(date(2001, 5, day), "{d}{th} of {month}, {y}").startswith(written + " ")


@pytest.mark.parametrize("form", dates.FORMATS)
def test_every_format_tells_the_day(form, random):
    codes = {"d": "%d", "m": "%m", "y": "%Y", "month": "%B", "short": "%b", "weekday": "%A"}
    for _ in range(50):
        day = date.fromordinal(int(dates.FIRST + random.integers(dates.DAYS)))
        written = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", dates.as_written(day, form))
        assert datetime.strptime(written, form.format(**codes, th="")).date() == day


def test_what_is_written_means_one_day_alone():
    means = {}
    for day in (date.fromordinal(dates.FIRST + n) for n in range(0, dates.DAYS, 7)):
        for form in dates.FORMATS:
            assert means.setdefault(dates.as_written(day, form), day) == day


def test_the_date_stands_among_as_many_words_as_asked_for(random):
    day = date(1998, 3, 5)
    forms = {dates.as_written(day, form) for form in dates.FORMATS}
    for words in range(6):
        text = dates.sentence(day, words, random)
        written = max((form for form in forms if form in text), key=len)
        others = text.replace(written, "").split()
        assert len(others) == words
        assert set(others) <= set(dates.OTHER_WORDS.split())


def test_days_held_out_are_never_learnt(random):
    learnt, tested = dates.split_days(5000, 500, random)
    assert (len(set(learnt)), len(set(tested))) == (5000, 500)
    assert not set(learnt) & set(tested)
    assert {1900, 2099} <= {day.year for day in learnt}


def test_there_are_only_so_many_days(random):
    with pytest.raises(ClickException, match="there are 73,049 days"):
        dates.split_days(73_000, 50, random)


@pytest.mark.parametrize(("name", "why"), [("map.txt", "png"), ("no/map.png", "does not exist")])
def test_a_picture_that_cannot_be_drawn_is_refused_before_training(name, why):
    result = CliRunner().invoke(dates.main, [*TINY, "--picture", name])
    assert result.exit_code == 2
    assert why in result.output.splitlines()[-1]


def test_units_are_even():
    result = CliRunner().invoke(dates.main, [*TINY, "--units", "5"])
    assert result.exit_code == 2
    assert "even" in result.output.splitlines()[-1]


@pytest.mark.filterwarnings("ignore:Even though")  # eagerly: but for what reads the data
@pytest.mark.usefixtures("eagerly")
def test_it_runs_and_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(dates, "FORMATS", ("{d}.{m}.{y}",))
    monkeypatch.setattr(dates, "OTHER_WORDS", "a in")
    shown = run_example("dates", *TINY, "--picture", "map.png")
    assert "Share of 4 held-out dates" in shown
    assert "\n  3 words around the date (not learnt) " in shown
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
