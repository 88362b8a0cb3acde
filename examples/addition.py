"""Adding as writing: "352+49" is read character by character, "401" is written.

Zaremba & Sutskever 2014, "Learning to execute" (arXiv:1410.4615), with the encoder and decoder of
Sutskever, Vinyals & Le 2014, "Sequence to sequence learning with neural networks"
(arXiv:1409.3215): one LSTM reads the sum and keeps what it has read in its state; a second LSTM
starts from that state and writes until it writes the end symbol. Nobody tells it how long a sum is.
"""

import click
import numpy as np
from common import fix_seed, print_figures
from sequences import Symbols, Writer, share_exact, write_texts

import keras
from keras.layers import LSTM

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
        hidden, *state = self.decoder(self.to_vectors(written), initial_state=state)
        return self.to_logits(hidden), state
