"""The programs that are shown with a file: they read it without charrnn, and write a text.

Each format has lines of its own, which define `facts`, and `step`: the logits [V] after one more
character, by its id. The lines that draw the characters are the same for all formats.
"""

import json
from collections.abc import Callable
from pathlib import Path

WRITING = """\
characters, temperature = facts["vocabulary"]["characters"], 0.8
ids = {character: number for number, character in enumerate(characters)}
text = "\\n"  # charrnn reads a line's end before every text
for _ in range(200):
    logits = step(ids.get(text[-1], len(ids)))  # the last id stands for unknown characters
    logits = logits[:-1].astype(float)
    p = np.exp((logits - logits.max()) / temperature)
    text += np.random.choice(list(characters), p=p / p.sum())
if facts["network"]["direction"] == "backward":
    text = text[::-1]
if facts["vocabulary"]["byte_level"]:
    text = text.encode("latin-1").decode("utf-8", "replace")
print(text.strip())"""


def program(reading: str) -> Callable[[Path], str]:
    """A program from a format's lines, in which "PATH" is the file's name."""
    lines = f"{reading.strip()}\n\n\n{WRITING}"
    return lambda path: lines.replace('"PATH"', json.dumps(str(path)))
