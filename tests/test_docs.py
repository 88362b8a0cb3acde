"""The pages in docs/ tell of every cell, and name only what exists."""

import re
from pathlib import Path

import numpy as np
import pytest
from commands import charrnn, untrained

from charrnn.cells import CELLS
from charrnn.cli.usage import COMMANDS
from charrnn.exporting.exporting import FORMATS
from charrnn.models.language_model import load
from charrnn.sampling.filters import FILTERS, log_softmax
from charrnn.training.optimizers import OPTIMIZERS

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}

MARKDOWN = [path for pattern in ("*.md", "*/*.md") for path in sorted(DOCS.parent.glob(pattern))]


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_has_its_row(name):
    cell = CELLS[name]
    assert f"\n| `{name}` | {cell.summary} | {cell.source} |\n" in PAGES["cells.md"]


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_is_in_the_results(name):
    speed = rf"^\| `{name}` \| [\d,]+ \| [\d,]+ \| \d\.\d{{3}} \|$"
    assert re.search(speed, PAGES["cells.md"], re.MULTILINE)
    assert re.search(rf"^\| `{name}` (\| \d+% ){{5}}\|$", PAGES["memory.md"], re.MULTILINE)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_is_listed(name):
    shown = " ".join(charrnn("cells").out.split())
    assert f"{name} {CELLS[name].summary} ({CELLS[name].source})" in shown


@pytest.mark.parametrize("page", sorted(PAGES))
def test_options_and_files_named_exist(page):
    text = PAGES[page]
    shown = "".join(charrnn(command, "--help").out for command in COMMANDS.present)
    scripts = "".join(path.read_text() for path in DOCS.parent.glob("benchmarks/*.py"))
    for option in re.findall(r"--[a-z][a-z-]+", text):
        assert option in shown + scripts
    for path in re.findall(r"\b(?:charrnn|benchmarks|tests|docs)/[\w/]+(?:\.\w+)?", text):
        assert (DOCS.parent / path).exists(), path


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_table_has_its_head_and_no_gap(path):
    """Rows after an empty line are no table, but a paragraph full of bars."""
    for table in re.findall(r"(?:^\|.*\n)+", path.read_text(encoding="utf-8"), re.MULTILINE):
        assert re.match(r".*\n\|(?: ?-+ ?\|)+\n", table), table


def python_blocks(path):
    """The page's blocks of Python, by the file that the first line names, if it does."""
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return {block.splitlines()[0].removeprefix("# "): block for block in blocks}


@pytest.fixture
def tables_as_they_were(monkeypatch):
    for table in (CELLS, COMMANDS, FILTERS, FORMATS, OPTIMIZERS):
        monkeypatch.setattr(table, "_items", table.present)


@pytest.mark.usefixtures("tables_as_they_were", "eagerly")
def test_what_contributing_adds_works(corpus, train):
    for name, block in python_blocks(DOCS.parent / "CONTRIBUTING.md").items():
        assert (DOCS.parent / name).parent.is_dir(), name
        exec(compile(block, name, "exec"), {"__name__": name})
    train(corpus, cell="leaky", optimizer="momentum", steps=2)
    assert len(load("corpus").generate(length=20, typical_p=0.5)) == 20
    outcome = charrnn("score", "corpus", "the dog")
    assert float(outcome.out) == pytest.approx(load("corpus").score("the dog").sum())
    assert charrnn("export", "corpus", "--to", "npz", "-o", "weights.npz").status == 0
    assert np.load("weights.npz").keys() == load("corpus").checkpoint.weights.keys()


def test_the_recording_shown_is_made_and_predicts_what_the_model_does(capsys):
    untrained()
    (block,) = python_blocks(DOCS / "architecture.md").values()
    space = {}
    exec(compile(block, "architecture.md", "exec"), space)
    assert "matmul" in capsys.readouterr().out
    p = np.exp(log_softmax(space["logits"].astype(np.float64)))[0, :-1]
    likeliest, expected = space["model"].next("To be", 1)[0]
    assert space["vocabulary"].characters[p.argmax()] == likeliest
    assert p.max() == pytest.approx(expected, abs=1e-6)


def test_the_map_shows_every_file_and_no_other():
    (drawn,) = re.findall(r"```\n(errors\.py.*?)```", PAGES["architecture.md"], re.DOTALL)
    named = set(re.findall(r"[a-z0-9_]+\.py", drawn))
    package = DOCS.parent / "charrnn"
    there = {path.name for path in package.rglob("*.py")} - {"__init__.py", "__main__.py"}
    cells = {path.name for path in package.glob("cells/*.py")}
    assert named - there == set()
    assert there - named - cells == set()
