"""The contract of a recurrent cell, and the registry.

A cell reads one character and moves its state:

    state_t = step(z_t, state_{t-1})        z_t = x_t W + b

The input products z_t are computed for all time steps before the loop; the recurrent ones
are the cell's own. Shapes: B batch, D inputs, U units, G = gates · U.

`Cell` is a step like any other, differentiated by machine. `Differentiated` has one recurrent
product and its gradient written out, for speed. `Linear` has none at all: its state is a
weighted sum, which needs no loop.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from charrnn.cells import initializers
from charrnn.cells.activations import ACTIVATIONS
from charrnn.cells.initializers import Initializer
from charrnn.errors import ConfigError

Array = Any  # a NumPy array or a tensor: cells know neither
State = tuple[Array, ...]
Gates = tuple[Array, ...]
Saved = tuple[Array, ...]
Weights = Mapping[str, Array]

RECURRENT_KERNEL = "recurrent_kernel"
"""The weight U [U, …] that the last output is multiplied with."""


class Weight(NamedTuple):
    """Shape and start of one weight, and how large an entry may become."""

    shape: tuple[int, ...]
    initializer: Initializer
    bound: float | None = None


class Cell(ABC):
    """A recurrent cell. A subclass sets the class attributes and writes `step`."""

    name: ClassVar[str]
    """What `--cell` calls it."""
    summary: ClassVar[str]
    """A line for `--help` and the docs."""
    source: ClassVar[str]
    """Authors and year of the paper."""
    gates: ClassVar[int] = 1
    """Blocks of U columns in W and b, in the order of the cell's docstring."""
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """Parts of the state, each [B, U]; the first is the cell's output."""
    activations: ClassVar[tuple[str, ...]] = ()
    """Choices of `--activation`, the default first; empty where the cell leaves none."""
    recurrent_activations: ClassVar[tuple[str, ...]] = ()
    """The same of `--recurrent-activation`: the gates' function."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Settings by name that suit this cell better than the common defaults."""

    def __init__(self, activation: str | None = None, recurrent_activation: str | None = None):
        self.activation = self._choose("activation", activation, self.activations)
        self.recurrent_activation = self._choose(
            "recurrent-activation", recurrent_activation, self.recurrent_activations
        )

    def _choose(self, option: str, asked: str | None, choices: tuple[str, ...]) -> Any:
        if asked is not None and asked not in choices:
            way_out = f"choose {' or '.join(choices)}" if choices else "leave it out"
            raise ConfigError(
                f"--{option} {asked}: not a choice of the cell {self.name}; {way_out}"
            )
        chosen = asked or next(iter(choices), None)
        return chosen and ACTIVATIONS[chosen]

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        """Shapes and initialisers by Keras's names: W [D, G], U [U, G], b [G]."""
        columns = self.gates * units
        return {
            "kernel": Weight((inputs, columns), initializers.glorot_uniform),
            "recurrent_kernel": Weight((units, columns), initializers.orthogonal),
            "bias": Weight((columns,), initializers.zeros),
        }

    def prepare(self, ops: Any, weights: Weights) -> dict[str, Array]:
        """The weights as `step` wants them, made once before the loop.

        `kernel` [D, G] and `bias` [G] make z and are what a step does not see; it multiplies
        with the other matrices as they stand here, never with parts of them.
        """
        return dict(weights)

    @abstractmethod
    def step(self, ops: Any, z: Array, state: State, weights: Weights) -> State:
        """The equations, from z [B, G] and the state before to the state after."""

    def split(self, ops: Any, wide: Array, axis: int = -1) -> Gates:
        """[B, G] as an array [B, U] for each gate; G stands at `axis`."""
        return tuple(ops.split(wide, self.gates, axis))


class Differentiated(Cell):
    """A cell of one recurrent product, u_t = h_{t-1} U (+ b'), with its gradient written out.

    `forward` and `backward` are elementwise, on an array [B, U] for each gate of z and u.
    """

    additive: ClassVar[bool] = False
    """Whether z and u enter only as their sum: then that comes as z, and u is empty."""

    @abstractmethod
    def forward(self, ops: Any, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        """The state after, and the arrays [B, U] that `backward` wants to see again."""

    @abstractmethod
    def backward(
        self, ops: Any, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        """Gradients of z, u and the state before, from that of the state after.

        Where z is the sum, its gradient is also u's, and none is given for u.
        """

    def step(self, ops: Any, z: Array, state: State, weights: Weights) -> State:
        u = ops.matmul(state[0], weights[RECURRENT_KERNEL])
        if "recurrent_bias" in weights:
            u = u + weights["recurrent_bias"]
        return self.forward(ops, *self.arguments(ops, z, u), state)[0]

    def arguments(self, ops: Any, z: Array, u: Array, axis: int = -1) -> tuple[Gates, Gates]:
        """z and u for `forward`, from [B, G] each; G stands at `axis`."""
        if self.additive:
            return self.split(ops, z + u, axis), ()
        return self.split(ops, z, axis), self.split(ops, u, axis)


class Linear(Cell):
    """A cell without a recurrent product: h_t = a_t ⊙ h_{t-1} + b_t, with a and b from z alone.

    All time steps can be trained at once.
    """

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        weights = super().weights(inputs, units)
        return {name: weights[name] for name in ("kernel", "bias")}

    @abstractmethod
    def coefficients(self, ops: Any, z: Array) -> tuple[Array, Array]:
        """a and b [..., U] from z [..., G], elementwise: for one time step or for all."""

    def step(self, ops: Any, z: Array, state: State, weights: Weights) -> State:
        a, b = self.coefficients(ops, z)
        return (a * state[0] + b,)


CELLS: dict[str, type[Cell]] = {}
"""Every cell by name."""


def register(cell: type[Cell]) -> type[Cell]:
    """Put a cell into the registry, and so into `--cell`, `--help`, the docs and the tests."""
    CELLS[cell.name] = cell
    return cell
