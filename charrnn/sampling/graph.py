"""Sampling with the Keras network, its graph rebuilt for the batch size asked for.

The loop over positions is compiled: a call feeds back what it draws, `CHUNK` characters at
a time. A prompt goes through the same loop, its characters forced in place of drawn ones.
"""

from typing import Any

import numpy as np

from charrnn.config import ModelConfig
from charrnn.model.backend import tf
from charrnn.model.network import compile_function, zero_state
from charrnn.sampling.writing import FREE

CHUNK = 64
Tensor = Any


class GraphSampler:
    """Writes B texts at once; holds the state between calls."""

    def __init__(self, model: Any, config: ModelConfig, vocabulary_size: int, count: int) -> None:
        self._model, self._size = model, vocabulary_size
        self._zero_state = zero_state(config, count)
        self._write = compile_function(self._write_eager, config)

    def start(self, context: int) -> None:
        """Begin at the zero state, as if the character `context` stood before each text."""
        self._state = self._zero_state
        self._last = tf.fill(self._state[0].shape[:1], context)

    def write(self, forced: np.ndarray, noise: np.ndarray, temperature: float) -> np.ndarray:
        """The next ids int32 [B, N]; see `Sampler.write`."""
        pieces = [np.zeros_like(forced[:, :0])]
        for start in range(0, forced.shape[1], CHUNK):
            window = slice(start, start + CHUNK)
            pieces.append(self._write_chunk(forced[:, window], noise[:, window], temperature))
        return np.concatenate(pieces, axis=1)

    def _write_chunk(self, forced: np.ndarray, noise: np.ndarray, temperature: float) -> np.ndarray:
        length = forced.shape[1]
        padding = ((0, 0), (0, CHUNK - length))
        ids, self._last, self._state = self._write(
            tf.constant(np.pad(forced, padding, constant_values=FREE), tf.int32),
            tf.constant(np.pad(noise, padding), tf.float32),
            tf.constant(temperature, tf.float32),
            tf.constant(length),
            self._last,
            self._state,
        )
        return np.asarray(ids)[:, :length]

    def _write_eager(
        self,
        forced: Tensor,
        noise: Tensor,
        temperature: Tensor,
        length: Tensor,
        last: Any,
        state: Any,
    ) -> Any:
        def body(t: Tensor, last: Tensor, state: Any, ids: Any) -> tuple:
            logits, state = self._model((last[None], state, tf.zeros(2, tf.int32)))
            drawn = draw(logits[0, :, : self._size - 1], noise[:, t], temperature)
            given = forced[:, t]
            last = tf.where(given == FREE, drawn, given)
            return t + 1, last, state, ids.write(t, last)

        ids = tf.TensorArray(tf.int32, CHUNK, element_shape=last.shape)
        _, last, state, ids = tf.while_loop(
            lambda t, *_: t < length, body, (tf.constant(0), last, state, ids)
        )
        return tf.transpose(ids.stack()), last, state


def draw(logits: Tensor, noise: Tensor, temperature: Tensor) -> Tensor:
    """One id for each row of logits [B, V], by inverting the cumulative distribution.

    softmax(logits / temperature), the largest logit taken off first so that no temperature
    overflows; 0 is greedy.
    """
    centred = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    cumulative = tf.cumsum(tf.exp(centred / tf.maximum(temperature, 1e-12)), axis=-1)
    below = cumulative <= noise[:, None] * cumulative[:, -1:]
    drawn = tf.reduce_sum(tf.cast(below, tf.int32), axis=-1)
    drawn = tf.minimum(drawn, logits.shape[-1] - 1)
    return tf.where(temperature > 0, drawn, tf.argmax(logits, -1, output_type=tf.int32))
