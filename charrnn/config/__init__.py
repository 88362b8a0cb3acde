"""Every setting with its default, its limits and its line of help, checked at birth.

The command line makes its options from these fields and the library takes them as
keyword arguments, so a new setting is a new line in one of these files.
"""

from charrnn.config.config import GROUPS, Config, TextConfig
from charrnn.config.model import MOST_LAYERS, ModelConfig
from charrnn.config.sampling import SamplingConfig
from charrnn.config.training import MOST_PARTS, Plan, TrainingConfig, parse_duration

__all__ = [
    "GROUPS",
    "MOST_LAYERS",
    "MOST_PARTS",
    "Config",
    "ModelConfig",
    "Plan",
    "SamplingConfig",
    "TextConfig",
    "TrainingConfig",
    "parse_duration",
]
