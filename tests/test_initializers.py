"""How weights start: the shapes, the spreads and the special blocks that the names promise."""

import math

import numpy as np
import pytest

from charrnn.cells import initializers
from charrnn.cells.initializers import (
    Initializer,
    forget_bias,
    glorot_uniform,
    identity,
    ones,
    orthogonal,
    small_normal,
    unit_normal,
    unit_uniform,
    zeros,
)

MATRICES = {
    "zeros": zeros,
    "ones": ones,
    "unit_uniform": unit_uniform,
    "glorot_uniform": glorot_uniform,
    "unit_normal": unit_normal,
    "orthogonal": orthogonal,
    "small_normal": small_normal,
    "identity": identity,
}
RANDOM = [glorot_uniform, unit_normal, unit_uniform, orthogonal, small_normal]


def start(initializer: Initializer, *shape: int, seed: int = 0) -> np.ndarray:
    return initializer(np.random.default_rng(seed), shape)


def test_every_initializer_of_the_module_is_tested_here() -> None:
    public = {
        name
        for name, value in vars(initializers).items()
        if getattr(value, "__module__", "") == initializers.__name__
    }
    assert public == {*MATRICES, "forget_bias"}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 12), (12, 3), (5, 5)])
def test_weights_have_the_shape_asked_for_in_float32(name: str, shape: tuple[int, int]) -> None:
    weights = start(MATRICES[name], *shape)
    assert weights.shape == shape
    assert weights.dtype == np.float32
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("initializer", RANDOM)
def test_the_generator_alone_decides_the_weights(initializer: Initializer) -> None:
    assert (start(initializer, 4, 6) == start(initializer, 4, 6)).all()
    assert (start(initializer, 4, 6) != start(initializer, 4, 6, seed=1)).any()


def test_zeros_are_zero_and_ones_are_one() -> None:
    assert not start(zeros, 7).any()
    assert (start(ones, 7) == 1).all()


def test_unit_uniform_fills_the_unit_interval() -> None:
    weights = start(unit_uniform, 10_000)
    assert 0 <= weights.min() < 0.01
    assert 0.99 < weights.max() <= 1
    assert not start(zeros, 3, 4).any()


@pytest.mark.parametrize("shape", [(40, 200), (200, 40)])
def test_glorot_fills_its_range_and_no_more(shape: tuple[int, int]) -> None:
    limit = math.sqrt(6 / sum(shape))
    weights = start(glorot_uniform, *shape)
    assert abs(weights).max() <= np.float32(limit)
    assert abs(weights).max() > 0.99 * limit
    assert weights.std() == pytest.approx(limit / math.sqrt(3), rel=0.03)
    assert abs(weights.mean()) < 0.03 * limit


def test_unit_normal_rows_have_length_one_on_average() -> None:
    lengths = np.linalg.norm(start(unit_normal, 300, 64), axis=1)
    assert lengths.mean() == pytest.approx(1, rel=0.03)


def test_small_normal_has_deviation_one_thousandth() -> None:
    weights = start(small_normal, 100, 200)
    assert weights.std() == pytest.approx(1e-3, rel=0.03)
    assert abs(weights.mean()) < 3e-5


def test_identity_changes_nothing() -> None:
    assert (start(identity, 4, 4) == np.eye(4)).all()


@pytest.mark.parametrize("shape", [(6, 6), (6, 24), (24, 6), (1, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, int]) -> None:
    q = start(orthogonal, *shape)
    product = q @ q.T if shape[0] <= shape[1] else q.T @ q
    assert product == pytest.approx(np.eye(min(shape)), abs=1e-6)


def test_orthogonal_is_uniform_over_rotations_and_reflections() -> None:
    """Without the correction of the signs, QR favours one sign on the diagonal."""
    draws = np.stack([start(orthogonal, 3, 3, seed=seed) for seed in range(400)])
    assert abs(draws.mean(axis=0)).max() < 0.12
    assert 0.4 < (np.linalg.det(draws) > 0).mean() < 0.6


@pytest.mark.parametrize(("gate", "gates"), [(0, 1), (1, 4), (3, 4), (0, 3)])
def test_the_forget_bias_is_one_in_its_gate_and_zero_elsewhere(gate: int, gates: int) -> None:
    units = 5
    bias = start(forget_bias(gate, gates), gates * units)
    assert bias.dtype == np.float32
    assert bias.shape == (gates * units,)
    expected = np.repeat(np.arange(gates) == gate, units).astype(np.float32)
    assert (bias == expected).all()
