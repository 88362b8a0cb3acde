"""Networks that write: symbols as numbers, a text symbol after symbol, and beam search.

`captions.py`, `dates.py`, `addition.py` and `rewrite.py` share this file. Shapes: B batch,
S time steps of what is read, T time steps of what is written, V symbols, W width of the beam.
"""

from collections.abc import Iterable, Sequence

from common import train

import keras
import numpy as np

GROUP = 500  # texts that are written at once
PAD, START, END = 0, 1, 2
"""Fills a row up to the length of the longest; comes before a text; comes after it."""


class Symbols:
    """The characters (or words) of some texts, numbered from 3 on.

    Args:
        texts: Strings, or lists of words.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self.known = sorted({symbol for text in texts for symbol in text})
        self.size = len(self.known) + 3
        self._numbers = {symbol: number for number, symbol in enumerate(self.known, 3)}

    def encode(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """Numbers [B, T + 1]: each text, END, and PAD up to the end of the longest."""
        rows = np.full((len(texts), max(map(len, texts)) + 1), PAD, "int32")
        for row, text in zip(rows, texts, strict=True):
            row[: len(text) + 1] = [self._numbers[symbol] for symbol in text] + [END]
        return rows

    def decode(self, rows: np.ndarray, between: str = "") -> list[str]:
        """The texts of numbers [B, T], each as far as its END."""
        return [between.join(self._until_end(row)) for row in rows]

    def _until_end(self, row: np.ndarray) -> list[str]:
        ends = np.flatnonzero(row == END)
        return [self.known[n - 3] for n in row[: ends[0] if ends.size else None] if n > END]


def shifted(targets: np.ndarray) -> np.ndarray:
    """What the decoder has read when it predicts `targets` [B, T]: START, then all but the last."""
    start = np.full_like(targets[:, :1], START)
    return np.concatenate([start, targets[:, :-1]], axis=1)


class Writer(keras.Model):
    """A network that reads something and then writes a text about it (Sutskever et al. 2014).

    A subclass says how. `read` makes the first state from the source; `write` continues from a
    state. Training calls `write` once with the whole text (what the decoder reads is then the
    right text, not its own: teacher forcing), `search` calls it for one symbol after the other.
    """

    def read(self, source):
        """The state before the first symbol: a list of tensors [B, …]."""
        raise NotImplementedError

    def write(self, written, state):
        """The logits [B, T, V] of the symbols after each of `written` [B, T], and the new state."""
        raise NotImplementedError

    def call(self, inputs):
        """The logits [B, T, V] for a source and what is written about it, as `shifted` makes it."""
        source, written = inputs
        return self.write(written, self.read(source))[0]

    def learn(self, source, targets, **plan) -> None:
        """Train on targets [B, T]; the plan is that of `train`: epochs, learning_rate, …"""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD)
        train(self, (source, shifted(targets)), targets, loss, **plan)


def search(
    model: Writer, source: np.ndarray, *, limit: int, width: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Beam search: keep the `width` likeliest beginnings, and continue each with every symbol.

    The first place of the beam is kept for the greedy text, which takes the likeliest symbol each
    time. So a beam of width 1 is greedy, and a wider one never finds a less likely text.

    Args:
        model: The network.
        source: What it reads [B, …].
        limit: The most symbols to write, END included.
        width: W.

    Returns:
        Texts [B, W, T], the likeliest first, and their log-probabilities [B, W] in nats.
    """
    rows = np.arange(len(source))[:, None]
    texts = np.full((len(source), width, 1), START, "int32")
    scores = np.full((len(source), width), -np.inf)
    scores[:, 0] = 0  # at first all places hold the same empty text: use one of them
    state = [keras.ops.repeat(part, width, axis=0) for part in model.read(source)]
    while texts.shape[2] <= limit and not ended(texts).all():
        log_p, state = next_log_p(model, texts, state)
        totals = scores[:, :, None] + log_p
        place, symbol = continuations(totals)
        scores = totals[rows, place, symbol]
        texts = np.concatenate([texts[rows, place], symbol[:, :, None]], axis=2)
        state = [keras.ops.take(part, (rows * width + place).ravel(), axis=0) for part in state]
    order = np.argsort(-scores, axis=1, kind="stable")
    return texts[rows, order, 1:], scores[rows, order]


def next_log_p(model: Writer, texts: np.ndarray, state: list) -> tuple[np.ndarray, list]:
    """The log-probabilities [B, W, V] of the symbols after each text [B, W, T], and the new state.

    After END comes PAD, which costs nothing. Before it come neither PAD nor START.
    """
    logits, state = model.write(texts[:, :, -1].reshape(-1, 1), state)
    log_p = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits[:, 0]))
    log_p = log_p.reshape(*texts.shape[:2], -1).astype(float)
    log_p[:, :, [PAD, START]] = -np.inf
    log_p[ended(texts)] = np.where(np.arange(log_p.shape[2]) == PAD, 0, -np.inf)
    return log_p, state


def ended(texts: np.ndarray) -> np.ndarray:
    """Which of the texts [B, W, T] have come to their END: [B, W]."""
    return (texts == END).any(axis=2)


def continuations(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place in the beam and new symbol [B, W] of the likeliest: the greedy one, then the others.

    Args:
        totals: Log-probabilities [B, W, V] of each text in the beam with each symbol after it.
    """
    size, width, symbols = totals.shape
    ranks = totals.copy()
    ranks[np.arange(size), 0, totals[:, 0].argmax(axis=1)] = np.inf
    best = np.argsort(-ranks.reshape(size, -1), axis=1, kind="stable")[:, :width]
    return np.divmod(best.astype("int32"), symbols)


def write_texts(
    model: Writer, symbols: Symbols, source: np.ndarray, *, between: str = "", **options
) -> list[str]:
    """The likeliest text for each row of the source; options as `search`."""
    texts = []
    for start in range(0, len(source), GROUP):
        found, _ = search(model, source[start : start + GROUP], **options)
        texts += symbols.decode(found[:, 0], between)
    return texts


def share_exact(written: Sequence[str], right: Sequence[str]) -> float:
    """How many of the texts are right from the first symbol to the last, as a share."""
    return float(np.mean([a == b for a, b in zip(written, right, strict=True)]))


def share_of_words(written: Sequence[str], right: Sequence[str]) -> float:
    """How many words of the right sentences are written at their place."""
    return share_of_symbols([text.split() for text in written], [text.split() for text in right])


def share_of_symbols(written: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> float:
    """How many symbols of the right texts are written at their place."""
    pairs = list(zip(written, right, strict=True))
    hits = sum(x == y for a, b in pairs for x, y in zip(a, b, strict=False))
    return hits / sum(len(b) for _, b in pairs)
