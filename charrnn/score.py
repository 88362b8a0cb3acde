"""How well a model predicts a text: nats and bits per character, perplexity."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """The mean negative log-likelihood of a text's characters, each given those before it."""

    characters: int
    nats_per_char: float
    unknown: int = 0
    """How many of the characters are outside the vocabulary."""

    @property
    def bits_per_char(self) -> float:
        """The same in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp of the nats: among how many equal choices the model hesitates."""
        return math.exp(min(self.nats_per_char, 700.0))
