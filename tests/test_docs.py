"""README and the pages in docs/ show commands and programs that run, and name what exists."""

import re
import shutil
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import old_models
import pytest
from click.testing import CliRunner
from commands import charrnn, untrained
from conftest import SMALL, TEXT
from graphs import without_xla
from pages import DOCS, PAGES, ROOT, python_blocks, shown_commands

import charrnn as library
from charrnn.cells import CELLS
from charrnn.cli import main
from charrnn.cli.usage import COMMANDS
from charrnn.exporting.exporting import FORMATS
from charrnn.models.language_model import load
from charrnn.sampling.filters import FILTERS, log_softmax
from charrnn.tf.start import tf
from charrnn.training.optimizers import OPTIMIZERS

RUNS = ("shakespeare", "tinyshakespeare", "names", "tunes", "c", "tang_poems_zh", "corpus")
NAMES = [["train"], ["export"], ["import"], ["sweep"]]
"""Commands that sentences name without what they need."""
MARKDOWN = [path for pattern in ("*.md", "*/*.md") for path in sorted(ROOT.glob(pattern))]
SOURCES = [*MARKDOWN, *ROOT.glob("charrnn/**/*.py"), *ROOT.glob("examples/*")]


# -- Commands ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that has been trained for two steps and evaluated."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "fox.txt").write_text(TEXT * 2, encoding="utf-8")
    settings = {**SMALL, "steps": 2, "eval_every": 1, "checkpoints": folder}
    tf.config.run_functions_eagerly(True)
    list(library.train(folder / "fox.txt", **settings))
    tf.config.run_functions_eagerly(False)
    return folder / "fox"


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_command_shown_runs(page, trained):
    for run in RUNS:
        shutil.copytree(trained, f"checkpoints/{run}")
    for program, *words in shown_commands(PAGES[page]):
        if program == "pip":
            check_extras(words)
        elif program == "python":
            check_script(words)
        elif words in NAMES:
            assert words[0] in COMMANDS.present
        elif words != ["train", "--time", "2m"]:  # the main job: see test_readme.py
            write_files(words)
            tf.config.run_functions_eagerly("--dynamic" not in words)  # it takes hundreds of steps
            with without_xla():
                done = charrnn(*tiny(words))
            assert done.status == 0, f"charrnn {' '.join(words)}\n{done.err}"


def check_extras(words):
    """Assert that the extras in an installation's words exist."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    for extras in re.findall(r"^\.\[(.*)\]$", "\n".join(words), re.MULTILINE):
        for extra in extras.split(","):
            assert extra in setup["options.extras_require"]


def check_script(words):
    """Assert that a program of the repository exists, and has the options."""
    source = (ROOT / words[0]).read_text("utf-8") if "/" in words[0] else ""
    for option in (word[2:] for word in words if source and re.fullmatch("--[a-z-]+", word)):
        assert re.search(rf'"--{option}|\b{option.replace("-", "_")}\b', source), option


def write_files(words):
    """Write the texts that a command names, and the old model of torch-rnn."""
    for word in words[1:]:
        path = Path(word.replace("*", "a").replace("[ch]", "c"))
        if path.suffix in (".txt", ".abc", ".c") and not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(TEXT, encoding="utf-8")
        elif path.suffix == ".t7":
            path.write_bytes(old_models.torch_rnn(old_models.Net()))
        elif word.endswith("/"):
            path.mkdir()
            (path / "a.txt").write_text(TEXT, encoding="utf-8")


def tiny(words):
    """Return the words of a command that learns little, and quickly."""
    if words[0] not in ("train", "sweep") or "--show" in words:
        return words
    plan, network = ["--steps", 1, "--sample-every", 0, "--eval-chars", 50], []
    if not {"--resume", "--init-from"} & {*words}:
        network = ["--units", 8, "--embedding", 4, "--batch-size", 4, "--seq-length", 10]
    if words[0] == "sweep":
        plan += ["--seeds", 1, "--trials", 1]
    elif "--resume" not in words:
        plan += ["--overwrite"]
    sizes = ("--time", "--units", "--layers", "--trials", "--seeds")
    kept = [w for before, w in zip(["", *words], words, strict=False) if not {before, w} & {*sizes}]
    return [*kept, *plan, *network]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_shown_is_the_shell_s(shell, monkeypatch):
    assert f"_CHARRNN_COMPLETE={shell}_source charrnn" in PAGES["train.md"]
    monkeypatch.setenv("_CHARRNN_COMPLETE", f"{shell}_source")
    script = CliRunner().invoke(main, [], prog_name="charrnn").output
    assert f"_CHARRNN_COMPLETE={shell}_complete" in script


# -- Programs ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("corpus", "eagerly")
@pytest.mark.parametrize(("page", "count"), [("python.md", 1), ("sweep.md", 1), ("layers.md", 2)])
def test_the_programs_shown_run(page, count):
    Path("another.txt").write_text("the dog\n", encoding="utf-8")
    sizes = {
        'time="2m", units=256': "steps=2, units=8, sample_every=0",
        'units="64..256", trials=10, steps=2000': 'units="8..10", trials=1, steps=1, seeds=1',
    }
    space = {"print": lambda *_, **__: None}
    for block in list(python_blocks(DOCS / page).values())[:count]:
        for size, small in sizes.items():
            block = block.replace(size, small)
        exec(compile(block, page, "exec"), space)


@pytest.fixture
def tables_as_they_were(monkeypatch):
    for table in (CELLS, COMMANDS, FILTERS, FORMATS, OPTIMIZERS):
        monkeypatch.setattr(table, "_items", table.present)


@pytest.mark.usefixtures("tables_as_they_were", "eagerly")
def test_what_contributing_adds_works(corpus, train):
    for name, block in python_blocks(ROOT / "CONTRIBUTING.md").items():
        assert (ROOT / name).parent.is_dir(), name
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


def test_the_files_named_on_a_character_s_way_exist():
    for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", PAGES["architecture.md"]):
        assert (ROOT / path).exists() or (ROOT / "charrnn" / path).exists(), path


def test_the_map_shows_every_file_and_no_other():
    (drawn,) = re.findall(r"```\n(errors\.py.*?)```", PAGES["architecture.md"], re.DOTALL)
    named = set(re.findall(r"[a-z0-9_]+\.py", drawn))
    package = ROOT / "charrnn"
    there = {path.name for path in package.rglob("*.py")} - {"__init__.py", "__main__.py"}
    cells = {path.name for path in package.glob("cells/*.py")}
    assert named - there == set()
    assert there - named - cells == set()


# -- Names and figures -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_has_its_rows(name):
    page, cell = PAGES["cells.md"], CELLS[name]
    assert f"\n| `{name}` | {cell.summary} | {cell.source} |\n" in page
    speed = rf"^\| `{name}` \| [\d,]+ \| [\d,]+ \| \d\.\d{{3}} \|$"
    assert re.search(speed, page, re.MULTILINE)
    assert re.search(rf"^\| `{name}` (\| \d+% ){{5}}\|$", page, re.MULTILINE)
    shown = " ".join(charrnn("cells").out.split())
    assert f"{name} {cell.summary} ({cell.source})" in shown


@pytest.mark.parametrize("page", sorted(PAGES))
def test_options_and_files_named_exist(page):
    text = PAGES[page]
    shown = "".join(charrnn(command, "--help").out for command in COMMANDS.present)
    scripts = "".join(path.read_text() for path in ROOT.glob("benchmarks/*.py"))
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
        assert option in shown + scripts + "--help --yes --logdir"
    for path in re.findall(r"\b(?:charrnn|benchmarks|tests|docs|findings)/[\w/]+(?:\.\w+)?", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        file, _, heading = link.partition("#")
        page = path.parent / file if file else path
        assert page.exists(), link
        assert not heading or heading in headings(page), link


def headings(page):
    """The page's headings as links name them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_table_has_its_head_and_no_gap(path):
    """Rows after an empty line are no table, but a paragraph full of bars."""
    for table in re.findall(r"(?:^\|.*\n)+", path.read_text(encoding="utf-8"), re.MULTILINE):
        assert re.match(r".*\n\|(?: ?-+ ?\|)+\n", table), table


def test_nobody_is_sent_to_the_other_charrnn():
    """On the package index that name belongs to another project."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install (-\S+ )*[\"']?charrnn(?!-keras)", text), path
