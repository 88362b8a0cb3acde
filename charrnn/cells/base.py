"""The contract of a recurrent cell, and the registry.

A cell is its pointwise function. The input product z_t = x_t W + b is computed for all
time steps before the loop, and the only product inside it is u_t = h_{t-1} U (+ b_r):

    state_t = step(z_t, u_t, state_{t-1})

z_t and u_t come as tuples with an array [B, U] for each gate, so that a cell is elementwise
throughout. Shapes: B batch, D inputs, U units, G = gates · U.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from charrnn.cells import initializers
from charrnn.cells.initializers import Initializer

Array = Any  # a NumPy array or a tensor: cells know neither
State = tuple[Array, ...]
Gates = tuple[Array, ...]
Saved = tuple[Array, ...]


class Weight(NamedTuple):
    """Shape and start of one weight."""

    shape: tuple[int, ...]
    initializer: Initializer


class Cell(ABC):
    """A recurrent cell. A subclass sets the class attributes and writes `step`."""

    name: ClassVar[str]
    """What `--cell` calls it."""
    summary: ClassVar[str]
    """A line for `--help` and the docs."""
    source: ClassVar[str]
    """Authors and year of the paper."""
    gates: ClassVar[int] = 1
    """Blocks of U columns in W and U, in the order of the cell's docstring."""
    additive: ClassVar[bool] = False
    """Whether z and u enter only as z + u, so that their gradients are one."""
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """Parts of the state, each [B, U]; the first is the cell's output."""

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        """Shapes and initialisers by Keras's names: W [D, G], U [U, G], b [G]."""
        columns = self.gates * units
        return {
            "kernel": Weight((inputs, columns), initializers.glorot_uniform),
            "recurrent_kernel": Weight((units, columns), initializers.orthogonal),
            "bias": Weight((columns,), initializers.zeros),
        }

    @abstractmethod
    def step(self, ops: Any, z: Gates, u: Gates, state: State) -> State:
        """The equations: z and u (an array [B, U] a gate) and the state before → after."""


class Differentiated(Cell):
    """A cell whose gradient is written out, for speed; the others are differentiated by machine.

    `forward` is `step` that also saves arrays [B, …] for `backward`.
    """

    @abstractmethod
    def forward(self, ops: Any, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        """The state after, and what `backward` wants to see again."""

    @abstractmethod
    def backward(
        self, ops: Any, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        """Gradients of z, u and the state before, from that of the state after."""

    def step(self, ops: Any, z: Gates, u: Gates, state: State) -> State:
        return self.forward(ops, z, u, state)[0]


CELLS: dict[str, Cell] = {}
"""Every cell by name."""


def register(cell: type[Cell]) -> type[Cell]:
    """Put a cell into the registry, and so into `--cell`, `--help` and the tests."""
    CELLS[cell.name] = cell()
    return cell
