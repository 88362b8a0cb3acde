"""The cells as Keras layers.

    from charrnn.layers import LSTM
    model = keras.Sequential([keras.Input((None, 32)), LSTM(128), keras.layers.Dense(10)])

The arguments, shapes, masks and weights are those of Keras's own layers.
"""

from charrnn.layers.recurrent import RNN
from charrnn.layers.stock import GRU, LSTM

__all__ = ["GRU", "LSTM", "RNN"]
