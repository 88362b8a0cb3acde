"""Imports point one way, and TensorFlow is reached only where it is meant to be.

What is imported is read from the source, so that a lazily imported module counts too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import charrnn
from charrnn.cli.registry import COMMANDS

PACKAGE = Path(charrnn.__file__).parent
LAYERS = (
    ("charrnn.errors", "charrnn.types", "charrnn.version"),
    ("charrnn.files", "charrnn.tables", "charrnn.plain", "charrnn.extras"),
    ("charrnn.progress", "charrnn.tensor_file"),
    ("charrnn.cells",),
    ("charrnn.config",),
    ("charrnn.network",),
    ("charrnn.recipes",),
    ("charrnn.text",),
    ("charrnn.checkpoints", "charrnn.runs", "charrnn.score"),
    ("charrnn.summary", "charrnn.moving"),
    ("charrnn.outputs",),
    ("charrnn.model",),
    ("charrnn.evaluation", "charrnn.dynamic", "charrnn.layers"),
    ("charrnn.sampling",),
    ("charrnn.text_model", "charrnn.recording", "charrnn.inspection"),
    ("charrnn.training", "charrnn.language_model"),
    ("charrnn.loading",),
    ("charrnn.mixing", "charrnn.curves", "charrnn.export", "charrnn.importing"),
    ("charrnn.plotting", "charrnn.page", "charrnn.sweeps"),
    ("charrnn",),  # what `import charrnn` offers
    ("charrnn.cli",),
    ("charrnn.__main__",),
)
"""A module imports from its own folder and from the lines above its own; never sideways."""
HEAVY = ("tensorflow", "keras", "tqdm", "matplotlib", "optuna")
LIGHT = (
    "charrnn",
    "charrnn.errors",
    "charrnn.extras",
    "charrnn.curves",
    "charrnn.plotting",
    "charrnn.export.*",
    "charrnn.importing.*",
    "charrnn.files",
    "charrnn.config",
    "charrnn.config.*",
    "charrnn.checkpoints",
    "charrnn.runs",
    "charrnn.moving",
    "charrnn.outputs",
    "charrnn.text_model",
    "charrnn.language_model",
    "charrnn.loading",
    "charrnn.mixing",
    "charrnn.sampling.instant",
    "charrnn.sampling.activity",
    "charrnn.sampling.filters",
    "charrnn.sampling.engines",
    "charrnn.sampling.decoding",
    "charrnn.sampling.endings",
    "charrnn.sampling.constraints",
    "charrnn.sampling.groups",
    "charrnn.sampling.narrowing",
    "charrnn.sampling.search",
    "charrnn.sampling.blending",
    "charrnn.sampling.novelty",
    "charrnn.sampling.states",
    "charrnn.sampling.track",
    "charrnn.sampling.writing",
    "charrnn.sampling.noise",
    "charrnn.inspection.*",
    "charrnn.network.*",
    "charrnn.progress",
    "charrnn.recipes.*",
    "charrnn.page.*",
    "charrnn.recording.*",
    "charrnn.score",
    "charrnn.summary",
    "charrnn.sweeps.*",
    "charrnn.tables",
    "charrnn.training.loop",
    "charrnn.plain",
    "charrnn.tables",
    "charrnn.tensor_file",
    "charrnn.training.optimizers",
    "charrnn.training.ranks",
    "charrnn.training.loggers",
    "charrnn.training.advice",
    "charrnn.training.history",
    "charrnn.training.sample_file",
    "charrnn.types",
    "charrnn.version",
    "charrnn.text.*",
    "charrnn.cells.*",
    "charrnn.cli.*",
)
"""Modules that import nothing heavy, however far one follows."""
HEAVY_ITSELF = ("charrnn.cli.progress", "charrnn.cli.sweeping")


def name_of(path: Path) -> str:
    """The module in a file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(tree: ast.AST, *, lazily: bool) -> Iterator[str]:
    """Modules that a file imports; with `lazily`, also within functions and for typing alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in names)
        elif lazily or not is_lazy(node):
            yield from imported(node, lazily=lazily)


def is_lazy(node: ast.AST) -> bool:
    """Whether a node's contents do not run when the module is imported."""
    typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return typing_only or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


@cache
def imports(module: str, *, lazily: bool) -> tuple[str, ...]:
    """What a module of ours imports, in order."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return tuple(dict.fromkeys(imported(tree, lazily=lazily)))


def loaded(module: str) -> Iterator[str]:
    """What Python loads at once for `import module`: its packages, and what it imports."""
    parts = module.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts)))
    if module in MODULES:
        yield from imports(module, lazily=False)
    if module in ("charrnn.cells", "charrnn.export"):  # which import every file beside them
        yield from (name for name in MODULES if name.startswith(f"{module}."))


def layer(module: str) -> int:
    """The place of a module's layer."""
    top = ".".join(module.split(".")[:2])
    return next(place for place, names in enumerate(LAYERS) if top in names)


def folder(module: str) -> str:
    """What a module may import from freely: its own folder below the package."""
    return ".".join(module.split(".")[:2])


def ours(module: str) -> list[str]:
    """The modules of this package that a module imports, lazily or not."""
    return [name for name in imports(module, lazily=True) if name in MODULES]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_back_along_the_road(module: str) -> None:
    forbidden = [
        name
        for name in ours(module)
        if folder(name) != folder(module) and layer(name) >= layer(module)
    ]
    assert not forbidden, f"{module} is below or beside {forbidden}"


def test_imports_make_no_cycle() -> None:
    done: set[str] = set()

    def follow(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in ours(module):
                follow(name, (*path, module))
            done.add(module)

    for module in MODULES:
        follow(module, ())
    assert done == set(MODULES)


def way_to_heavy(module: str) -> tuple[str, ...]:
    """How an import of the module comes to load something heavy; empty where it does not."""
    paths: list[tuple[str, ...]] = [(module,)]
    seen = {module}
    for path in paths:
        if path[-1].split(".")[0] in HEAVY:
            return path
        for name in loaded(path[-1]):
            if name not in seen:
                seen.add(name)
                paths.append((*path, name))
    return ()


def light() -> list[str]:
    """The modules that are to stay light."""
    stars = tuple(name.removesuffix(".*") for name in LIGHT if name.endswith(".*"))
    chosen = [name for name in MODULES if name in LIGHT or name.startswith(stars)]
    return [name for name in chosen if name not in HEAVY_ITSELF]


@pytest.mark.parametrize("module", light())
def test_light_modules_import_nothing_heavy(module: str) -> None:
    assert " -> ".join(way_to_heavy(module)) == ""


def test_the_search_does_find_what_is_heavy() -> None:
    for module in (
        "charrnn.model.network",
        "charrnn.layers",
        "charrnn.training.begin",
        "charrnn.sampling.graph",
    ):
        assert way_to_heavy(module)[-1] in {"tensorflow", "keras"}
    assert way_to_heavy("charrnn.cli.progress")[-1] == "tqdm"
    assert set(light()) >= {
        "charrnn.cli.commands.train",
        "charrnn.cells.lstm",
        "charrnn.text_model",
    }


COMMAND_LINES = [
    ["--help"],
    ["--version"],
    [],
    ["no-such-command"],
    *([command, "--help"] for command in COMMANDS.present),
    ["page", "no-such-run"],
    ["page", "--precision", "8"],
    ["train", "--no-such-option"],
    ["train", "--units", "many"],
    ["train", "--time", "soon"],
    ["sample", "--seed", "-1"],
    ["sample", "--prompt-file", "nowhere.txt"],
    ["evaluate", "--which", "worst"],
    ["info", "one", "two"],
    ["plot", "no-such-run"],
    ["info"],
    ["list"],
    ["list", "--json"],
    ["cells"],
    ["sample", "no-such-run"],
    ["export", "no-such-run", "--to", "keras", "-o", "no.keras"],
    ["import", "no-such-file"],
    ["import", "no-such-file", "--order", "backward"],
    ["export", "--to", "no-such-format", "-o", "no.onnx"],
    ["evaluate", "no-such-run"],
]
SCRIPT = f"""
import sys
from charrnn.cli import main
for line in {COMMAND_LINES}:
    try:
        main(line)
    except SystemExit:
        pass
    found = {set(HEAVY)} & set(sys.modules)
    assert not found, (line, found)
print("done")
"""


def test_help_and_usage_errors_leave_tensorflow_unimported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
    assert "no such option" in done.stderr
