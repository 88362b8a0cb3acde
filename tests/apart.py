"""Programs in processes of their own."""

import os
import subprocess
import sys
from typing import Any


def run_apart(program: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program in Python; it may import what the tests may."""
    found = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": found},
        text=True,
        check=False,
        **options,
    )
