"""examples/names_by_language.py: its names, their split, the rule of Bayes, and that it runs."""

import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config")
names_by_language = load_example("names_by_language")
TINY = ("--epochs", "1", "--classifier-epochs", "1", "--units", "4")


class Model:
    """A language model that likes one character."""

    def __init__(self, liked):
        self.liked = liked

    def score(self, text):
        return np.where([character == self.liked for character in text], -1.0, -2.0)


@pytest.fixture
def models(monkeypatch):
    """Models that are not trained: each likes the first character of its first name."""
    monkeypatch.setattr(
        names_by_language, "language_model", lambda label, names, root, **plan: Model(names[0][0])
    )


@pytest.fixture
def two_languages(monkeypatch):
    few = {"finnish": "fi_FI", "polish": "pl_PL"}
    monkeypatch.setattr(names_by_language, "LOCALES", few)


@pytest.mark.usefixtures("two_languages")
def test_the_surnames_are_distinct_and_the_seed_makes_them():
    names = names_by_language.surnames(30, seed=1)
    assert all(len(set(some)) == 30 for some in names.values())
    assert names == names_by_language.surnames(30, seed=1)
    assert names != names_by_language.surnames(30, seed=2)


def test_a_fifth_of_each_label_is_held_out_and_nothing_is_lost():
    names = {"a": list("abcdefghij"), "b": list("klmno")}
    learnt, tested = names_by_language.held_out(names)
    assert {label: len(some) for label, some in tested.items()} == {"a": 2, "b": 1}
    assert {label: learnt[label] + tested[label] for label in names} == names


@pytest.mark.usefixtures("models")
def test_the_likeliest_label_is_found():
    learnt = {"x": ["aaa"], "y": ["bbb"]}
    assert names_by_language.by_bayes(learnt, {"x": ["aab", "a"], "y": ["abb", "b"]}) == 1
    assert names_by_language.by_bayes(learnt, {"x": ["bba", "b"], "y": ["abb", "b"]}) == 0.5


@pytest.mark.usefixtures("models")
def test_where_the_text_says_nothing_the_commoner_label_is_found():
    learnt = {"rare": ["a"], "common": ["b", "b"]}
    assert names_by_language.by_bayes(learnt, {"rare": [], "common": ["ab", "c"]}) == 1


def write_folder(folder):
    folder.mkdir()
    for label, letters in (("first", "abc"), ("second", "xyz")):
        lines = [2 * letters[n % 3] + letters[n // 3 % 3] + str(n) for n in range(30)]
        (folder / f"{label}.txt").write_text("\n".join(lines), encoding="utf-8")


def test_a_folder_of_one_s_own(tmp_path):
    write_folder(tmp_path / "own")
    names = names_by_language.read_folder(tmp_path / "own", seed=1)
    assert {label: len(set(some)) for label, some in names.items()} == {"first": 30, "second": 30}


def complaint(folder):
    """The line that the example prints where it refuses a folder."""
    result = CliRunner().invoke(names_by_language.main, ["--folder", str(folder)])
    assert result.exit_code == 1
    (line,) = result.output.strip().splitlines()
    return line


def test_a_folder_of_the_wrong_form_is_refused_in_one_line(tmp_path):
    assert "two or more .txt files" in complaint(tmp_path)
    (tmp_path / "short.txt").write_text("one\n", encoding="utf-8")
    assert "short.txt: give at least 20 different lines" in complaint(tmp_path)
    (tmp_path / "short.txt").write_bytes(b"\xff\n")
    assert "short.txt is not in UTF-8" in complaint(tmp_path)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_and_prints_its_figures(tmp_path):
    write_folder(tmp_path / "own")
    shown = run_example("names_by_language", *TINY, "--folder", str(tmp_path / "own"))
    assert "Accuracy on 12 names that were held out" in shown
    for name in ("language models and Bayes", "one classifier, charrnn's LSTM", "naive Bayes"):
        assert name in shown
    assert list(tmp_path.iterdir()) == [tmp_path / "own"]  # no run is left behind
