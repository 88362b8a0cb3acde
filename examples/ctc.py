"""Morse code read from sound, though nobody tells where a letter begins.

Alex Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with
recurrent neural networks" (2006). To learn from, there are recordings and the texts that were sent,
nothing in between. At each time step, the network names a symbol: a letter or the blank
(here "-"). Such a path becomes a text when its repeats are folded and its blanks are taken away:

    ---s--oo---ss--  ->  sos            ---e---e---  ->  ee

Many paths become the same text. The CTC loss is minus the logarithm of the sum of their
probabilities: the network finds by itself when to name what. To read, one takes the best path, or
searches with a beam for the text whose paths are likely together.

What to expect: label error rates of 0.2 % on the quieter half of the recordings and 0.8 % on the
noisier, with the best path as with the beam; thresholds for dots and dashes make 0.2 % and 41 %.
The loss stays near 16 for an epoch, while nothing but blanks is named; then the alignment is found.
About four minutes where the two cores (AMD EPYC) had other work besides.
"""

from itertools import groupby

from common import fix_seed, number_option, print_figures, train

import click
import keras
import numpy as np
from keras.layers import Bidirectional, Dense

from charrnn.layers import LSTM

CODES = """.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. --
-. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."""
MORSE = dict(zip("abcdefghijklmnopqrstuvwxyz", CODES.split(), strict=True))
SYMBOLS = "-" + "".join(MORSE)  # symbol 0 is the blank
RATE = 4000  # samples a second
FRAME = 80  # samples a frame: 20 ms
BANDS = slice(6, 26)  # of 50 Hz each: 300 to 1300 Hz
STEP = 2  # frames a time step of the network
SECONDS = 5
PUBLISHED = [
    ("published, on speech (TIMIT): best path", "  31.5%"),
    ("published, on speech (TIMIT): prefix search", "  30.5%"),
]
NOISE = 1.0  # the most: the standard deviation of samples whose tone goes from -1 to 1


def key(text):
    """When the key is down ("1") and up ("0"), unit by unit."""
    marks = {".": "10", "-": "1110"}
    letters = {c: "".join(marks[mark] for mark in code) + "00" for c, code in MORSE.items()}
    return "".join(letters[c] for c in text).rstrip("0")


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
    """The amplitude in the band of the tone, frame by frame, STEP frames a time step [T, STEP]."""
    frames = samples.reshape(-1, FRAME) * np.hanning(FRAME)
    amplitude = np.abs(np.fft.rfft(frames)[:, BANDS])
    tone = amplitude[:, (amplitude**2).mean(0).argmax()]
    return ((tone - tone.mean()) / tone.std()).reshape(-1, STEP).astype("float32")


def record(count, chance):
    """Recordings [B, T, STEP], and what was sent: the texts, their units, the levels of noise.

    A text is one to five letters, drawn at random: no network can guess them.
    """
    texts = ["".join(chance.choice([*MORSE], chance.integers(1, 6))) for _ in range(count)]
    units = np.array([chance.uniform(0.05, min(0.1, 4.5 / len(key(text)))) for text in texts])
    pitches, noises = chance.uniform(400, 1200, count), chance.uniform(0.1, NOISE, count)
    sent = zip(texts, units, pitches, noises, strict=True)
    sounds = [
        hear(send(text, unit, 0.1, pitch, noise, chance)) for text, unit, pitch, noise in sent
    ]
    return np.array(sounds), texts, units, noises


def to_labels(texts):
    """Symbols' ids [B, L], padded by the blank's."""
    ids = np.zeros((len(texts), max(map(len, texts))), "int32")
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = [SYMBOLS.index(c) for c in text]
    return ids


def network(units):
    """Logits [B, T, symbols] for recordings [B, T, STEP]."""
    return keras.Sequential(
        [
            keras.Input((None, STEP)),
            Bidirectional(LSTM(units, return_sequences=True)),
            Bidirectional(LSTM(units, return_sequences=True)),
            Dense(len(SYMBOLS)),
        ]
    )


def fold(path):
    """The text of a path: each run of one symbol once, without blanks."""
    return "".join(symbol for symbol, _ in groupby(path)).replace("-", "")


def decode(logits, strategy):
    lengths = np.full(len(logits), logits.shape[1], "int32")
    (ids, *_), _ = keras.ops.ctc_decode(logits, lengths, strategy=strategy, beam_width=20)
    return ["".join(SYMBOLS[i] for i in row if i >= 0) for row in np.array(ids)]


def read_by_rule(sound, unit):
    """The baseline: thresholds of amplitude and length. It is told the sender's speed."""
    tone = sound.ravel()
    down = tone > (tone.min() + tone.max()) / 2
    text, letter = "", ""
    codes = {code: c for c, code in MORSE.items()}
    for is_down, run in groupby(down[down.argmax() :]):
        units = len([*run]) * FRAME / RATE / unit
        if is_down:
            letter += "-" if units > 2 else "."
        elif units > 2:
            text, letter = text + codes.get(letter, ""), ""
    return text + codes.get(letter, "")


def distance(a, b):
    """The insertions, deletions and replacements that turn one text into the other."""
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
    order = np.argsort(noises)
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    rates = [error_rate([read[i] for i in half], [sent[i] for i in half]) for half in halves]
    return " ".join(f"{rate:>7.1%}" for rate in rates)


@click.command(context_settings={"show_default": True})
@number_option("--recordings", 4000, "To train on.")
@click.option("--held-out", default=320, type=click.IntRange(2), help="To test on.")
@number_option("--epochs", 8, "Passes over them.")
@number_option("--units", 48, "In each direction.")
@click.option("--seed", default=0, help="Same seed, same result.")
def main(recordings, held_out, epochs, units, seed):
    """Learn to read Morse code from generated recordings."""
    fix_seed(seed)
    chance = np.random.default_rng(seed)
    sounds, texts, _, _ = record(recordings, chance)
    heard, sent, speeds, noises = record(held_out, chance)
    model = network(units)
    train(model, sounds, to_labels(texts), keras.losses.CTC(), epochs=epochs, batch_size=16)
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
        [(name, error_rates(texts, sent, noises)) for name, texts in read.items()] + PUBLISHED,
    )


if __name__ == "__main__":
    main()
