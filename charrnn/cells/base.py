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
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple, TypeVar

from charrnn.cells import initializers
from charrnn.cells.initializers import Initializer
from charrnn.errors import ConfigError
from charrnn.plugins import Table
from charrnn.types import Array, ArrayOps, State, Weights

Gates = tuple[Array, ...]
"""An array [B, U] for each gate."""
Saved = tuple[Array, ...]

RECURRENT_KERNEL = "recurrent_kernel"
"""The weight U [U, …] that the last output is multiplied with."""


LEAK = 0.01
"""Slope of `leaky_relu` below zero (Maas et al. 2013)."""


class Activation(NamedTuple):
    """A function of x, and its derivative as a function of its value y; both take (ops, array)."""

    function: Callable[[ArrayOps, Array], Array]
    slope: Callable[[ArrayOps, Array], Array]

    def __call__(self, ops: ArrayOps, x: Array) -> Array:
        return self.function(ops, x)


ACTIVATIONS = {
    "tanh": Activation(lambda ops, x: ops.tanh(x), lambda ops, y: 1 - y * y),
    "relu": Activation(lambda ops, x: ops.maximum(x, 0), lambda ops, y: ops.sign(y)),
    "leaky_relu": Activation(
        lambda ops, x: ops.maximum(x, LEAK * x),
        lambda ops, y: (1 + LEAK) / 2 + (1 - LEAK) / 2 * ops.sign(y),
    ),
    "sigmoid": Activation(lambda ops, x: ops.sigmoid(x), lambda ops, y: y * (1 - y)),
    "hard_sigmoid": Activation(
        lambda ops, x: ops.minimum(ops.maximum(x / 6 + 0.5, 0), 1),
        lambda ops, y: ops.sign(y * (1 - y)) / 6,
    ),
}


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
    """Names for the results of `step`'s first calls of sigmoid, tanh or the chosen functions, in
    order: the gates and the new values that they weigh. `LanguageModel.states` shows them."""
    activations: ClassVar[tuple[str, ...]] = ()
    """Choices of the setting `activation`, the default first; empty where the cell leaves none."""
    recurrent_activations: ClassVar[tuple[str, ...]] = ()
    """The same for the setting `recurrent_activation`, the gates' function."""
    defaults: ClassVar[Mapping[str, object]] = {}
    """Settings by name that suit this cell better than the common defaults."""

    activation: Activation
    recurrent_activation: Activation

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
            weights: By name, as `weights` lists them.

        Returns:
            `kernel` [D, G] and `bias` [G], which make z, and the weights that `step` takes. Cut or
            transpose matrices here, not in `step`, where their gradient is summed at each time
            step.
        """
        return dict(weights)

    @abstractmethod
    def step(self, ops: ArrayOps, z: Array, state: State, weights: Weights) -> State:
        """The equations of one time step.

        Args:
            ops: The array functions, NumPy's or Keras's.
            z: x_t W + b, [B, G].
            state: The parts of the state before, [B, U] each, in the order of `state_names`.
            weights: What `prepare` returned, without `kernel` and `bias`.

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
    """Whether only the sum of z and u is needed: then `forward` gets it as z, and u is empty."""

    @abstractmethod
    def forward(self, ops: ArrayOps, z: Gates, u: Gates, state: State) -> tuple[State, Saved]:
        """One time step.

        Args:
            ops: The array functions.
            z: An array [B, U] for each gate: x_t W + b, or where `additive` the sum with u.
            u: An array [B, U] for each gate: h_{t-1} U + b'; empty where `additive`.
            state: The state before.

        Returns:
            The state after, and the arrays [B, U] that `backward` needs.
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
    """Raise ConfigError for a class that is no cell, or whose own `step` training would not run."""
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise ConfigError("a cell is a subclass of charrnn.cells.Cell", {"cell": cell})
    for base in (Differentiated, Linear):
        if issubclass(cell, base) and cell.step is not base.step:
            why = f"a {base.__name__} cell has no step of its own: training does not run it"
            raise ConfigError(why, {"cell": cell.name}, way_out="make it a subclass of Cell")


CELLS: Table[type[Cell]] = Table("cell", check_class)
"""Every cell by name."""

CellType = TypeVar("CellType", bound=type[Cell])


def register(cell: CellType) -> CellType:
    """Add a cell to the choices of the setting `cell`, to the help and to the tests.

    Raises:
        ConfigError: There is a cell of this name already.
    """
    CELLS.add(cell.name, cell)
    return cell
