"""Is the review for or against? From a sequence of words or characters to one answer.

A. M. Dai and Q. V. Le, "Semi-supervised Sequence Learning", NeurIPS 2015: an LSTM reads a review
and its last state says what the writer thinks. The usual baseline throws the order of the words
away, or keeps pairs of neighbours: S. Wang and C. D. Manning, "Baselines and Bigrams: Simple, Good
Sentiment and Topic Classification", ACL 2012.

    h_t, c_t = LSTM(E x_t, h_{t-1}, c_{t-1})      E x_t the embedding of word t
    p = softmax(V h_T + c)                        when the last word T has been read

"The plot was good , and the acting was not dull" and "the plot was not good , and the acting was
dull" have the same words. The reviews are written by a small grammar that negates nearly every
second judgement, sometimes from far away or twice, and in which the clause after "but" decides.

    pip install '.[examples]'
    python examples/sentiment.py
    python examples/sentiment.py --by characters
    python examples/sentiment.py --file reviews.tsv         # your own: a line is label, tab, text

What to expect: on two cores of an AMD EPYC, by words, 13 seconds for charrnn's LSTM and 34 for
Keras's, and 98.8 % and 99.9 %; a bag of words 54.9 %, with pairs of words 68.5 %, and 51.4 % for
always the commoner answer.
"""

import random
from pathlib import Path

from common import (
    FILE,
    Texts,
    compare_classifiers,
    encoded,
    number_option,
    print_figures,
    read_lines,
)

import click
import keras
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from charrnn.layers import LSTM

ASPECTS = ["plot", "acting", "music", "ending", "camera work", "dialogue", "first half", "hero"]
WORDS = {
    "for": ["good", "moving", "clever", "funny", "fresh", "gripping", "charming", "convincing"],
    "against": ["bad", "dull", "weak", "silly", "clumsy", "slow", "flat", "predictable"],
}
OTHER = {"for": "against", "against": "for"}
PLAIN = [
    "the {aspect} was {word}",
    "i found the {aspect} {word}",
    "the {aspect} was not only {word} but truly {word}",  # "not", and yet no negation
]
NEGATED = [
    "the {aspect} was not {word}",
    "the {aspect} was never {word}",
    "the {aspect} was anything but {word}",
    "nobody would call the {aspect} {word}",
]
DENIALS = [  # of a clause, which may be negated or a denial itself
    "i do not agree that {}",
    "it is wrong to say that {}",
    "nobody thinks that {}",
]
NEGATED_SHARE = 0.4
DENIED_SHARE = 0.2
CONTRAST_SHARE = 0.3  # of the reviews say the opposite first, and then ", but "
TEST_SHARE = 0.2


def clause(opinion: str, rng: random.Random) -> str:
    """One judgement. Whoever denies a clause, or negates a word, means the opposite of it."""
    if rng.random() < DENIED_SHARE:
        return rng.choice(DENIALS).format(clause(OTHER[opinion], rng))
    negated = rng.random() < NEGATED_SHARE
    template = rng.choice(NEGATED if negated else PLAIN)
    word = rng.choice(WORDS[OTHER[opinion] if negated else opinion])
    return template.format(aspect=rng.choice(ASPECTS), word=word)


def review(opinion: str, rng: random.Random) -> str:
    """One to three clauses that agree; or one that says the opposite, and after "but" one more."""
    if rng.random() < CONTRAST_SHARE:
        return f"{clause(OTHER[opinion], rng)} , but {clause(opinion, rng)}"
    return " , and ".join(clause(opinion, rng) for _ in range(rng.randint(1, 3)))


def generated_reviews(count: int, seed: int) -> Texts:
    """As many reviews, no two the same, and what each thinks."""
    rng, opinions = random.Random(seed), {}
    while len(opinions) < count:
        opinion = rng.choice(list(WORDS))
        opinions[review(opinion, rng)] = opinion
    return list(opinions), list(opinions.values())


def read_reviews(path: Path, seed: int) -> Texts:
    """The lines of a file, "label<TAB>text", in random order."""
    pairs = []
    for number, line in enumerate(read_lines(path), 1):
        label, tab, text = line.partition("\t")
        if line.strip() and not tab:
            raise click.ClickException(f"{path}, line {number}: write the label, a tab, the text")
        if tab:
            pairs.append((text, label))
    if len(set(dict(pairs).values())) < 2 or len(pairs) < 10:
        raise click.ClickException(f"{path}: give at least ten lines, with two labels or more")
    random.Random(seed).shuffle(pairs)
    return [text for text, _ in pairs], [label for _, label in pairs]


def network(layer: type[keras.layers.Layer], symbols: int, labels: int, units: int) -> keras.Model:
    """A recurrent layer, charrnn's or Keras's, reads symbols; a dense layer tells the label."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),  # [B, T]; 0 where a text has ended
            keras.layers.Embedding(symbols, 32, mask_zero=True),
            layer(units),  # [B, units], after the last symbol
            keras.layers.Dropout(0.3),
            keras.layers.Dense(labels, activation="softmax"),
        ]
    )


def bag(learnt: Texts, tested: Texts, most_words: int) -> float:
    """The accuracy of a logistic regression that counts words, or also neighbouring words."""
    counts = CountVectorizer(ngram_range=(1, most_words), token_pattern=r"\S+")
    classifier = make_pipeline(counts, LogisticRegression(max_iter=2000))
    return classifier.fit(*learnt).score(*tested)


@click.command()
@click.option(
    "--file",
    type=FILE,
    help="Labelled texts; a line is a label, a tab and a text.",
)
@click.option(
    "--by", type=click.Choice(["words", "characters"]), default="words", show_default=True
)
@number_option("--reviews", 4000, "How many are generated.", least=20)
@number_option("--longest", 400, "Symbols read of a text.")
@number_option("--epochs", 8, "Passes over the texts.")
@number_option("--units", 64, "Units of the recurrent layer.")
@click.option("--seed", default=1, show_default=True, help="Of the reviews and the first weights.")
def main(
    file: Path | None, by: str, reviews: int, longest: int, epochs: int, units: int, seed: int
) -> None:
    """Tell whether a review is for or against what it is about."""
    texts, labels = read_reviews(file, seed) if file else generated_reviews(reviews, seed)
    cut = round(len(texts) * (1 - TEST_SHARE))
    learnt, tested = (texts[:cut], labels[:cut]), (texts[cut:], labels[cut:])
    click.echo(f"{labels[0]}: {texts[0]}\n{labels[1]}: {texts[1]}")
    (learnt_ids, tested_ids), symbols, classes = encoded(learnt, tested, by, longest)
    networks = {
        f"charrnn's LSTM, by {by}": lambda: network(LSTM, symbols, classes, units),
        f"Keras's LSTM, by {by}": lambda: network(keras.layers.LSTM, symbols, classes, units),
    }
    figures = compare_classifiers(networks, learnt_ids, tested_ids, epochs, seed)
    figures.append(("bag of words", f"{bag(learnt, tested, 1):.1%}"))
    figures.append(("bag of words and pairs of words", f"{bag(learnt, tested, 2):.1%}"))
    commonest = max(map(tested[1].count, set(tested[1])))
    figures.append(("always the commonest label", f"{commonest / len(tested[1]):.1%}"))
    print_figures(f"Accuracy on {len(tested[0]):,} reviews that were held out", figures)


if __name__ == "__main__":
    main()
