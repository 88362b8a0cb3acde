"""How a layer runs its cell, and with what."""

from typing import NamedTuple

from charrnn.cells import Cell
from charrnn.layers.halves import halves_of
from charrnn.types import State, Tensor, Weights


class Plan(NamedTuple):
    """How a layer runs its cell. Layers with the same plan share what is compiled."""

    cell: type[Cell]
    choices: tuple[str | None, str | None]
    """The cell's activation and recurrent activation."""
    return_sequences: bool
    go_backwards: bool
    zero_output_for_mask: bool
    inputs: int
    """D; with the next three it keeps apart what is compiled for different tensors."""
    units: int
    masked: bool
    dtype: str


class Inputs(NamedTuple):
    """What a layer computes with."""

    x: Tensor
    """[B, T, D]"""
    mask: "Tensor | None"
    """bool [B, T], or None."""
    state: State
    """The parts of the state before, [B, U] each."""
    weights: Weights
    """The cell's weights by name."""

    def halves(self) -> "list[Inputs]":
        """The same for each half of the batch."""
        cut = halves_of((self.x, self.mask, self.state))
        return [Inputs(x, mask, state, self.weights) for x, mask, state in cut]


def make_cell(plan: Plan) -> Cell:
    return plan.cell(*plan.choices)
