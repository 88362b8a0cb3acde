"""Imports point one way, and TensorFlow is reached only where it is meant to be.

What is imported is read from the source, so that a lazily imported module counts too.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import charrnn
from charrnn.cli.usage import COMMANDS

PACKAGE = Path(charrnn.__file__).parent
ROOMS = [
    "errors",
    "types",
    "files",
    "plugins",
    "checked_json",
    "cells",
    "config",
    "network",
    "text",
    "runs",
    "tf",
    "layers",
    "sampling",
    "models",
    "training",
    "sweeps",
    "importing",
    "exporting",
    "page",
    "cli",
    "__main__",
]
"""The road of the data: a module imports from its own room and from those named before it."""
TENSORFLOW = ("tensorflow", "keras")
MAY_IMPORT_TENSORFLOW = re.compile(r"charrnn\.(tf|layers|training|sampling\.graph)\b")
"""Every other module can be imported without TensorFlow, however far one follows."""


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
            if names == ["charrnn.__version__"]:  # stands there before anything is imported
                continue
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
    if module in ("charrnn.cells", "charrnn.exporting"):  # which import every file beside them
        yield from (name for name in MODULES if name.startswith(f"{module}."))


def ours(module: str) -> list[str]:
    """The modules of this package that a module imports, lazily or not."""
    return [name for name in imports(module, lazily=True) if name in MODULES]


def place(module: str) -> int:
    """Where a module's room stands; `charrnn` itself offers what all the rooms have."""
    return ROOMS.index(module.split(".")[1]) if "." in module else ROOMS.index("cli")


def test_imports_point_back_along_the_road() -> None:
    back = [
        f"{module} imports {name}"
        for module in MODULES
        for name in ours(module)
        if place(name) > place(module)
    ]
    assert not back


def test_no_two_files_share_a_name() -> None:
    names = [module.rpartition(".")[2] for module in MODULES]
    packages = {module.rpartition(".")[0] for module in MODULES}
    files = [name for name, module in zip(names, MODULES, strict=True) if module not in packages]
    assert sorted(files) == sorted(set(files))


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


def path_to_tensorflow(module: str) -> tuple[str, ...]:
    """How an import of the module comes to load TensorFlow; empty where it does not."""
    paths: list[tuple[str, ...]] = [(module,)]
    seen = {module}
    for path in paths:
        if path[-1].split(".")[0] in TENSORFLOW:
            return path
        for name in loaded(path[-1]):
            if name not in seen:
                seen.add(name)
                paths.append((*path, name))
    return ()


def test_tensorflow_is_imported_where_it_may_be() -> None:
    paths = {module: path_to_tensorflow(module) for module in MODULES}
    assert paths["charrnn.tf.network"]
    assert paths["charrnn.layers"]
    assert not [
        path for name, path in paths.items() if path and not MAY_IMPORT_TENSORFLOW.match(name)
    ]


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
    found = {{"tensorflow", "keras", "tqdm", "matplotlib", "optuna"}} & set(sys.modules)
    assert not found, (line, found)
print("done")
"""


def test_help_and_usage_errors_leave_tensorflow_unimported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
    assert "no such option" in done.stderr
