"""The programs of examples/, imported from their files and run at a tiny size."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from click.testing import CliRunner

FOLDER = Path(__file__).parent.parent / "examples"


def load_example(name: str) -> ModuleType:
    """The example as a module; its neighbours can be imported by it, as when it is run."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    return importlib.import_module(name)


def run_example(name: str, *arguments: str) -> str:
    """What the example prints when it is run with these arguments."""
    result = CliRunner().invoke(load_example(name).main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
