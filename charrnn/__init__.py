"""charrnn: character-level text generation with recurrent networks.

import charrnn

for event in charrnn.train("corpus.txt", time="2m"):
    print(event)
print(charrnn.load("corpus").generate("ROMEO:", temperature=0.8))
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "1.0.0"


if TYPE_CHECKING:
    from charrnn.errors import CharrnnError
    from charrnn.exporting.exporting import export_model
    from charrnn.importing.importing import import_model
    from charrnn.models.language_model import Blend, LanguageModel, blend, evaluate, generate, load
    from charrnn.sweeps.sweep import sweep, sweep_results
    from charrnn.training.train import train

__all__ = [
    "Blend",
    "CharrnnError",
    "LanguageModel",
    "__version__",
    "blend",
    "evaluate",
    "export_model",
    "generate",
    "import_model",
    "load",
    "sweep",
    "sweep_results",
    "train",
]

_HOMES = {
    "train": "charrnn.training.train",
    "load": "charrnn.models.language_model",
    "blend": "charrnn.models.language_model",
    "sweep": "charrnn.sweeps.sweep",
    "sweep_results": "charrnn.sweeps.sweep",
    "generate": "charrnn.models.language_model",
    "export_model": "charrnn.exporting.exporting",
    "import_model": "charrnn.importing.importing",
    "evaluate": "charrnn.models.language_model",
    "Blend": "charrnn.models.language_model",
    "LanguageModel": "charrnn.models.language_model",
    "CharrnnError": "charrnn.errors",
}

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
