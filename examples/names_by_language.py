"""Which language is a name from? One language model for each, and the rule of Bayes.

D. Yogatama, C. Dyer, W. Ling and P. Blunsom, "Generative and Discriminative Text Classification
with Recurrent Neural Networks", arXiv:1703.01898, 2017. The generative classifier trains one
character model for each label, and asks which of them finds the text most likely:

    log p(label | x) = log p(label) + sum over t of log p(x_t | x_1 … x_{t-1}, label) + constant

The discriminative one is a single network that reads the text and gives p(label | x) at its end.
The paper finds the first better where there is little to learn from, and the second with much.
The baseline is naive Bayes over pieces of one to three characters, after W. B. Cavnar and
J. M. Trenkle, "N-Gram-Based Text Categorization", SDAIR 1994.

The names are surnames that the package Faker holds for its locales. `--folder` takes your own:
one file for each label, and one name, or another short text, on each of its lines.

    pip install '.[examples]'
    python examples/names_by_language.py
    python examples/names_by_language.py --folder names     # names/french.txt, names/irish.txt, …

What to expect: EXPECT
"""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import keras
import numpy as np
from common import fix_seed, print_figures
from faker import Faker
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import charrnn
from keras.layers import LSTM

LOCALES = {
    "croatian": "hr_HR",
    "dutch": "nl_NL",
    "english": "en_GB",
    "finnish": "fi_FI",
    "french": "fr_FR",
    "german": "de_DE",
    "irish": "ga_IE",
    "italian": "it_IT",
    "polish": "pl_PL",
    "spanish": "es_ES",
}
DRAWS = 20  # Faker draws at random: so often for each name, until nearly all have come
TEST_SHARE = 0.2

Names = dict[str, list[str]]  # by label


def surnames(language: str, most: int, seed: int) -> list[str]:
    """Names that Faker knows for the language, in random order, no two the same."""
    faker = Faker(LOCALES[language], use_weighting=False)
    faker.seed_instance(seed)
    drawn = {faker.last_name() for _ in range(DRAWS * most)}
    return random.Random(seed).sample(sorted(drawn), min(most, len(drawn)))


def read_folder(folder: Path, seed: int) -> Names:
    """The lines of each text file, in random order; the label is the file's name."""
    names = {}
    for path in sorted(folder.glob("*.txt")):
        try:
            lines = sorted({line.strip() for line in path.read_text(encoding="utf-8").splitlines()})
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{path} is not UTF-8; convert it with iconv") from error
        names[path.stem] = [line for line in lines if line]
        if len(names[path.stem]) < 20:
            raise click.ClickException(f"{path}: give at least 20 lines")
        random.Random(seed).shuffle(names[path.stem])
    if len(names) < 2:
        raise click.ClickException(f"{folder}: put one .txt file for each label there, two or more")
    return names


def split(names: Names) -> tuple[Names, list[tuple[str, str]]]:
    """Names to learn from, by label; and a fifth of each label's, held out, with their labels."""
    learnt, tested = {}, []
    for label, all_of_it in names.items():
        cut = round(len(all_of_it) * (1 - TEST_SHARE))
        learnt[label] = all_of_it[:cut]
        tested += [(name, label) for name in all_of_it[cut:]]
    return learnt, tested


def language_model(
    label: str, names: list[str], root: Path, units: int, epochs: int
) -> charrnn.LanguageModel:
    """A character model of the names, one on each line; the best of its checkpoints."""
    text = root / f"{label}.txt"
    text.write_text("\n".join(names) + "\n", encoding="utf-8")
    settings = {"units": units, "dropout": 0.3, "batch_size": 8, "seq_length": 32}
    for _ in charrnn.train(
        text, name=label, checkpoints=root, epochs=epochs, sample_every=0, **settings
    ):
        pass  # what happens is told by events; here the result is enough
    return charrnn.load(label, checkpoints=root)


def by_bayes(
    models: dict[str, charrnn.LanguageModel], log_prior: dict[str, float], name: str
) -> str:
    """The label with the highest log p(label) + log p(name and the line's end | label)."""
    return max(models, key=lambda label: log_prior[label] + models[label].score(name + "\n").sum())
