"""charrnn: character-level text generation with recurrent networks.

import charrnn

for event in charrnn.train("corpus.txt", time="2m"):
    print(event)
print(charrnn.load("corpus").generate("ROMEO:", temperature=0.8))
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "train": "charrnn.training.loop",
    "load": "charrnn.language_model",
    "blend": "charrnn.mixing",
    "generate": "charrnn.language_model",
    "evaluate": "charrnn.language_model",
    "LanguageModel": "charrnn.language_model",
    "CharrnnError": "charrnn.errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for: `import charrnn` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
