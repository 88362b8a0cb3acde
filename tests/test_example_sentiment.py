"""examples/sentiment.py: the grammar of its reviews, the file of one's own, and that it runs."""

import random
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config")
sentiment = load_example("sentiment")
TINY = ("--epochs", "1", "--units", "4")


def meaning(clause):
    """+1 or -1, read off the words of a clause without the grammar: each denial turns it round."""
    words = clause.replace("not only", "").split()
    sign = dict.fromkeys(sentiment.WORDS["for"], +1)
    sign |= dict.fromkeys(sentiment.WORDS["against"], -1)
    (opinion,) = {sign[word] for word in words if word in sign}
    turns = sum(map(words.count, ("not", "never", "nobody", "anything", "wrong")))
    return opinion * (-1) ** turns


@pytest.fixture
def few_words(monkeypatch):
    """A grammar so small that different reviews often have the same words."""
    monkeypatch.setattr(sentiment, "ASPECTS", ["plot"])
    monkeypatch.setattr(sentiment, "WORDS", {"for": ["good"], "against": ["bad"]})


def test_the_label_follows_from_the_words():
    for text, label in zip(*sentiment.generated_reviews(1000, seed=1), strict=True):
        *_, decisive = text.split(" , but ")
        (sign,) = {meaning(clause) for clause in decisive.split(" , and ")}
        assert label == {+1: "for", -1: "against"}[sign], text


def test_what_stands_before_but_says_the_opposite():
    texts, _ = sentiment.generated_reviews(1000, seed=1)
    contrasts = [text.split(" , but ") for text in texts if " , but " in text]
    assert len(contrasts) > 200
    assert all(meaning(first) == -meaning(second) for first, second in contrasts)


@pytest.mark.usefixtures("few_words")
def test_no_rule_over_the_bag_of_words_explains_all():
    labels = {}
    for text, label in zip(*sentiment.generated_reviews(2000, seed=1), strict=True):
        labels.setdefault(frozenset(Counter(text.split()).items()), set()).add(label)
    both = [bag for bag, found in labels.items() if len(found) == 2]
    assert len(both) > len(labels) / 10


def test_no_two_reviews_are_the_same_and_both_labels_are_common():
    texts, labels = sentiment.generated_reviews(1000, seed=2)
    assert len(set(texts)) == 1000
    assert 400 < labels.count("for") < 600


def test_the_seed_makes_the_reviews():
    assert sentiment.generated_reviews(50, seed=3) == sentiment.generated_reviews(50, seed=3)
    assert sentiment.generated_reviews(50, seed=3) != sentiment.generated_reviews(50, seed=4)


@pytest.mark.parametrize("by", ["words", "characters"])
def test_the_ids_tell_order_and_the_end_of_a_text(by):
    learnt = ["a b", "b a", "a a a"], ["x", "y", "x"]
    ((ids, labels), _), symbols, classes = sentiment.encoded(learnt, learnt, by)
    assert list(labels) == [0, 1, 0]
    assert classes == 2
    assert ids.max() < symbols
    assert sorted(ids[0]) == sorted(ids[1])
    assert list(ids[0]) != list(ids[1])
    assert np.count_nonzero(ids[0]) < np.count_nonzero(ids[2])


def test_words_that_were_not_learnt_become_the_unknown_symbol():
    (_, (ids, _)), *_ = sentiment.encoded((["a b"], ["x"]), (["c d"], ["x"]), "words")
    assert ids.tolist() == [[1, 1]]


def write_reviews(path):
    rng = random.Random(0)
    lines = [f"{label}\t{sentiment.review(label, rng)}\n" for label in ("for", "against") * 10]
    path.write_text("".join(lines), encoding="utf-8")


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_a_file_of_one_s_own_keeps_each_label_with_its_text(tmp_path):
    path = tmp_path / "reviews.tsv"
    write_reviews(path)
    pairs = {tuple(line.split("\t")) for line in path.read_text("utf-8").splitlines()}
    texts, labels = sentiment.read_reviews(path, seed=1)
    assert set(zip(labels, texts, strict=True)) == pairs
    shown = run_example("sentiment", *TINY, "--file", str(path), "--by", "characters")
    assert "Accuracy on 4 reviews that were held out" in shown


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "at least ten lines"),
        (b"for\tgood\n" * 20, "two labels"),
        (b"for\tgood\n\nbad without a label\n", "line 3: write the label, a tab, the text"),
        (b"for\t\xff\n" * 20, "not in UTF-8"),
    ],
)
def test_a_file_of_the_wrong_form_is_refused_in_one_line(content, said, tmp_path):
    (tmp_path / "reviews.tsv").write_bytes(content)
    result = CliRunner().invoke(sentiment.main, ["--file", "reviews.tsv"])
    assert result.exit_code == 1
    (line,) = result.output.strip().splitlines()
    assert "reviews.tsv" in line
    assert said in line


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs_and_prints_its_figures():
    shown = run_example("sentiment", *TINY, "--reviews", "60")
    assert "Accuracy on 12 reviews that were held out" in shown
    for name in ("charrnn's LSTM", "Keras's LSTM", "bag of words", "always the commonest label"):
        assert name in shown
