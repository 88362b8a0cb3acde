"""Optimizers by name, and why their constants are what they are.

A new one is a function here under `@register`; `optimizer` then takes its name. It is handed
Keras and the settings, so that this file imports no framework.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from charrnn.config import TrainingConfig
from charrnn.errors import ConfigError
from charrnn.plugins import Table

if TYPE_CHECKING:
    from types import ModuleType

    import keras

Make = Callable[["ModuleType", TrainingConfig], "keras.optimizers.Optimizer"]
"""From the module `keras` and the settings to an optimizer. The learning rate is assigned
before each step; gradients come clipped."""
OPTIMIZERS: Table[Make] = Table("optimizer")
"""Every optimizer by name."""

BETA_2 = 0.99
"""Share of the old mean of the squared gradients that is kept at each step. Not the usual
0.999 (Kingma and Ba 2015), which remembers a thousand steps: a plan of
two minutes has two thousand, and the loss falls faster where the memory is a hundred."""


def register(make: Make) -> Make:
    """Put a function into the table of optimizers, under its own name.

    Raises:
        ConfigError: There is an optimizer of this name already.
    """
    return OPTIMIZERS.add(make.__name__, make)


@register
def adamw(keras: "ModuleType", config: TrainingConfig) -> "keras.optimizers.Optimizer":
    return keras.optimizers.AdamW(
        weight_decay=config.weight_decay, beta_1=config.beta_1, beta_2=BETA_2, name="adamw"
    )


def find_optimizer(config: TrainingConfig) -> Make:
    """The optimizer that the settings name; ConfigError where there is none of that name."""
    try:
        return OPTIMIZERS[config.optimizer]
    except KeyError:
        known = ", ".join(OPTIMIZERS)
        raise ConfigError(f"must be one of {known}", {"optimizer": config.optimizer}) from None
