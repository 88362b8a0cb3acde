"""Morse code read from sound, though nobody tells where a letter begins.

Alex Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with
recurrent neural networks" (2006). The training data are recordings and the texts sent in them, and
nothing in between. At each time step a bidirectional LSTM names a letter or the blank (here "-"). A
path becomes a text when its repeats are folded and its blanks taken away:

    ---s--oo---ss--  ->  sos            ---e---e---  ->  ee

Many paths become the same text. The CTC loss is minus the logarithm of their probabilities' sum, so
the network finds by itself when to name what. The text is decoded from the best path ("greedy"), or by
a beam search for the text whose paths are likely together.
"""

from itertools import groupby

import click
import keras
import numpy as np
from common import fix_seed, print_figures
from keras.layers import Bidirectional, Dense

from charrnn.layers import LSTM

MORSE = dict(zip(
    "abcdefghijklmnopqrstuvwxyz",
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- "
    "-.-- --..".split(), strict=True,
))
SYMBOLS = "- " + "".join(MORSE)  # symbol 0 is the blank, symbol 1 the space between words
RATE = 4000  # samples a second
FRAME = 80  # samples a frame: 20 ms
BANDS = slice(6, 26)  # of 50 Hz each: 300 to 1300 Hz
STEP = 3  # frames a time step of the network
SECONDS = 6


def key(text):
    """When the key is down ("1") and up ("0"): a dot lasts a unit, a dash three, a letter's end three."""
    marks = {".": "10", "-": "1110"}
    letters = ("".join(marks[m] for m in MORSE[c]) + "00" if c != " " else "0000" for c in text)
    return "".join(letters).rstrip("0")


def send(text, unit, uneven, pitch, noise, chance):
    """The samples [SECONDS * RATE] of a text sent by hand, somewhere in a noisy recording.

    Args:
        unit: How long a dot is, in seconds.
        uneven: How far the hand is off: 0.1 is a standard deviation of a tenth.
    """
    runs = [(int(down), len([*run])) for down, run in groupby(key(text))]
    spans = [unit * RATE * units * max(0.5, chance.normal(1, uneven)) for _, units in runs]
    down = np.repeat([d for d, _ in runs], np.rint(spans).astype(int))
    samples = chance.normal(0, noise, SECONDS * RATE)
    start = chance.integers(SECONDS * RATE - len(down))
    seconds = np.arange(len(down)) / RATE
    samples[start : start + len(down)] += down * np.sin(2 * np.pi * pitch * seconds)
    return samples


def hear(samples):
    """The loudness in the band of the tone [T, STEP]: logarithms, less their mean."""
    frames = samples.reshape(-1, FRAME) * np.hanning(FRAME)
    loudness = np.log(np.abs(np.fft.rfft(frames)[:, BANDS]) ** 2 + 0.1)
    tone = loudness[:, loudness.mean(0).argmax()]
    return (tone - tone.mean()).reshape(-1, STEP).astype("float32")


def record(count, chance):
    """Recordings [B, T, STEP] of random words, and what was sent: texts, units, levels of noise."""
    sounds, texts, units, noises = [], [], [], []
    while len(texts) < count:
        text = "".join(chance.choice([*MORSE], chance.integers(3, 9)))
        cut = chance.integers(2, len(text))
        text = f"{text[:cut]} {text[cut:]}".strip()
        unit, noise = chance.uniform(0.04, 0.08), chance.uniform(0.1, 1.5)
        if len(key(text)) * unit > 0.85 * SECONDS:
            continue
        sounds.append(hear(send(text, unit, 0.1, chance.uniform(400, 1200), noise, chance)))
        texts.append(text); units.append(unit); noises.append(noise)
    return np.array(sounds), texts, np.array(units), np.array(noises)


def to_labels(texts):
    """Symbols' ids [B, L], padded by the blank's."""
    ids = np.zeros((len(texts), max(map(len, texts))), "int32")
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = [SYMBOLS.index(c) for c in text]
    return ids


def network(units):
    """Logits [B, T, symbols] for recordings [B, T, STEP]."""
    return keras.Sequential([
        keras.Input((None, STEP)),
        Bidirectional(LSTM(units, return_sequences=True)),
        Bidirectional(LSTM(units, return_sequences=True)),
        Dense(len(SYMBOLS)),
    ])


def train(model, sounds, texts, epochs, rate=0.01):
    steps = epochs * -(-len(texts) // 32)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), keras.losses.CTC())
    model.fit(sounds, to_labels(texts), batch_size=32, epochs=epochs, verbose=2)


def fold(path):
    """The text of a path: each run of one symbol once, without blanks."""
    return "".join(symbol for symbol, _ in groupby(path)).replace("-", "")


def decode(logits, strategy):
    lengths = np.full(len(logits), logits.shape[1], "int32")
    (ids, *_), _ = keras.ops.ctc_decode(logits, lengths, strategy=strategy, beam_width=20)
    return ["".join(SYMBOLS[i] for i in row if i >= 0) for row in np.array(ids)]


def read_by_rule(loudness, unit):
    """The baseline: thresholds of loudness and length. It is told the sender's speed."""
    tone = np.exp(loudness.ravel())
    down = tone > tone.max() / 4
    text, letter = "", ""
    codes = {code: c for c, code in MORSE.items()}
    for is_down, run in groupby(down[down.argmax():]):
        units = len([*run]) * FRAME / RATE / unit
        if is_down:
            letter += "-" if units > 2 else "."
        elif units > 2:
            text, letter = text + codes.get(letter, "") + (" " if units > 5 else ""), ""
    return (text + codes.get(letter, "")).strip()


def distance(a, b):
    """Edit distance: the insertions, deletions and replacements that turn one text into the other."""
    row = range(len(b) + 1)
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y)))
    return row[-1]


def error_rate(read, sent):
    return sum(map(distance, read, sent)) / sum(map(len, sent))


def error_rates(read, sent, noises):
    """In the quieter half of the recordings, and in the noisier."""
    quiet = noises < np.median(noises)
    rates = []
    for half in (quiet, ~quiet):
        rates.append(error_rate(np.array(read)[half], np.array(sent)[half]))
    return " ".join(f"{rate:>8.1%}" for rate in rates)


@click.command()
@click.option("--recordings", default=3000, show_default=True, type=click.IntRange(1), help="To train on.")
@click.option("--held-out", default=300, show_default=True, type=click.IntRange(2), help="To test on.")
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="Passes over them.")
@click.option("--units", default=48, show_default=True, type=click.IntRange(1), help="In each direction.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same result.")
def main(recordings, held_out, epochs, units, seed):
    """Learn to read Morse code from generated recordings."""
    fix_seed(seed)
    chance = np.random.default_rng(seed)
    sounds, texts, _, _ = record(recordings, chance)
    heard, sent, speeds, noises = record(held_out, chance)
    model = network(units)
    train(model, sounds, texts, epochs)
    logits = model.predict(heard, verbose=0)
    path = "".join(SYMBOLS[i] for i in logits[0].argmax(-1))
    click.echo(f"\nbest path  {path}\nfolded     {fold(path)}\nsent       {sent[0]}")
    read = {
        "thresholds, told the speed": [*map(read_by_rule, heard, speeds)],
        "CTC, best path": decode(logits, "greedy"),
        "CTC, beam search": decode(logits, "beam_search"),
    }
    print_figures(
        f"Label error rate on {held_out} held-out recordings: the quieter half, the noisier half",
        [(name, error_rates(texts, sent, noises)) for name, texts in read.items()],
    )


if __name__ == "__main__":
    main()
