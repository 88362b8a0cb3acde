"""What README and the pages of docs/ show: their blocks of Python and their commands."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text("utf-8") for path in [ROOT / "README.md", *DOCS.glob("*.md")]}
PROGRAMS = ("charrnn", "pip", "python")
STARTS = "|".join([*PROGRAMS, "mpiexec", "srun"])


def python_blocks(path: Path) -> dict[str, str]:
    """Return the page's blocks of Python, by their first lines, which may name a file."""
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return {block.splitlines()[0].removeprefix("# "): block for block in blocks}


def shown_commands(page: str) -> list[list[str]]:
    """Return the words of each command on a page, in order.

    Commands stand in blocks, in indented lines, and in sentences between backquotes. `a && b` is
    two commands; of a launcher of MPI the command that it starts is taken; `> file` is left out.
    A line with a word in capitals is no command: the word stands for another.
    """
    shown = re.finditer(
        r"^```(\w*)\n(.*?)^```|^ {4}([^\n]*)$|`([^`]+)`", page, re.MULTILINE | re.DOTALL
    )
    commands = []
    for language, block, indented, sentence in (each.groups() for each in shown):
        if language == "python":
            continue
        lines = (block or indented or " ".join(sentence.split())).replace("\\\n", " ").splitlines()
        for line in lines:
            for part in re.sub(r" {2,}#.*| >.*", "", line).removeprefix("$ ").split(" && "):
                words = launched(shlex.split(part)) if re.match(rf"({STARTS}) ", part) else []
                if len(words) > 1 and not any(re.fullmatch("[A-Z]+", word) for word in words):
                    commands.append(words)
    return commands


def launched(words: list[str]) -> list[str]:
    """Return the command that MPI's launcher starts, or the command itself."""
    return next((words[at:] for at, word in enumerate(words) if word in PROGRAMS), [])
