"""The pairs of examples/rewrite.py, and the files that it takes."""

from pathlib import Path

import numpy as np
import pytest
from click import ClickException
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

rewrite = load_example("rewrite")
TINY = ("--units", "4", "--epochs", "1", "--width", "2")


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("verb", "past"),
    [
        ("bake", "baked"),
        ("agree", "agreed"),
        ("cry", "cried"),
        ("play", "played"),
        ("stop", "stopped"),
        ("cook", "cooked"),
        ("help", "helped"),
        ("fix", "fixed"),
        ("row", "rowed"),
        ("wash", "washed"),
    ],
)
def test_regular_verbs_are_spelt_as_in_english(verb, past):
    assert rewrite.past_tense(verb) == past


def test_every_verb_has_one_past_tense():
    pairs = rewrite.regular_pairs() + rewrite.EXCEPTIONS
    assert len(dict(pairs)) == len(pairs)
    assert dict(pairs)["sing"] == "sang"


def test_the_exceptions_break_the_rules():
    assert all(rewrite.past_tense(verb) != past for verb, past in rewrite.EXCEPTIONS)


def test_no_text_held_out_is_learnt(random):
    pairs = [(f"t{n % 40}", f"w{n}") for n in range(100)]
    learnt, tested = rewrite.split_pairs(pairs, 10, random)
    assert sorted(learnt + tested) == sorted(pairs)
    assert len(dict(tested)) == 10
    assert not dict(tested).keys() & dict(learnt).keys()


def test_something_is_left_to_learn(random):
    with pytest.raises(ClickException, match="there are 3 different texts"):
        rewrite.split_pairs([("a", "b"), ("b", "c"), ("c", "d")], 3, random)


def test_a_file_has_a_pair_a_line():
    Path("pairs.tsv").write_text("colour\tcolor\r\n\nαυτό\tavto\n", encoding="utf-8-sig")
    assert rewrite.read_pairs(Path("pairs.tsv")) == [("colour", "color"), ("αυτό", "avto")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"caf\xe9\tcoffee\n", "is not in UTF-8"),
        (b"a\tb\nno tab\n", "line 2"),
        (b"a\tb\n\na\tb\tc\n", "line 3"),
        (b"a\t\n", "line 1"),
        (b"", "there are 0 different texts"),
    ],
)
def test_a_file_without_pairs_is_an_error_of_one_line(data, why):
    Path("pairs.tsv").write_bytes(data)
    result = CliRunner().invoke(rewrite.main, ["pairs.tsv", *TINY])
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("Error: ")
    assert why in line


def test_a_text_with_unknown_characters_is_not_rewritten():
    result = CliRunner().invoke(rewrite.main, ["--ask", "naïf", *TINY])
    assert result.exit_code == 2
    assert "no pair has the character 'ï' of --ask" in result.output


@pytest.mark.filterwarnings("ignore:Even though")  # eagerly: but for what reads the data
@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_on_english_verbs(monkeypatch):
    monkeypatch.setattr(rewrite, "RHYMES", "ip")
    monkeypatch.setattr(rewrite, "EXCEPTIONS", [("sing", "sang"), ("go", "went")])
    shown = run_example("rewrite", *TINY, "--held-out", "5", "--ask", "spling")
    assert "\nspling -> " in shown
    assert "Share of 5 held-out pairs" in shown
    assert "\n  baseline: the text as it is " in shown
    assert "the 2 irregular verbs" in shown


@pytest.mark.filterwarnings("ignore:Even though")  # eagerly: but for what reads the data
@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_on_the_pairs_of_a_file():
    pairs = [(f"{a}our{b}", f"{a}or{b}") for a in "bcdfgh" for b in "stwz"] + [("o", "o")]
    Path("pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    shown = run_example("rewrite", "pairs.tsv", *TINY, "--held-out", "5")
    assert shown.count(" -> ") == 5
    assert "\n  a beam of 2 " in shown
    assert "irregular" not in shown
