"""An encoder and a decoder, and the attention between them, for `dates.py` and `rewrite.py`.

The encoder of Bahdanau, Cho & Bengio 2015 (arXiv:1409.0473) reads in both directions, so that its
output at place s tells of the symbol there and of both sides of it. The attention is put where
Luong, Pham & Manning 2015 (arXiv:1508.04025) put it, after the decoder's recurrent step:

    e_ts = score(h_t, m_s)              how well the decoder's state t fits the encoder's output s
           (s Q h_t) · (K m_s)          Luong's; with s = 1 / sqrt(U) (Vaswani et al. 2017) the
                                        weights stay off 0 and 1, where they learn nothing
           v · tanh(Q h_t + K m_s)      Bahdanau's
    a_ts = exp(e_ts) / sum_s exp(e_ts)  the weights: over all places they sum to one
    c_t  = sum_s a_ts m_s               the context: what is read at step t
    p_t  = softmax(W tanh(C [c_t; h_t]))
"""

import click
import keras
from sequences import PAD, Writer

from charrnn.layers import GRU

SCORES = {"luong": keras.layers.Attention, "bahdanau": keras.layers.AdditiveAttention}


def check_even(units: int) -> None:
    """An error of the command line if the units cannot be halved for the two directions."""
    if units % 2:
        raise click.UsageError(
            "--units must be even: the encoder has half of them in each direction"
        )


class EncoderDecoder(Writer):
    """Reads and writes symbols with gated recurrent units.

    Args:
        symbols: V, of what is read and of what is written.
        units: U, an even number: the encoder has half of them in each direction.
        attention: A key of `SCORES`, or None: then all that the decoder knows of what was read is
            one vector [U], the encoder's last state, however long the text was.
        scale: s of Luong's score.
    """

    def __init__(
        self, symbols: int, units: int, attention: str | None = "luong", scale: float = 1.0
    ) -> None:
        super().__init__()
        self.to_vectors = keras.layers.Embedding(symbols, units, mask_zero=True)
        half = GRU(units // 2, return_sequences=True, return_state=True)
        self.encoder = keras.layers.Bidirectional(half)
        self.decoder = GRU(units, return_sequences=True, return_state=True)
        self.to_logits = keras.layers.Dense(symbols)
        self.score = SCORES[attention]() if attention else None
        self.scale = scale
        if attention:
            self.queries = keras.layers.Dense(units, use_bias=False)
            self.keys = keras.layers.Dense(units, use_bias=False)
            self.combine = keras.layers.Dense(units, activation="tanh")

    def read(self, source):
        """The decoder's first state [B, U], the outputs [B, S, U], and where those are text."""
        outputs, forward, backward = self.encoder(self.to_vectors(source))
        return [keras.ops.concatenate([forward, backward], -1), outputs, source != PAD]

    def write(self, written, state):
        last, outputs, is_text = state
        hidden, last = self.decoder(self.to_vectors(written), initial_state=last)
        if self.score:
            context, _ = self.look(hidden, outputs, is_text)
            hidden = self.combine(keras.ops.concatenate([context, hidden], -1))
        return self.to_logits(hidden), [last, outputs, is_text]

    def look(self, hidden, outputs, is_text):
        """The contexts [B, T, U] for the decoder's states [B, T, U], and the weights [B, T, S]."""
        inputs = [self.scale * self.queries(hidden), outputs, self.keys(outputs)]
        return self.score(inputs, mask=[None, is_text], return_attention_scores=True)

    def weights_of_attention(self, source, written):
        """Where the network looks [B, T, S] before it writes the symbol after each of `written`."""
        first, outputs, is_text = self.read(source)
        hidden, _ = self.decoder(self.to_vectors(written), initial_state=first)
        return keras.ops.convert_to_numpy(self.look(hidden, outputs, is_text)[1])
