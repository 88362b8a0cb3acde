"""Dates as people write them -> 1998-03-05, with and without attention.

D. Bahdanau, K. Cho and Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and
Translate", ICLR 2015 (arXiv:1409.0473): an encoder that hands one vector of fixed size to the
decoder (I. Sutskever, O. Vinyals and Q. V. Le 2014, arXiv:1409.3215) falls behind as sentences grow
longer; a decoder that looks back at each place of the sentence does not. Here a date stands
somewhere in a sentence of other words:

    home snow monday, march 5th, 1998 under ships   ->   1998-03-05

Both networks (they are in attention.py, with the equations) learn from sentences with up to
`--words` words around the date. They are tested on days that they never saw, with up to three times
as many words.

    pip install '.[examples]'
    python examples/dates.py --picture attention.png

What to expect: about two minutes for both (AMD EPYC, 2 cores). With attention all of the held-out
dates are exact, with one vector a third of them. How many other words there are changes neither
figure: the gates learn to pass over them. What the one vector does not hold yet is the date itself.
"""

from datetime import date
from itertools import chain
from pathlib import Path

from common import fix_seed, number_option, picture_option, print_figures

import click
import numpy as np
from attention import SCORES, EncoderDecoder, check_even
from sequences import Symbols, share_exact, shifted, write_texts

MONTHS = ["january", "february", "march", "april", "may", "june"]
MONTHS += ["july", "august", "september", "october", "november", "december"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ORDINALS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
FORMATS = (
    "{d} {month} {y}",
    "{d} {short} {y}",
    "{d}{th} of {month}, {y}",
    "the {d}{th} of {month} {y}",
    "{month} {d}, {y}",
    "{month} {d}{th}, {y}",
    "{short} {d} {y}",
    "{weekday}, {d} {month} {y}",
    "{weekday}, {month} {d}{th}, {y}",
    "{d}-{short}-{y}",
    "{d}.{m}.{y}",  # with dots the day comes first,
    "{m}/{d}/{y}",  # with slashes the month
)
OTHER_WORDS = (
    "our train came late and we went home under snow before the old king had sold his two red ships"
    " to a man from another town who asked for bread wine salt or some good rope but paid nothing"
)
FIRST = date(1900, 1, 1).toordinal()
DAYS = date(2100, 1, 1).toordinal() - FIRST
LIMIT = len("1998-03-05") + 1


def as_written(day: date, form: str) -> str:
    """The day in one of the `FORMATS`."""
    month = MONTHS[day.month - 1]
    th = ORDINALS.get(day.day, "th")
    weekday = WEEKDAYS[day.weekday()]
    numbers = {"d": day.day, "m": day.month, "y": day.year}
    return form.format(**numbers, month=month, short=month[:3], th=th, weekday=weekday)


def sentence(day: date, words: int, random: np.random.Generator) -> str:
    """The day in a format drawn at random, somewhere among this number of other words."""
    others = [str(word) for word in random.choice(OTHER_WORDS.split(), words)]
    written = as_written(day, FORMATS[random.integers(len(FORMATS))])
    others.insert(random.integers(words + 1), written)
    return " ".join(others)


def split_days(learnt: int, tested: int, random: np.random.Generator) -> tuple[list, list]:
    """Days to learn from and days to be tested on, none of them in both."""
    if learnt + tested > DAYS:
        raise click.ClickException(
            f"there are {DAYS:,} days from 1900 to 2099: ask for fewer with --days"
        )
    days = [date.fromordinal(FIRST + int(n)) for n in random.permutation(DAYS)[: learnt + tested]]
    return days[:learnt], days[learnt:]


def draw(model: EncoderDecoder, symbols: Symbols, text: str, path: Path) -> None:
    """A picture of the attention: a column for each character read, a row for each one written."""
    from matplotlib.figure import Figure

    source = symbols.encode([text])
    (answer,) = write_texts(model, symbols, source, limit=LIMIT)
    (weights,) = model.weights_of_attention(source, shifted(symbols.encode([answer])))
    figure = Figure(figsize=(2 + len(text) / 5, 4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(text) + 1), [*text.replace(" ", "␣"), "\nend"])
    axes.set_yticks(range(len(answer) + 1), [*answer, "end"])
    axes.set(xlabel="read", ylabel="written")
    figure.colorbar(image, label="weight")
    figure.savefig(path)


@click.command()
@number_option("--days", 10_000, "Days to learn from.")
@number_option("--held-out", 1000, "Days to be tested on.")
@number_option("--words", 3, "Most words around a date learnt.")
@click.option("--attention", default="luong", show_default=True, type=click.Choice(list(SCORES)))
@number_option("--units", 128, "Units of the encoder and of the decoder; even.")
@number_option("--epochs", 8, "Passes over the days.")
@picture_option
@click.option("--seed", default=1, show_default=True, help="Of the sentences and first weights.")
def main(
    days: int,
    held_out: int,
    words: int,
    attention: str,
    units: int,
    epochs: int,
    picture: Path | None,
    seed: int,
) -> None:
    """Find the date in a sentence and write it as 1998-03-05, with and without attention."""
    check_even(units)
    random = np.random.default_rng(seed)
    learnt, tested = split_days(days, held_out, random)
    texts = [sentence(day, random.integers(words + 1), random) for day in learnt]
    tests = {
        n: [sentence(day, n, random) for day in tested] for n in range(0, 3 * words + 1, words)
    }
    right = [day.isoformat() for day in tested]
    symbols = Symbols([*texts, *chain(*tests.values()), *right])
    source, targets = symbols.encode(texts), symbols.encode([day.isoformat() for day in learnt])
    shares = {}
    for kind in (None, attention):
        click.echo(f"\n{kind or 'no'} attention")
        fix_seed(seed)
        model = EncoderDecoder(symbols.size, units, kind)
        model.learn(source, targets, epochs=epochs, batch_size=64, learning_rate=5e-3)
        for n, asked in tests.items():
            written = write_texts(model, symbols, symbols.encode(asked), limit=LIMIT)
            shares[kind, n] = share_exact(written, right)
    if picture:
        draw(model, symbols, tests[words][0], picture)
    print_figures(
        f"Share of {held_out:,} held-out dates that are exact, without and with attention",
        [
            (
                f"{n} words around the date{' (not learnt)' if n > words else ''}",
                f"{shares[None, n]:6.1%}  {shares[attention, n]:6.1%}",
            )
            for n in tests
        ]
        + [("published: BLEU, English to French (Bahdanau et al.)", "  17.8    26.8")],
    )


if __name__ == "__main__":
    main()
