"""What examples/addition.py asks and answers."""

import numpy as np
import pytest
from click import ClickException
from examples_in_hand import load_example, run_example

addition = load_example("addition")
TINY = ("--sums", "64", "--held-out", "8", "--units", "4", "--epochs", "1")


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_what_is_written_is_the_sum_of_what_is_read(random):
    for text, answer in zip(*addition.as_text(addition.draw_sums(200, random), False), strict=True):
        a, b = text.split("+")
        assert int(answer) == int(a) + int(b)
        assert str(int(answer)) == answer


def test_reversed_sums_have_the_same_answers(random):
    pairs = addition.draw_sums(50, random)
    (read, answers), (backward, same) = (addition.as_text(pairs, how) for how in (False, True))
    assert same == answers
    assert [text[::-1] for text in backward] == read


def test_no_sum_is_drawn_twice_in_either_order(random):
    pairs = addition.draw_sums(20_000, random)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs)
    assert (pairs[:, 0] > pairs[:, 1]).any()
    assert (pairs[:, 0] < pairs[:, 1]).any()


def test_every_sum_can_be_drawn_and_none_more(random):
    assert len(addition.draw_sums(500_500, random)) == 500_500
    with pytest.raises(ClickException, match="there are 500,500 sums"):
        addition.draw_sums(500_501, random)


def test_the_limit_has_room_for_the_longest_sum_and_its_end():
    assert len(str(999 + 999)) + 1 == addition.LIMIT


def test_who_looks_up_gives_the_answer_of_the_most_similar_sum():
    learnt = np.array([[10, 20], [500, 3]])
    assert addition.nearest_answers(learnt, np.array([[499, 5], [12, 19]])) == ["503", "30"]


@pytest.mark.filterwarnings("ignore:Even though")  # eagerly: but for what reads the data
@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs():
    shown = run_example("addition", *TINY)
    assert "Share of 8 held-out sums whose every character is right\n" in shown
    assert "\n  encoder and decoder " in shown
    assert shown.count(" = ") == addition.SHOWN
