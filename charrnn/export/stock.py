"""Cells that the stock layers of other libraries compute, and their weights as those have them."""

import numpy as np

from charrnn.types import Tensors

STOCK = {"lstm": "lstm", "coupled": "lstm", "gru": "gru", "rnn": "rnn", "irnn": "rnn"}
"""The stock layer of each cell that has one."""


def stock_weights(cell: str, weights: Tensors) -> Tensors:
    """A recurrent layer's weights by name, as its stock layer has them, in the order of its gates.

    A coupled cell is an LSTM whose input gate is 1 - f_t = σ(-z_f): its weights are those of the
    forget gate with the other sign.
    """
    if cell != "coupled":
        return weights
    return {name: uncoupled(each) for name, each in weights.items()}


def uncoupled(columns: np.ndarray) -> np.ndarray:
    """The gates i, f, g, o [..., 4U] of the gates f, g, o [..., 3U]."""
    f, g, o = np.split(columns, 3, axis=-1)
    return np.concatenate([-f, f, g, o], axis=-1)
