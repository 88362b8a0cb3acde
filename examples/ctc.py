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
from keras.layers import LSTM, Bidirectional, Dense

MORSE = dict(zip(
    "abcdefghijklmnopqrstuvwxyz",
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- "
    "-.-- --..".split(), strict=True,
))
SYMBOLS = "- " + "".join(MORSE)  # symbol 0 is the blank, symbol 1 the space between words
RATE = 4000  # samples a second
FRAME = 80  # samples a frame: 20 ms
BANDS = slice(6, 26)  # of 50 Hz each: 300 to 1300 Hz
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
    """The loudness of each band, frame by frame [T, bands]: logarithms, less their mean."""
    frames = samples.reshape(-1, FRAME) * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)[:, BANDS]) ** 2
    loudness = np.log(power + 0.1)
    return (loudness - loudness.mean()).astype("float32")


def record(count, chance):
    """Recordings [B, T, bands] of random words, and what was sent: texts, units, levels of noise."""
    sounds, texts, units, noises = [], [], [], []
    while len(texts) < count:
        text = "".join(chance.choice([*MORSE], chance.integers(3, 9)))
        cut = chance.integers(2, len(text))
        text = f"{text[:cut]} {text[cut:]}".strip()
        unit, noise = chance.uniform(0.04, 0.08), chance.uniform(0.1, 2)
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


def network(frames, bands, units):
    """Logits [B, T / 2, symbols]: two frames are a time step."""
    return keras.Sequential([
        keras.Input((frames, bands)),
        keras.layers.Reshape((frames // 2, 2 * bands)),
        Bidirectional(LSTM(units, return_sequences=True)),
        Bidirectional(LSTM(units, return_sequences=True)),
        Dense(len(SYMBOLS)),
    ])


def fold(path):
    """The text of a path: each run of one symbol once, without blanks."""
    return "".join(symbol for symbol, _ in groupby(path)).replace("-", "")


def decode(logits, strategy):
    lengths = np.full(len(logits), logits.shape[1], "int32")
    (ids, *_), _ = keras.ops.ctc_decode(logits, lengths, strategy=strategy, beam_width=20)
    return ["".join(SYMBOLS[i] for i in row if i >= 0) for row in np.array(ids)]


def read_by_rule(loudness, unit):
    """The baseline: thresholds of loudness and length. It is told the sender's speed."""
    power = np.exp(loudness)
    tone = power[:, power.mean(0).argmax()]
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
