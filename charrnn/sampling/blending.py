"""Several models writing one text: a weighted mean of their distributions."""

import numpy as np

from charrnn.sampling.engines import Engine
from charrnn.sampling.filters import log_softmax
from charrnn.types import State


class BlendedEngine:
    """An engine whose probabilities are Σ w_m p_m over the engines m, Σ w_m = 1."""

    def __init__(self, engines: list[Engine], weights: list[float]) -> None:
        self._engines = engines
        self._log_weights = np.log(np.array(weights) / sum(weights))

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
        """Log-probabilities [B, V]; the unknown symbol, last, has none."""
        each = [
            log_softmax(engine.read(ids)[:, :-1].astype(np.float64)) + weight
            for engine, weight in zip(self._engines, self._log_weights, strict=True)
        ]
        blended: np.ndarray = np.logaddexp.reduce(each)
        return np.pad(blended, ((0, 0), (0, 1)), constant_values=-np.inf)
