"""What examples/dates.py asks, and the picture that it draws."""

import re
from datetime import date, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

dates = load_example("dates")
TINY = ("--sentences", "32", "--held-out", "4", "--dates", "2", "--units", "4", "--epochs", "1")
SPAN = date(1900, 1, 1).toordinal(), date(2100, 1, 1).toordinal()


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("{month} {d}{th}, {y}", "march 5th, 1998"),
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
    assert dates.as_written(date(2001, 5, day), "{month} {d}{th}, {y}") == f"may {written}, 2001"


@pytest.mark.parametrize("form", dates.FORMATS)
def test_every_format_tells_the_day(form, random):
    codes = {"d": "%d", "m": "%m", "y": "%Y", "month": "%B", "short": "%b"}
    for _ in range(50):
        day = date.fromordinal(int(random.integers(*SPAN)))
        written = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", dates.as_written(day, form))
        assert datetime.strptime(written, form.format(**codes, th="")).date() == day


def test_what_is_written_means_one_day_alone():
    means = {}
    for day in map(date.fromordinal, range(*SPAN, 7)):
        for form in dates.FORMATS:
            assert means.setdefault(dates.as_written(day, form), day) == day


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_sentence_has_all_its_dates_in_order(count, random):
    days = [date(1998, 3, 5 + n) for n in range(count)]
    text = dates.sentence(days, random)
    for day in days:
        forms = {dates.as_written(day, form) for form in dates.FORMATS}
        written = max((form for form in forms if text.startswith(form)), key=len)
        text = text.removeprefix(written)
        between = next((word for word in dates.BETWEEN if text.startswith(word)), "")
        assert bool(between) == (day != days[-1])
        text = text.removeprefix(between)
    assert text == ""


def test_a_text_asks_for_its_dates_one_after_the_other(random):
    texts, answers = dates.draw_texts(np.array([date(1998, 3, 5)]), [1, 3], random)
    assert answers == ["1998-03-05", "1998-03-05 1998-03-05 1998-03-05"]
    assert len(texts[0]) < len(texts[1])
    assert max(map(len, answers)) < 3 * dates.LENGTH


def test_every_character_is_known(random):
    _, tested = dates.split_days(random)
    texts, answers = dates.draw_texts(tested, [3] * 500, random)
    assert {*"".join(texts + answers)} <= {*dates.CHARACTERS}


def test_days_held_out_are_never_learnt(random):
    learnt, tested = dates.split_days(random)
    assert not {*learnt} & {*tested}
    assert len({*learnt, *tested}) == len(learnt) + len(tested) == 73_049
    assert len(tested) == 7305
    assert {1900, 2099} <= {day.year for day in learnt}


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
@pytest.mark.nightly
def test_it_runs_and_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(dates, "FORMATS", ("{d}.{m}.{y}",))
    shown = run_example("dates", *TINY, "--picture", "map.png")
    assert "Of 4 held-out sentences" in shown
    assert re.search(r"no +luong +bahdanau attention", shown)
    assert "\n  1 date " in shown
    assert "\n  2 dates " in shown
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_luong_s_scores_are_products_times_their_scale(eagerly):
    model = dates.EncoderDecoder(9, 64, "luong", scale=64**-0.5)
    source, written = np.array([[3, 4, 5, 6]]), np.array([[1, 3]])
    model([source, written])
    for part in (model.queries, model.keys):
        part.set_weights([10 * np.eye(64)])
    hidden, outputs = np.ones((1, 2, 64), "float32"), np.zeros((1, 4, 64), "float32")
    outputs[:, 1] = 0.01
    _, weights = model.look(hidden, outputs, source != 0)
    odds = np.asarray(weights)[0, 0, 1] / np.asarray(weights)[0, 0, 0]
    assert np.log(odds) == pytest.approx(10 * 10 * 0.01 * 64 / np.sqrt(64), rel=1e-4)
