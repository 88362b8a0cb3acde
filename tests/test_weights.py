"""docs/cells.md has the names, shapes and order of the weights."""

import re

import numpy as np
import pytest
from commands import untrained
from pages import DOCS, PAGES, python_blocks

from charrnn.cells import CELLS
from charrnn.cells.scrn import context
from charrnn.config import ModelConfig
from charrnn.models.language_model import load
from charrnn.network.weights import specify

PAGE = PAGES["cells.md"].partition("## Weights\n")[2]
SIZES = {"V": 11, "E": 5, "D": 3, "U": 17, "S": context(17), "B": 4}
ROWS = {
    name: [gates, state, weights]
    for name, gates, state, weights in re.findall(
        r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE
    )
}


def shape(text, **sizes):
    """A shape as the page writes it, in numbers: '3U' is 3 * U."""
    expressions = re.sub(r"(\d)([A-Z])", r"\1*\2", text).split(",")
    return tuple(eval(each, {}, SIZES | sizes) for each in expressions)


def shapes(row):
    """The weights that a row of the table names, with their shapes."""
    return {name: shape(text) for name, text in re.findall(r"`(\w+)` \[([^]]+)\]", row)}


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_has_the_weights_and_states_told(name):
    cell = CELLS[name]()
    _, state, weights = ROWS[name]
    specified = cell.weights(SIZES["D"], SIZES["U"])
    assert shapes(weights) == {own: weight.shape for own, weight in specified.items()}
    assert list(shapes(weights)) == list(specified)
    assert tuple(state.split(", ")) == cell.state_names


@pytest.mark.parametrize("name", sorted(CELLS))
def test_the_gates_stand_in_the_order_told(name):
    # That the order in the docstring is the true one, tests/test_cells.py shows.
    told = re.search(r"Gate order (\w(?:, \w\b)*)", CELLS[name].__doc__)
    gates = ROWS[name][0]
    assert gates == (told[1] if told else "–")
    assert CELLS[name].gates == len(gates.split(", "))


@pytest.mark.parametrize(
    "settings", [{}, {"layer_norm": True}, {"tie_embeddings": True, "units": 5}, {"embedding": 0}]
)
def test_every_tensor_told_is_there_and_no_other(settings):
    config = ModelConfig(**{"embedding": 5, "units": 17, **settings})
    told = {
        name.removeprefix("weights/"): shape(text, U=config.units)
        for names, text in re.findall(r"^\| (`weights/[^|]+`) \| \[([^]]+)\]", PAGE, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", names)
    }
    cell = ("recurrent_1/kernel", "recurrent_1/recurrent_kernel", "recurrent_1/bias")
    for name, weight in specify(config, SIZES["V"]).items():
        assert name in cell or told[name] == weight.shape
    expected = {*cell, *told}
    if not config.layer_norm:
        expected -= {"norm_1/gamma", "norm_1/beta"}
    if not config.embedding:
        expected -= {"embedding/embeddings"}
    if config.tie_embeddings:
        expected -= {"logits/kernel"}
    assert expected == specify(config, SIZES["V"]).keys()


def test_what_the_page_computes_runs(capsys):
    untrained()
    with_charrnn, without = python_blocks(DOCS / "cells.md").values()
    space = {}
    exec(compile(with_charrnn, "cells.md", "exec"), space)
    assert "recurrent_1/kernel (4, 32)" in capsys.readouterr().out
    weights = load("fox").checkpoint.weights["recurrent_1/recurrent_kernel"]
    np.testing.assert_array_equal(space["f"], weights[:, 8:16])
    exec(compile(without, "cells.md", "exec"), {})
    assert capsys.readouterr().out == "(4, 32)\n"
