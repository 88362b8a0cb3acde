"""The network in NumPy, for sampling: nothing to import, nothing to compile.

The cells' own `step` runs here; the layers around it are those of `charrnn.model.network`.
Weights are used where they lie, so that a memory-mapped checkpoint is read as it is needed.
Shapes: B texts, T time, D inputs, U units, V vocabulary.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from charrnn.cells import Cell, State, arrays
from charrnn.checkpoints import below
from charrnn.config import ModelConfig
from charrnn.model.weights import NORM_EPSILON, layers_of

Array = Any
Weights = Mapping[str, Array]

TABLE_ENTRIES = 1 << 18
"""Up to this size the first layer's input products of all characters are made beforehand."""


class Layer(NamedTuple):
    """A recurrent layer, ready to step."""

    cell: Cell
    kernel: Array
    bias: Array
    weights: Weights
    norm: tuple[Array, Array] | None

    def product(self, x: Array) -> Array:
        """z = x W + b, [B, G]."""
        z = x @ self.kernel
        z += self.bias
        return z

    def normalised(self, x: Array) -> Array:
        """What the next layer reads of x [B, U]."""
        return x if self.norm is None else layer_norm(x, *self.norm)


class InstantNetwork:
    """An engine (see `charrnn.sampling.engines`) that imports no framework."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config = config
        self._layers = [layer_of(config, weights, n + 1) for n in range(len(config.layer_units))]
        self._embeddings = weights.get("embedding/embeddings")
        self._output = output_matrix(weights)
        self._bias = weights["logits/bias"]
        self._table = self._make_table()
        self._parts = len(self._layers[0].cell.state_names)
        self.state: State = ()
        self.start(1)

    def start(self, count: int) -> None:
        self.state = tuple(
            np.zeros((count, units), np.float32)
            for units, parts in layers_of(self._config)
            for _ in parts
        )

    def select(self, rows: Array) -> None:
        self.state = tuple(part[rows] for part in self.state)

    def read(self, ids: Array) -> Array:
        for row in ids:
            features = self._advance(row)
        return features @ self._output + self._bias

    def _advance(self, ids: Array) -> Array:
        """Features [B, U] after one more character of each text."""
        x = read = None
        after: list[Array] = []
        for number, layer in enumerate(self._layers):
            z = layer.product(read) if number else self._first_product(ids)
            before = self.state[number * self._parts : (number + 1) * self._parts]
            state = layer.cell.step(arrays, z, before, layer.weights)
            x = x + state[0] if self._config.residual and number else state[0]
            read = layer.normalised(x)
            after += state
        self.state = tuple(after)
        return read

    def _first_product(self, ids: Array) -> Array:
        """z of the first layer, [B, G]."""
        return self._table[ids] if self._table is not None else self._products(ids)

    def _products(self, ids: Any) -> Array:
        """z of the first layer after these characters, computed."""
        first = self._layers[0]
        if self._embeddings is None:
            return first.kernel[ids] + first.bias
        return first.product(self._embeddings[ids])

    def _make_table(self) -> Array:
        """z of the first layer for every character, [V, G], unless that is too much."""
        entries = len(self._bias) * len(self._layers[0].bias)
        return self._products(slice(None)) if entries <= TABLE_ENTRIES else None


def output_matrix(weights: Weights) -> Array:
    """The matrix [U, V] of the dense layer: its own, or the embeddings'."""
    name = "logits/kernel"
    return weights[name] if name in weights else weights["embedding/embeddings"].T


def layer_of(config: ModelConfig, weights: Weights, number: int) -> Layer:
    """Layer number `number` of the network, counted from 1."""
    cell = config.make_cell()
    ready = cell.prepare(arrays, below(weights, f"recurrent_{number}"))
    kernel, bias = ready.pop("kernel"), ready.pop("bias")
    scale = below(weights, f"norm_{number}")
    norm = (scale["gamma"], scale["beta"]) if scale else None
    return Layer(cell, kernel, bias, ready, norm)


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    """Each row of x [B, U] at mean 0 and variance 1, then scaled and shifted (Ba et al. 2016)."""
    centred = x - x.mean(-1, keepdims=True)
    variance = np.square(centred).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + NORM_EPSILON) * gamma + beta
