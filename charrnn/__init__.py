"""charrnn: character-level text generation with recurrent networks.

import charrnn

for event in charrnn.train("corpus.txt", time="2m"):
    print(event)
print(charrnn.load("corpus").generate("ROMEO:", temperature=0.8))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from charrnn.version import __version__

if TYPE_CHECKING:
    from charrnn.errors import CharrnnError
    from charrnn.export.exporting import export_model
    from charrnn.importing.importing import import_model
    from charrnn.models.blend import Blend, blend
    from charrnn.models.language_model import LanguageModel
    from charrnn.models.loading import evaluate, generate, load
    from charrnn.sweeps.sweeping import sweep, sweep_results
    from charrnn.training.loop import train

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
    "train": "charrnn.training.loop",
    "load": "charrnn.models.loading",
    "blend": "charrnn.models.blend",
    "sweep": "charrnn.sweeps.sweeping",
    "sweep_results": "charrnn.sweeps.sweeping",
    "generate": "charrnn.models.loading",
    "export_model": "charrnn.export.exporting",
    "import_model": "charrnn.importing.importing",
    "evaluate": "charrnn.models.loading",
    "Blend": "charrnn.models.blend",
    "LanguageModel": "charrnn.models.language_model",
    "CharrnnError": "charrnn.errors",
}

if not TYPE_CHECKING:  # a type checker reads the imports above

    def __getattr__(name: str) -> object:
        """Import what is asked for, when it is asked for: `import charrnn` costs nothing."""
        if name not in _HOMES:
            raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
