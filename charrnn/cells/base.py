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
from typing import ClassVar, NamedTuple, TypeVar

from charrnn.cells import initializers
from charrnn.cells.activations import ACTIVATIONS, Activation
from charrnn.cells.initializers import Initializer
from charrnn.errors import ConfigError
from charrnn.plugins import Table
from charrnn.types import Array, ArrayOps, State, Weights

Gates = tuple[Array, ...]
"""An array [B, U] for each gate."""
Saved = tuple[Array, ...]

RECURRENT_KERNEL = "recurrent_kernel"
"""The weight U [U, …] that the last output is multiplied with."""


class Weight(NamedTuple):
    """Shape and start of one weight, and how large an entry may become."""

    shape: tuple[int, ...]
    initializer: Initializer
    bound: float | None = None


class Cell(ABC):
    """A recurrent cell. A subclass sets the class attributes and writes `step`.

    Args:
        activation: One of `activations`; by default the first.
        recurrent_activation: One of `recurrent_activations`; by default the first.

    Raises:
        ConfigError: The cell leaves no such choice.
    """

    name: ClassVar[str]
    """What the setting `cell` calls it."""
    summary: ClassVar[str]
    """A line for the help and the docs."""
    source: ClassVar[str]
    """Authors and year of the paper."""
    gates: ClassVar[int] = 1
    """Blocks of U columns in W and b, in the order of the cell's docstring."""
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """Parts of the state, each [B, U]; the first is the cell's output."""
    gate_names: ClassVar[tuple[str, ...]] = ()
    """Names of the gates, and of the new values that they weigh, as the docstring's equations have
    them: what `step` computes with sigmoid, tanh or the chosen functions, in that order. Further
    calls need no name. `LanguageModel.states` shows them."""
    activations: ClassVar[tuple[str, ...]] = ()
    """Choices of the setting `activation`, the default first; empty where the cell leaves none."""
    recurrent_activations: ClassVar[tuple[str, ...]] = ()
    """The same of the setting `recurrent_activation`, the gates' function."""
    defaults: ClassVar[Mapping[str, object]] = {}
    """Settings by name that suit this cell better than the common defaults."""

    activation: Activation
    """The function chosen, where the cell leaves a choice."""
    recurrent_activation: Activation
    """The gates' function chosen, where the cell leaves a choice."""

    def __init__(self, activation: str | None = None, recurrent_activation: str | None = None):
        self._choose("activation", activation, self.activations)
        self._choose("recurrent_activation", recurrent_activation, self.recurrent_activations)

    def _choose(self, setting: str, asked: str | None, choices: tuple[str, ...]) -> None:
        if asked is not None and asked not in choices:
            way_out = f"choose {' or '.join(choices)}" if choices else "leave it out"
            why = f"not a choice of the cell {self.name}"
            raise ConfigError(why, {setting: asked}, way_out=way_out)
        if choices:
            setattr(self, setting, ACTIVATIONS[asked or choices[0]])

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        """Every weight by its name in Keras: W [D, G], U [U, G] and b [G], or more.

        Args:
            inputs: D, the width of what the layer reads.
            units: U.

        Returns:
            Shape, initialiser and bound of each weight.
        """
        columns = self.gates * units
        return {
            "kernel": Weight((inputs, columns), initializers.glorot_uniform),
            "recurrent_kernel": Weight((units, columns), initializers.orthogonal),
            "bias": Weight((columns,), initializers.zeros),
        }

    def prepare(self, ops: ArrayOps, weights: Weights) -> dict[str, Array]:
        """The weights as `step` wants them, made once before the loop.

        Args:
            ops: The array functions, NumPy's or Keras's.
            weights: Those of `weights`, by name.

        Returns:
            `kernel` [D, G] and `bias` [G], which make z and are what a step does not see, and
            the weights that it does see. Training is fastest where a step multiplies with
            its matrices as they stand here: what is cut or turned inside the step has its
            gradient added up at each time step.
        """
        return dict(weights)

    @abstractmethod
    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        """The equations of one time step.

        Args:
            ops: The array functions, NumPy's or Keras's.
            z: x_t W + b, [B, G].
            state: The parts of the state before, [B, U] each, in the order of `state_names`.
            weights: What `prepare` has made, without `kernel` and `bias`.

        Returns:
            The parts of the state after, in the same order and shapes.
        """

    def split(self, ops: ArrayOps, wide: Array, axis: int = -1) -> Gates:
        """[B, G] as an array [B, U] for each gate; G stands at `axis`."""
        return tuple(ops.split(wide, self.gates, axis))


class Differentiated(Cell):
    """A cell of one recurrent product, u_t = h_{t-1} U (+ b'), with its gradient written out.

    `forward` and `backward` are elementwise, on an array [B, U] for each gate of z and u.
    """

    additive: ClassVar[bool] = False
    """Whether z and u enter only as their sum: then that comes as z, and u is empty."""

    @abstractmethod
    def forward(self, ops: ArrayOps, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        """One time step.

        Args:
            ops: The array functions.
            z: An array [B, U] for each gate: x_t W + b, or where `additive` the sum with u.
            u: An array [B, U] for each gate: h_{t-1} U + b'; empty where `additive`.
            state: The state before.

        Returns:
            The state after, and the arrays [B, U] that `backward` wants to see again.
        """

    @abstractmethod
    def backward(
        self, ops: ArrayOps, saved: Saved, before: State, after: State, d_after: State
    ) -> tuple[Gates, Gates, State]:
        """The gradient of one time step.

        Args:
            ops: The array functions.
            saved: What `forward` saved.
            before: The state before.
            after: The state after.
            d_after: The gradient of the state after.

        Returns:
            The gradients of z, of u (none where `additive`: there it is that of z) and of
            the state before.
        """

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        u = ops.matmul(state[0], weights[RECURRENT_KERNEL])
        if "recurrent_bias" in weights:
            u = u + weights["recurrent_bias"]
        if self.additive:  # one sum, which NumPy computes faster than one for each gate
            return self.forward(ops, self.split(ops, z + u), (), state)[0]
        return self.forward(ops, self.split(ops, z), self.split(ops, u), state)[0]

    def arguments(self, z: Gates, u: Gates) -> tuple[Gates, Gates]:
        """What `forward` takes as z and u, from an array for each gate of both."""
        if self.additive:
            return tuple(a + b for a, b in zip(z, u, strict=True)), ()
        return z, u


class Linear(Cell):
    """A cell without a recurrent product: h_t = a_t ⊙ h_{t-1} + b_t, with a and b from z alone.

    All time steps can be trained at once.
    """

    def weights(self, inputs: int, units: int) -> dict[str, Weight]:
        weights = super().weights(inputs, units)
        return {name: weights[name] for name in ("kernel", "bias")}

    @abstractmethod
    def coefficients(self, ops: ArrayOps, z: Array) -> tuple[Array, Array]:
        """a and b [..., U] from z [..., G], elementwise: for one time step or for all."""

    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        a, b = self.coefficients(ops, z)
        return (a * state[0] + b,)


def check_class(cell: type[Cell]) -> None:
    """Raise ConfigError where a class lacks what makes a cell."""
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise ConfigError("a cell is a subclass of charrnn.cells.Cell", {"cell": cell})
    texts = ("name", "summary", "source")
    missing = [name for name in texts if not is_text(getattr(cell, name, None))]
    missing += sorted(cell.__abstractmethods__)
    if missing:
        why = f"its class does not define {', '.join(missing)}"
        raise ConfigError(why, {"cell": cell.__name__}, way_out="see charrnn.cells.Cell")
    if not isinstance(cell.state_names, tuple) or not cell.state_names:
        why = 'its state_names must be a tuple of names, as in ("h",)'
        raise ConfigError(why, {"cell": cell.name})
    for base in (Differentiated, Linear):
        if issubclass(cell, base) and cell.step is not base.step:
            why = (
                f"a {base.__name__} cell is trained by its other methods, not by a step of its own"
            )
            raise ConfigError(why, {"cell": cell.name}, way_out="make it a subclass of Cell")


def is_text(value: object) -> bool:
    """Whether it is a string that says something."""
    return isinstance(value, str) and bool(value.strip())


CELLS: Table[type[Cell]] = Table("cell", check_class)
"""Every cell by name."""

CellType = TypeVar("CellType", bound=type[Cell])


def register(cell: CellType) -> CellType:
    """Put a cell into the table, and so into the choices of `cell`, the help and the tests.

    Raises:
        ConfigError: There is a cell of this name already, or the class lacks something.
    """
    CELLS.add(getattr(cell, "name", ""), cell)
    return cell
