"""Adding as writing: "352+49" is read character by character, and "401" is written.

W. Zaremba and I. Sutskever, "Learning to Execute", 2014 (arXiv:1410.4615), with the network of
I. Sutskever, O. Vinyals and Q. V. Le, "Sequence to Sequence Learning with Neural Networks",
NeurIPS 2014 (arXiv:1409.3215): one LSTM reads, a second one starts from its last state and writes.

    h, c   = LSTM_1(x_1 … x_S)                the sum, read to its end
    p_t    = softmax(W LSTM_2(y_<t; h, c))    the next character of the answer

Nobody tells the network how long the answer is: it writes until it writes the end symbol. Both
papers found that it helps to reverse the input, so that what is written first does not depend on
what was read long before; `--no-reverse` shows how it goes without.

    python examples/addition.py
    python examples/addition.py --no-reverse

What to expect: 99.95 % of 2,000 held-out sums are right in every character after about 80 seconds
(AMD EPYC, 2 cores). Who only looks up the most similar sum that was learnt is right in 11.9 %.
"""

from common import fix_seed, number_option, print_figures

import click
import keras
import numpy as np
from sequences import Symbols, Writer, share_exact, write_texts

from charrnn.layers import LSTM

LIMIT = len("1998") + 1  # 999 + 999, and the end symbol
SHOWN = 5


class EncoderDecoder(Writer):
    """Two LSTMs; all that the second knows of the sum is the last state of the first."""

    def __init__(self, symbols: int, units: int) -> None:
        super().__init__()
        self.to_vectors = keras.layers.Embedding(symbols, units, mask_zero=True)
        self.encoder = LSTM(units, return_state=True)
        self.decoder = LSTM(units, return_sequences=True, return_state=True)
        self.to_logits = keras.layers.Dense(symbols)

    def read(self, source):
        """The encoder's last hidden and cell state, each [B, units]."""
        _, *state = self.encoder(self.to_vectors(source))
        return state

    def write(self, written, state):
        """The logits of the next characters [B, T, V], and the decoder's states."""
        hidden, *state = self.decoder(self.to_vectors(written), initial_state=state)
        return self.to_logits(hidden), state


def draw_sums(count: int, random: np.random.Generator) -> np.ndarray:
    """Pairs of numbers from 0 to 999 [count, 2]; none comes twice, nor in the other order."""
    pairs = np.stack(np.triu_indices(1000), axis=1)
    if count > len(pairs):
        raise click.ClickException(
            f"there are {len(pairs):,} sums of two numbers below 1000: "
            "ask for fewer with --sums or --held-out"
        )
    return random.permuted(random.permutation(pairs)[:count], axis=1)


def as_text(pairs: np.ndarray, reverse: bool) -> tuple[list[str], list[str]]:
    """What is read and what is written, for numbers [N, 2]."""
    sums = [f"{a}+{b}" for a, b in pairs]
    return [text[::-1] if reverse else text for text in sums], [str(a + b) for a, b in pairs]


def nearest_answers(learnt: np.ndarray, asked: np.ndarray) -> list[str]:
    """What one answers who only looks up: the sum of the most similar pair that was learnt."""
    nearest = [abs(learnt - pair).sum(axis=1).argmin() for pair in asked]
    return [str(a + b) for a, b in learnt[nearest]]


@click.command()
@number_option("--sums", 100_000, "Sums to learn from.")
@number_option("--held-out", 2000, "Sums to be tested on.")
@click.option("--reverse/--no-reverse", default=True, show_default=True, help="Read backward.")
@number_option("--units", 128, "Units of each LSTM.")
@number_option("--epochs", 6, "Passes over the sums.")
@click.option("--seed", default=1, show_default=True, help="Of the sums and the first weights.")
def main(sums: int, held_out: int, reverse: bool, units: int, epochs: int, seed: int) -> None:
    """Add numbers of three digits, character by character."""
    fix_seed(seed)
    pairs = draw_sums(sums + held_out, np.random.default_rng(seed))
    read, right = as_text(pairs, reverse)
    symbols = Symbols(read + right)
    source, targets = symbols.encode(read), symbols.encode(right)
    model = EncoderDecoder(symbols.size, units)
    model.learn(source[:sums], targets[:sums], epochs=epochs, batch_size=256, learning_rate=8e-3)
    written = write_texts(model, symbols, source[sums:], limit=LIMIT)
    for (a, b), answer in list(zip(pairs[sums:], written, strict=True))[:SHOWN]:
        click.echo(f"{a} + {b} = {answer}" + ("" if answer == str(a + b) else "  (wrong)"))
    right, looked_up = right[sums:], nearest_answers(pairs[:sums], pairs[sums:])
    print_figures(
        f"Share of {held_out:,} held-out sums whose every character is right",
        [
            ("encoder and decoder", f"{share_exact(written, right):.2%}"),
            (
                "baseline: the answer to the most similar sum learnt",
                f"{share_exact(looked_up, right):.2%}",
            ),
            ("published: Keras's addition_rnn, 100 epochs, of characters", "99 %"),
        ],
    )


if __name__ == "__main__":
    main()
