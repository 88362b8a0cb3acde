"""How weights start: functions of (random generator, shape) that return a float32 array."""

import math
from collections.abc import Callable

import numpy as np

Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape, np.float32)


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform in ±sqrt(6 / (rows + columns)) (Glorot and Bengio 2010)."""
    limit = math.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def ones(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, np.float32)


def unit_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform between 0 and 1."""
    return rng.random(shape, np.float32)


def unit_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with deviation 1/sqrt(columns): each row has length about 1."""
    normal: np.ndarray = rng.standard_normal(shape)
    return (normal / math.sqrt(shape[1])).astype(np.float32)


def small_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with deviation 0.001."""
    return (0.001 * rng.standard_normal(shape)).astype(np.float32)


def identity(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.eye(*shape, dtype=np.float32)


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Orthonormal columns, or rows where the matrix is wide (Saxe et al. 2014)."""
    rows, columns = shape
    gaussian = rng.standard_normal((max(shape), min(shape)))
    q, r = np.linalg.qr(gaussian)
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).astype(np.float32)


def forget_bias(gate: int, gates: int) -> Initializer:
    """Zero, but 1 in the block of the forget gate (Gers et al. 2000; Jozefowicz et al. 2015)."""

    def initialize(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        bias = np.zeros((gates, shape[0] // gates), np.float32)
        bias[gate] = 1
        return bias.reshape(shape)

    return initialize
