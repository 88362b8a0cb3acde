"""The stack of the network's layers, written once, against the array functions of the cells.

    x_0 = E[ids]                              the characters' embeddings, or one-hot
    y_l, state_l = Recurrent_l(x_{l-1})
    x_l = Norm_l(Dropout(y_l) + x_{l-1})      both as the settings say
    logits = x_L K + b                        K = E^T where the embeddings are tied
           = [x_1, …, x_L] K + b              with skip connections (Graves 2013)

Training runs these lines on tensors, over all time steps at once, the sampler in NumPy, a
character at a time, and the recorder with arrays that note what is done to them. What
differs between them is an argument: `run` carries a layer over time.
"""

from collections.abc import Callable
from typing import NamedTuple

from charrnn.cells import Cell
from charrnn.config import ModelConfig
from charrnn.network.weights import (
    EMBEDDINGS,
    LOGITS_BIAS,
    LOGITS_KERNEL,
    norm,
    recurrent,
    strip_prefix,
)
from charrnn.types import Array, ArrayOps, State, Weights

TABLE_CHARACTERS = 256
"""Up to this vocabulary, training makes a table of V rows of the first layer's input products, and
looks them up."""
NORM_EPSILON = 1e-5
"""What layer normalisation adds to the variance."""
Run = Callable[["Stack", int, Array, State], tuple[Array, State]]
"""Carries a layer over time. From the stack, the layer's place, what it reads (ids for the
first layer, else features [..., D]) and its state to its outputs [..., U] and new state."""
Drop = Callable[[Array, int], Array]
"""Dropout of the outputs [..., U] of the layer at a place."""


class Layer(NamedTuple):
    """A recurrent layer, ready to run."""

    cell: Cell
    kernel: Array
    """W [D, G], which makes the input products."""
    weights: Weights
    """What a step of the cell takes, by name. `bias` [G] is among them, for whoever runs the
    layer: it belongs to z = x W + b, and the step itself does not look at it."""
    norm: Weights
    """gamma and beta of the normalisation, [U] each, or nothing."""


class Stack:
    """A network with its weights, in the arrays of `ops`.

    Args:
        ops: The array functions.
        config: The network's shape.
        weights: Every weight by name, as `charrnn.network.weights.specify` lists them.
        table: Whether the first layer's input products are made beforehand for all of the
            vocabulary's characters, so that each time step only looks them up.
    """

    def __init__(self, ops: ArrayOps, config: ModelConfig, weights: Weights, *, table: bool):
        self.ops, self.config = ops, config
        numbers = range(1, len(config.layer_units) + 1)
        self.layers = [make_layer(ops, config, weights, number) for number in numbers]
        self.embeddings = weights[EMBEDDINGS] if config.embedding else None
        tied = config.tie_embeddings
        self._output = ops.transpose(weights[EMBEDDINGS]) if tied else weights[LOGITS_KERNEL]
        self._bias = weights[LOGITS_BIAS]
        self._table = self.layers[0].kernel if self.embeddings is None else None
        if table and self.embeddings is not None:
            self._table = ops.matmul(self.embeddings, self.layers[0].kernel)

    def features(
        self, ids: Array, state: State, run: Run, drop: Drop | None = None
    ) -> tuple[Array, State]:
        """What the output layer reads, and the state after.

        Args:
            ids: The characters, int32: [T, B] or [B], as `run` takes them.
            state: The parts of all layers' states, layer after layer, each [B, U].
            run: Carries a layer over time.
            drop: Dropout, in training.

        Returns:
            Features [T, B, F] or [B, F], where F is U of the last layer or, with skip
            connections, of all layers together; and the new state in the order of the old one.
        """
        x = read = ids
        passed_on: list[Array] = []
        after: list[Array] = []
        for place, layer in enumerate(self.layers):
            parts = len(layer.cell.state_names)
            before = state[place * parts : (place + 1) * parts]
            y, new = run(self, place, read, before)
            y = y if drop is None else drop(y, place)
            x = x + y if self.config.residual and place else y
            read = layer_norm(self.ops, x, layer.norm) if layer.norm else x
            passed_on.append(read)
            after.extend(new)
        many = self.config.skip_connections and len(passed_on) > 1
        return self.ops.concatenate(passed_on, -1) if many else read, tuple(after)

    def logits(self, features: Array) -> Array:
        """Logits [..., V] from features [..., F]."""
        return self.ops.matmul(features, self._output) + self._bias

    def products(self, place: int, read: Array) -> Array:
        """The input products x W [..., G] of a layer, from what it reads: see `Run`."""
        if place:
            return self.ops.matmul(read, self.layers[place].kernel)
        if self._table is not None:
            return self.ops.take(self._table, read, 0)
        return self.ops.matmul(self.ops.take(self.embeddings, read, 0), self.layers[0].kernel)


def run_step(stack: Stack, place: int, read: Array, state: State) -> tuple[Array, State]:
    """A `Run` of a single time step: the equations of the cell as they stand."""
    layer = stack.layers[place]
    z = stack.products(place, read)
    z += layer.weights["bias"]  # in NumPy in place: the products are nobody else's
    after = layer.cell.step(stack.ops, z, state, layer.weights)
    return after[0], after


def make_layer(ops: ArrayOps, config: ModelConfig, weights: Weights, number: int) -> Layer:
    """Layer number `number` of the network, counted from 1."""
    cell = config.make_cell()
    prepared = cell.prepare(ops, strip_prefix(weights, recurrent(number)))
    kernel = prepared.pop("kernel")
    return Layer(cell, kernel, prepared, strip_prefix(weights, norm(number)))


def layer_norm(ops: ArrayOps, x: Array, weights: Weights) -> Array:
    """Each row of x [..., U] at mean 0 and variance 1, scaled and shifted (Ba et al. 2016)."""
    centred = x - ops.mean(x, -1, keepdims=True)
    variance = ops.mean(ops.square(centred), -1, keepdims=True)
    return centred / ops.sqrt(variance + NORM_EPSILON) * weights["gamma"] + weights["beta"]
