"""Is the review for or against? From a sequence of words or characters to one answer.

A. M. Dai and Q. V. Le, "Semi-supervised Sequence Learning", NeurIPS 2015: an LSTM reads a review
and its last state says what the writer thinks. The usual baseline throws the order of the words
away, or keeps pairs of neighbours: S. Wang and C. D. Manning, "Baselines and Bigrams: Simple, Good
Sentiment and Topic Classification", ACL 2012.

    h_t, c_t = LSTM(E x_t, h_{t-1}, c_{t-1})      E x_t the embedding of word t
    p = softmax(V h_T + c)                        when the last word T has been read

"The plot was good and the acting was not dull" and "the plot was not good and the acting was dull"
have the same words. The reviews are written by a small grammar in which nearly every second
judgement is negated, sometimes from far away, and in which the clause after "but" decides.

    pip install '.[examples]'
    python examples/sentiment.py
    python examples/sentiment.py --by characters
    python examples/sentiment.py --file reviews.tsv         # your own: a line is label, tab, text

What to expect: EXPECT
"""

import random
from pathlib import Path

import click
import keras
import numpy as np
from common import fix_seed, print_figures
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from keras.layers import LSTM

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
    "i do not agree with those who say that the {aspect} was {word}",
]
NEGATED_SHARE = 0.45  # at one half, single words would tell nothing at all
CONTRAST_SHARE = 0.3  # how many reviews say the opposite first, and then ", but "
TEST_SHARE = 0.2
BATCH = 32

Examples = tuple[list[str], list[str]]  # texts, and the label of each


def clause(opinion: str, rng: random.Random) -> str:
    """One judgement; a negated one uses a word of the opposite opinion."""
    negated = rng.random() < NEGATED_SHARE
    template = rng.choice(NEGATED if negated else PLAIN)
    word = rng.choice(WORDS[OTHER[opinion] if negated else opinion])
    return template.format(aspect=rng.choice(ASPECTS), word=word)


def review(opinion: str, rng: random.Random) -> str:
    """One to three clauses that agree, or one that says the opposite and then, after "but", one."""
    if rng.random() < CONTRAST_SHARE:
        return f"{clause(OTHER[opinion], rng)} , but {clause(opinion, rng)}"
    return " and ".join(clause(opinion, rng) for _ in range(rng.randint(1, 3)))


def generated_reviews(count: int, seed: int) -> Examples:
    """As many reviews, no two the same, and what each thinks."""
    rng, opinions = random.Random(seed), {}
    while len(opinions) < count:
        opinion = rng.choice(list(WORDS))
        opinions[review(opinion, rng)] = opinion
    return list(opinions), list(opinions.values())


def read_examples(path: Path, seed: int) -> Examples:
    """The lines of a file, "label<TAB>text", in random order."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8; convert it with iconv") from error
    pairs = [line.split("\t", 1) for line in lines if line.strip()]
    for number, pair in enumerate(pairs, 1):
        if len(pair) < 2:
            raise click.ClickException(f"{path}, line {number}: write the label, a tab, the text")
    if len({label for label, _ in pairs}) < 2 or len(pairs) < 10:
        raise click.ClickException(f"{path}: give at least ten lines, with two labels or more")
    random.Random(seed).shuffle(pairs)
    return [text for _, text in pairs], [label for label, _ in pairs]


def network(layer: type[keras.layers.Layer], symbols: int, labels: int, units: int) -> keras.Model:
    """A recurrent layer, charrnn's or Keras's, reads symbols; a dense layer tells the label."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),  # [B, T]; 0 where a text has ended
            keras.layers.Embedding(symbols, 32, mask_zero=True),
            layer(units),  # [B, units], after the last symbol
            keras.layers.Dense(labels, activation="softmax"),
        ]
    )


def bag(learnt: Examples, tested: Examples, most_words: int) -> float:
    """The accuracy of a logistic regression that counts words, or also neighbouring words."""
    counts = CountVectorizer(ngram_range=(1, most_words), token_pattern=r"\S+")
    classifier = make_pipeline(counts, LogisticRegression(max_iter=2000))
    return classifier.fit(*learnt).score(*tested)


def encoded(learnt: Examples, tested: Examples, by: str, longest: int) -> tuple[list, int, int]:
    """Ids of symbols [N, T] and of labels [N] for both parts; how many symbols and labels."""
    split = "whitespace" if by == "words" else "character"
    ids = keras.layers.TextVectorization(split=split, standardize="lower", max_tokens=20_000)
    ids.adapt(learnt[0])
    labels = sorted({*learnt[1], *tested[1]})
    arrays = [
        (np.asarray(ids(texts))[:, :longest], np.array([labels.index(label) for label in wanted]))
        for texts, wanted in (learnt, tested)
    ]
    return arrays, ids.vocabulary_size(), len(labels)


def train(model: keras.Model, learnt: tuple, tested: tuple, epochs: int) -> float:
    """Learn from the first texts; return the share of the others whose label is found."""
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * -(-len(learnt[0]) // BATCH))
    optimizer = keras.optimizers.Adam(rate, clipnorm=1)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*learnt, batch_size=BATCH, epochs=epochs, verbose=2)
    return model.evaluate(*tested, verbose=0)[1]


@click.command()
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labelled texts; a line is a label, a tab and a text.",
)
@click.option("--by", type=click.Choice(["words", "characters"]), default="words", show_default=True)
@click.option("--reviews", default=4000, show_default=True, help="How many are generated.")
@click.option("--longest", default=400, show_default=True, help="Symbols that are read of a text.")
@click.option("--epochs", default=8, show_default=True, help="Passes over the texts.")
@click.option("--units", default=64, show_default=True, help="Units of the recurrent layer.")
@click.option("--seed", default=1, show_default=True, help="Of the reviews and the first weights.")
def main(
    file: Path | None, by: str, reviews: int, longest: int, epochs: int, units: int, seed: int
) -> None:
    """Tell whether a review is for or against what it is about."""
    texts, labels = read_examples(file, seed) if file else generated_reviews(reviews, seed)
    cut = round(len(texts) * (1 - TEST_SHARE))
    learnt, tested = (texts[:cut], labels[:cut]), (texts[cut:], labels[cut:])
    click.echo("\n".join(f"{label}: {text}" for text, label in zip(texts[:4], labels, strict=False)))
    (learnt_ids, tested_ids), symbols, classes = encoded(learnt, tested, by, longest)
    figures = []
    for name, layer in (("charrnn's LSTM", LSTM), ("Keras's LSTM", keras.layers.LSTM)):
        fix_seed(seed)
        click.echo(f"\n{name}, by {by}")
        model = network(layer, symbols, classes, units)
        figures.append((name, f"{train(model, learnt_ids, tested_ids, epochs):.1%}"))
    figures.append(("bag of words", f"{bag(learnt, tested, 1):.1%}"))
    figures.append(("bag of words and pairs of words", f"{bag(learnt, tested, 2):.1%}"))
    commonest = max(map(tested[1].count, set(tested[1])))
    figures.append(("always the commonest label", f"{commonest / len(tested[1]):.1%}"))
    print_figures(f"Accuracy on {len(tested[0]):,} reviews that were held out", figures)


if __name__ == "__main__":
    main()
