"""The examples run, at a tiny size."""

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from examples_in_hand import load_example
from pages import PAGES

import charrnn

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = [p for p in sorted(EXAMPLES.glob("*.py")) if "__main__" in p.read_text("utf-8")]
TINY = {
    'time="2m"': "steps=3, units=8, batch_size=4, seq_length=10",
    'time="1m"': "steps=2",
    "length=300": "length=20",
}


@pytest.fixture(scope="module")
def notebook():
    return json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))


def sources(notebook, kind):
    """The text of the notebook's cells of a kind."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_one_and_holds_no_outputs(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            keys |= {"execution_count", "outputs"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
        assert cell.keys() == keys


@pytest.mark.usefixtures("corpus", "eagerly")
def test_the_notebook_runs(notebook, capsys):
    space = {}
    for cell in sources(notebook, "code"):
        for size, tiny in TINY.items():
            cell = cell.replace(size, tiny)
        exec(compile(cell, "notebook.ipynb", "exec"), space)
    shown = capsys.readouterr()
    assert "step 3: validation" in shown.out
    assert "3/3" in shown.err  # the bar of the first training
    assert "5/5" in shown.err  # and of the one that went on
    assert charrnn.load("notebook", which="last").checkpoint.progress.step == 5


def test_what_the_notebook_shortens_is_there(notebook):
    code = "\n".join(sources(notebook, "code"))
    assert all(size in code for size in TINY)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_says_what_to_expect_has_a_test_and_a_row_on_its_page(path):
    assert "What to expect: " in ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert (Path(__file__).parent / f"test_example_{path.stem}.py").exists()
    assert f"](../examples/{path.name}) |" in PAGES["examples.md"]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_no_program_takes_a_number_of_units_below_one(path):
    result = CliRunner().invoke(load_example(path.stem).main, ["--units", "0"])
    assert result.exit_code == 2
    assert "0 is not in the range x>=1" in result.output
