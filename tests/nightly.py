"""Which cases of a long table every run tries; `pytest -m nightly` tries the others."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

CELLS = ("lstm", "gru", "coupled", "peephole", "clockwork", "scrn", "minlstm")
"""Those that differ in what runs them: gradients by hand and by tape, one weight more, two parts
of a state, weights that are prepared, and no recurrent product."""


def mostly(cases: Iterable[Any], always: Callable[[Any], bool]) -> list[Any]:
    """The cases as parameters, of which those that are not `always` tried are nightly."""
    return [pytest.param(each, marks=() if always(each) else pytest.mark.nightly) for each in cases]


def cells(names: Iterable[str]) -> list[Any]:
    return mostly(sorted(names), CELLS.__contains__)
