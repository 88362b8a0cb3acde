"""The network's shape."""

from dataclasses import dataclass

from charrnn.cells import CELLS, RECURRENT_KERNEL, Cell
from charrnn.config.settings import ADVISED, Settings, setting, several
from charrnn.errors import ConfigError

EMBEDDING = 64
MOST_LAYERS = 64


def choices_of(kind: str) -> tuple[str, ...]:
    """Every activation that a user can choose for some cell, in order, each once.

    The installed packages are not asked: that would take longer than a first letter.
    """
    cells = CELLS.present.values()
    return tuple(dict.fromkeys(name for cell in cells for name in getattr(cell, kind)))


def leaving(kind: str) -> str:
    """The cells whose activation a user can choose, in words."""
    cells = CELLS.present.items()
    return " and ".join(name for name, cell in cells if len(getattr(cell, kind)) > 1)


@dataclass(frozen=True)
class ModelConfig(Settings):
    """What the network is made of."""

    group = "Network"

    cell: str = setting(
        "lstm",
        "Recurrent cell: lstm, gru, rnn and others (`cells` lists them).",
        shape=True,
        choices=lambda: CELLS,
        metavar="NAME",
        advised=True,
    )
    activation: str | None = setting(
        None,
        lambda: f"Activation function of the cell (for {leaving('activations')}).",
        shape=True,
        choices=lambda: choices_of("activations"),
    )
    recurrent_activation: str | None = setting(
        None,
        lambda: (
            f"Activation function of the cell's gates (for {leaving('recurrent_activations')})."
        ),
        shape=True,
        choices=lambda: choices_of("recurrent_activations"),
    )
    layers: int | None = setting(
        None,
        "Number of recurrent layers.",
        shape=True,
        shown=f"{ADVISED}, or one for each number in `units`",
        advised=True,
        low=1,
        high=MOST_LAYERS,
    )
    units: int | tuple = setting(
        384,
        "Hidden units of each layer: one number for all, or several, as in 512,256.",
        shape=True,
        low=1,
        high=65536,
        parse=several(int, "one for each layer: 512,256"),
        metavar="INTEGER[,…]",
        advised=True,
    )
    embedding: int | None = setting(
        None,
        "Size of the character embedding; 0: one-hot.",
        shape=True,
        shown=f"{ADVISED}, or what the output layer reads with `tie_embeddings`",
        low=0,
        high=65536,
        advised=True,
    )
    tie_embeddings: bool = setting(
        False, "Use the embedding as the output layer's weights.", shape=True
    )
    layer_norm: bool = setting(
        False, "Layer normalisation of each recurrent layer's output.", shape=True
    )
    residual: bool = setting(
        False, "Add the input of each layer, from the second on, to its output.", shape=True
    )
    skip_connections: bool = setting(
        False,
        "The output layer reads all recurrent layers, not only the last.",
        shape=True,
        advised=True,
    )
    dropout: float = setting(
        0.1,
        "Dropout rate after each recurrent layer.",
        low=0,
        below=1,
        resumable=True,
        inexact=True,
        advised=True,
    )
    variational: bool = setting(
        False, "Use the same dropout mask at all time steps.", resumable=True, inexact=True
    )
    recurrent_dropout: float = setting(
        0.0,
        "Dropout rate of the recurrent weights.",
        advised=True,
        low=0,
        below=1,
        resumable=True,
        inexact=True,
    )
    direction: str = setting(
        "forward",
        "Direction in which the text is read. A backward run writes what comes before the prompt.",
        choices=("forward", "backward"),
    )

    def _unify(self) -> None:
        if isinstance(self.units, (list, tuple)):
            self._set(units=self._sizes(tuple(self.units)))

    def _complete(self) -> None:
        self._fill_in()
        self._check_together()

    def _sizes(self, units: tuple) -> int | tuple[int, ...]:
        """The units of each layer, as one number where all are the same."""
        if not units or not all(type(size) is int for size in units):
            raise ConfigError("must be whole numbers, one for each layer", {"units": units})
        if self.layers is None:
            self._set(layers=len(units))
        same = len(set(units)) == 1 and len(units) == self.layers
        return units[0] if same else units

    def _fill_in(self) -> None:
        """Put values where a setting follows from the others."""
        if self.layers is None:
            self._set(layers=1)
        if self.embedding is None:
            self._set(embedding=self.features if self.tie_embeddings else EMBEDDING)
        cell = CELLS[self.cell]
        if self.activation is None and cell.activations:
            self._set(activation=cell.activations[0])
        if self.recurrent_activation is None and cell.recurrent_activations:
            self._set(recurrent_activation=cell.recurrent_activations[0])

    def _check_together(self) -> None:
        """Raise ConfigError where settings contradict one another."""
        units = self.layer_units
        if len(units) != self.layers:
            raise ConfigError(
                f"{len(units)} numbers for {self.layers} layers",
                {"units": self.units},
                way_out="give one number, or one for each layer",
            )
        if self.residual and len(set(units)) > 1:
            raise ConfigError(
                "a layer's input can be added to its output only if both have the same size",
                {"residual": True, "units": self.units},
                way_out="give all layers the same number of units",
            )
        if self.tie_embeddings and self.embedding != self.features:
            raise ConfigError(
                f"the output layer reads {self.features} units",
                {"tie_embeddings": True, "embedding": self.embedding},
                way_out="make them equal, or leave `embedding` out",
            )
        if self.recurrent_dropout and RECURRENT_KERNEL not in self.make_cell().weights(1, 1):
            raise ConfigError(
                f"the cell {self.cell} has no recurrent product",
                {"recurrent_dropout": None},
                way_out="leave it out",
            )
        self.make_cell()

    @property
    def layer_units(self) -> tuple[int, ...]:
        many = isinstance(self.units, tuple)
        return self.units if many else (self.units,) * self.layers  # type: ignore

    @property
    def features(self) -> int:
        """How many numbers the output layer reads: the last layer's units, or those of all."""
        return sum(self.layer_units) if self.skip_connections else self.layer_units[-1]

    def make_cell(self) -> Cell:
        return CELLS[self.cell](self.activation, self.recurrent_activation)
