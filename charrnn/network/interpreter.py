"""Running a recorded step in NumPy: what the operations mean, in as few lines as they take.

A program in another language that does the same runs every network.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from charrnn.cells import arrays
from charrnn.network.recording import Operation, Recording

BY_NAME = {
    **{name: getattr(np, name) for name in ("add", "subtract", "multiply", "divide")},
    **{name: getattr(np, name) for name in ("maximum", "minimum", "mod", "matmul", "transpose")},
    **{name: getattr(np, name) for name in ("sign", "sqrt", "square", "tanh", "zeros_like")},
    "sigmoid": arrays.sigmoid,
    "softplus": arrays.softplus,
    "take": lambda table, ids: table[ids],
}


class Interpreter:
    """A recording with its weights; `read` takes one character of each text."""

    def __init__(self, recording: Recording, weights: Mapping[str, np.ndarray]) -> None:
        self._recording, self._weights = recording, weights
        self.prepared = self._run(recording["prepare"], [], {})
        """The results of the operations that are computed once."""
        self._values = self.prepared

    def start(self, count: int) -> None:
        widths = self._recording["states"].items()
        self.state = {name: np.zeros((count, width), np.float32) for name, width in widths}

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Logits [B, V] after one more character of each text, ids int [B]."""
        given = {"ids": ids, **self.state}
        self._values = self._run(self._recording["step"], self.prepared, given)
        after = map(self.value, self._recording["state"])
        self.state = dict(zip(self.state, after, strict=True))
        return self.value(self._recording["logits"])

    def value(self, number: int) -> np.ndarray:
        return self._values[number]

    def _run(
        self, operations: list[Operation], before: list, given: Mapping[str, np.ndarray]
    ) -> list[np.ndarray]:
        values, given = list(before), {**self._weights, **given}
        for name, numbers, more in operations:
            inputs = [values[number] for number in numbers]
            match name:
                case "constant":
                    values.append(np.asarray(more, np.float32))
                case "weight" | "state" | "ids":
                    values.append(given[more or name])
                case "index":
                    values.append(inputs[0][tuple(map(index_of, more))])
                case "concatenate":
                    values.append(np.concatenate(inputs, more))
                case "mean":
                    values.append(inputs[0].mean(more, keepdims=True))
                case _:
                    values.append(BY_NAME[name](*inputs))
        return values


def index_of(place: object) -> object:
    """A place of an index from its data: a number, a slice, or a new axis."""
    if isinstance(place, Iterable) and place != "new":
        return slice(*place)
    return None if place == "new" else place
