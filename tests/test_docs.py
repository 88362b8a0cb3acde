"""The pages in docs/ tell of every cell, and name only what exists."""

import re
from pathlib import Path

import pytest
from commands import charrnn

from charrnn.cells import CELLS

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}


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
def test_every_cell_is_in_the_help(name):
    shown = " ".join(charrnn("train", "--help").out.split())
    assert f" {name}, {CELLS[name].summary}" in shown


@pytest.mark.parametrize("page", sorted(PAGES))
def test_options_and_files_named_exist(page):
    text = PAGES[page]
    shown = "".join(charrnn(command, "--help").out for command in ("train", "sample"))
    scripts = "".join(path.read_text() for path in DOCS.parent.glob("benchmarks/*.py"))
    for option in re.findall(r"--[a-z][a-z-]+", text):
        assert option in shown + scripts
    for path in re.findall(r"\b(?:charrnn|benchmarks|tests|docs)/[\w/]+(?:\.\w+)?", text):
        assert (DOCS.parent / path).exists(), path
