"""Several models writing one text: a weighted mean of their distributions.

Probabilities leave open what is added to all logits, and the repetition penalty depends on it:
it divides or multiplies. So a blend's logits are the logarithms of the mixed probabilities p,
plus the mean of the models' normalisers Z in the same weights:

    l = log Σ w_m p_m + Σ w_m log Z_m        p_m = exp(l_m) / Z_m, Z_m = Σ exp(l_m), Σ w_m = 1

A blend of one model, or of equal ones, has that model's logits.
"""

import numpy as np

from charrnn.sampling.engines import Engine, read_logits
from charrnn.types import State


class BlendedEngine:
    """An engine whose probabilities are Σ w_m p_m over the engines m, Σ w_m = 1."""

    def __init__(self, engines: list[Engine], weights: list[float]) -> None:
        self._engines = engines
        self._weights = np.array(weights) / sum(weights)

    @property
    def takes_any_size(self) -> bool:
        """Whether all the engines do."""
        return all(engine.takes_any_size for engine in self._engines)

    @property
    def state(self) -> State:
        """The engines' states, one after the other."""
        return tuple(part for engine in self._engines for part in engine.state)

    @state.setter
    def state(self, state: State) -> None:
        for engine in self._engines:
            own = len(engine.state)
            engine.state, state = state[:own], state[own:]

    def start(self, count: int) -> None:
        for engine in self._engines:
            engine.start(count)

    def select(self, rows: np.ndarray) -> None:
        for engine in self._engines:
            engine.select(rows)

    def read(self, ids: np.ndarray) -> np.ndarray:
        """The blend's logits [B, V]; see above."""
        logits = [read_logits(engine, ids) for engine in self._engines]
        normalisers = [np.logaddexp.reduce(each, -1, keepdims=True) for each in logits]
        terms = zip(self._weights, logits, normalisers, strict=True)
        log_p = np.logaddexp.reduce([each - log_z + np.log(w) for w, each, log_z in terms])
        blended: np.ndarray = log_p + np.tensordot(self._weights, np.array(normalisers), 1)
        return blended
