"""Every setting with its default, its limits and its line of help, checked at birth.

The command line makes its options from these fields and the library takes them as
keyword arguments, so a new setting is a new line here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any

from charrnn.cells import CELLS, RECURRENT_KERNEL, Cell
from charrnn.errors import ConfigError
from charrnn.settings import Settings, flag, setting, shown

SUMMARIES = "; ".join(f"{name}, {cell.summary}" for name, cell in CELLS.items())
EMBEDDING = 64
MOST_LAYERS = 64


def choices_of(kind: str) -> tuple[str, ...]:
    """Every choice of activation that some cell leaves, in order, each once."""
    return tuple(dict.fromkeys(name for cell in CELLS.values() for name in getattr(cell, kind)))


def leaving(kind: str) -> str:
    """The cells that leave a choice of activation, and which."""
    cells = ((name, getattr(cell, kind)) for name, cell in CELLS.items())
    return "; ".join(f"{name}, {' or '.join(each)}" for name, each in cells if len(each) > 1)


@dataclass(frozen=True)
class TextConfig(Settings):
    """How files become characters, and which of them train."""

    encoding: str = setting("utf-8", "Encoding of the files.")
    bytes: bool = setting(False, "Model bytes instead of characters; takes any file.")
    keep_newlines: bool = setting(False, "Leave CRLF line endings as they are.")
    min_count: int = setting(1, "Fold characters rarer than this into the unknown one.", low=1)
    val_fraction: float = setting(0.1, "Share of the text that validates.", low=0, below=1)
    test_fraction: float = setting(0.0, "Share at the end that is kept unseen.", low=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.val_fraction + self.test_fraction >= 1:
            raise ConfigError("--val-fraction and --test-fraction leave nothing to train on")
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError):
            raise ConfigError(
                f"--encoding {self.encoding}: unknown; try utf-8, utf-16, latin-1 or gb18030"
            ) from None


@dataclass(frozen=True)
class ModelConfig(Settings):
    """The network's shape."""

    cell: str = setting("lstm", f"Recurrent cell: {SUMMARIES}.", shape=True, choices=tuple(CELLS))
    activation: str | None = setting(
        None,
        f"The cell's function, where it leaves a choice: {leaving('activations')}.",
        shape=True,
        choices=choices_of("activations"),
    )
    recurrent_activation: str | None = setting(
        None,
        f"The same of its gates: {leaving('recurrent_activations')}.",
        shape=True,
        choices=choices_of("recurrent_activations"),
    )
    layers: int | None = setting(
        None,
        "Recurrent layers.",
        shape=True,
        shown="one for each of --units",
        low=1,
        high=MOST_LAYERS,
    )
    units: int | tuple = setting(
        384, "Hidden units: one number, or one a layer: 512,256.", shape=True, low=1, high=65536
    )
    embedding: int | None = setting(
        None,
        "Width of the character embedding; 0: one-hot.",
        shape=True,
        shown=f"{EMBEDDING}, or the last layer's units with --tie-embeddings",
        low=0,
        high=65536,
    )
    tie_embeddings: bool = setting(False, "Use the embedding for the output layer too.", shape=True)
    layer_norm: bool = setting(
        False, "Layer normalisation of what each recurrent layer passes on.", shape=True
    )
    residual: bool = setting(False, "Add each layer's input to its output.", shape=True)
    dropout: float = setting(0.1, "Dropout after each recurrent layer.", low=0, below=1)
    variational: bool = setting(False, "Dropout with one mask for all time steps.")
    recurrent_dropout: float = setting(0.0, "Dropout of the recurrent weights.", low=0, below=1)
    direction: str = setting(
        "forward",
        "Read the text forward, or backward to write what comes before a prompt.",
        choices=("forward", "backward"),
    )

    def __post_init__(self) -> None:
        if isinstance(self.units, list):
            object.__setattr__(self, "units", tuple(self.units))
        super().__post_init__()
        self._fill_in()
        self._check_together()

    def _fill_in(self) -> None:
        """Put values where a setting follows from the others."""
        if isinstance(self.units, tuple) and not all(type(size) is int for size in self.units):
            raise ConfigError(f"--units {shown(self.units)}: must be whole numbers")
        if self.layers is None:
            layers = len(self.units) if isinstance(self.units, tuple) else 1
            object.__setattr__(self, "layers", layers)
        if self.embedding is None:
            width = self.layer_units[-1] if self.tie_embeddings else EMBEDDING
            object.__setattr__(self, "embedding", width)

    def _check_together(self) -> None:
        """Raise ConfigError where settings contradict one another."""
        units = self.layer_units
        if len(units) != self.layers or not units:
            raise ConfigError(
                f"--units {shown(self.units)}: {len(units)} numbers for {self.layers} layers;"
                " give one, or one a layer"
            )
        if self.residual and len(set(units)) > 1:
            raise ConfigError(
                f"--residual --units {shown(self.units)}: a layer can only be added to one of its"
                " own size; give all layers the same"
            )
        if self.tie_embeddings and self.embedding != units[-1]:
            raise ConfigError(
                f"--tie-embeddings --embedding {self.embedding}: the last layer has {units[-1]}"
                " units; make them equal, or leave --embedding out"
            )
        cell = self.make_cell()
        if self.recurrent_dropout and RECURRENT_KERNEL not in cell.weights(1, 1):
            raise ConfigError(
                f"--recurrent-dropout: the cell {self.cell} has no recurrent product; leave it out"
            )

    @property
    def layer_units(self) -> tuple[int, ...]:
        """Units of each layer."""
        many = isinstance(self.units, tuple)
        return self.units if many else (self.units,) * self.layers  # type: ignore

    def make_cell(self) -> Cell:
        """The cell with its activations."""
        return CELLS[self.cell](self.activation, self.recurrent_activation)


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """Batches, optimizer and bookkeeping."""

    batch_size: int = setting(16, "Streams of text read in parallel.", low=1, high=1 << 20)
    seq_length: int = setting(64, "Characters in a window.", low=1, high=1 << 20)
    learning_rate: float = setting(0.01, "Peak learning rate of Adam.", above=0, high=10)
    weight_decay: float = setting(0.05, "Decoupled weight decay.", low=0, below=10)
    warmup_steps: int = setting(100, "Steps over which the rate rises (a tenth at most).", low=0)
    clip_norm: float = setting(1.0, "Largest global norm of the gradient.", above=0)
    seed: int = setting(0, "Seed of weights and dropout.", low=0, below=1 << 31)
    eval_every: int | None = setting(
        None, "Steps between evaluations.", shown="up to 20 in a plan", low=1, resumable=True
    )
    eval_chars: int = setting(
        2_000_000, "Validate on this many characters at most; 0: all.", low=0, resumable=True
    )
    sample_every: int | None = setting(
        None, "Steps between samples; 0: none.", shown="4 in a plan", low=0, resumable=True
    )
    checkpoint_every: int | None = setting(
        None, "Steps between checkpoints.", shown="at evaluations", low=1, resumable=True
    )


@dataclass(frozen=True)
class SamplingConfig(Settings):
    """What to write."""

    temperature: float = setting(
        1.0, "Below 1 safer, above 1 wilder; 0 is greedy.", low=0, high=1e6
    )
    length: int = setting(500, "New characters to write.", low=0)
    count: int = setting(
        1, "Texts to write at once; several are shown when all are done.", low=1, high=1 << 20
    )


@dataclass(frozen=True)
class Plan(Settings):
    """How long to train; at most one is given. The rate anneals to the end of it."""

    epochs: float | None = setting(None, "Train for this many passes.", above=0, high=1e6)
    steps: int | None = setting(None, "Train for this many steps.", low=1, high=10**12)
    seconds: float | None = setting(
        None, "Train for this long: 90s, 5m, 2h.", above=0, high=1e8, flag="--time"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(value is not None for value in asdict(self).values()) > 1:
            raise ConfigError("give one of --epochs, --steps and --time, not several")

    @property
    def empty(self) -> bool:
        """Whether nothing was asked for."""
        return self == Plan()

    @property
    def needs_speed(self) -> bool:
        """Whether the steps follow from how long one takes."""
        return self.seconds is not None or self.empty


GROUPS: dict[str, type] = {"text": TextConfig, "model": ModelConfig, "training": TrainingConfig}


@dataclass(frozen=True)
class Config:
    """All settings of a run, as its checkpoints keep them."""

    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    @classmethod
    def of(cls, **settings: Any) -> "Config":
        """From settings by name; those absent keep the cell's defaults, or the common ones."""
        cell = CELLS.get(settings.get("cell", ModelConfig.cell))
        settings = {**cell.defaults, **settings} if cell else settings
        return cls(**{name: GROUPS[name](**own) for name, own in cls.grouped(settings).items()})

    def changed(self, settings: Mapping[str, Any]) -> "Config":
        """With other values of some settings."""
        grouped = self.grouped(settings).items()
        return Config(**{name: replace(getattr(self, name), **own) for name, own in grouped})

    @classmethod
    def grouped(cls, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Settings by name under the name of their group; ConfigError for a name unknown."""
        unknown = set(settings) - {each.name for _, each in cls.fields()}
        if unknown:
            raise ConfigError(f"no such setting: {', '.join(sorted(unknown))}")
        grouped: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
        for group, each in cls.fields():
            if each.name in settings:
                grouped[group][each.name] = settings[each.name]
        return grouped

    def resumed(self, settings: Mapping[str, Any]) -> "Config":
        """With changes a run may take when it goes on; ConfigError for any other change."""
        for group, each in self.fields():
            kept = getattr(getattr(self, group), each.name)
            asked = settings.get(each.name, kept)
            if asked != kept and not each.metadata.get("resumable"):
                raise ConfigError(
                    f"{flag(each)} is {shown(kept)} in this run and cannot become {shown(asked)};"
                    " leave it out, or start a new run under another --name"
                )
        return self.changed(settings)

    @staticmethod
    def fields() -> Iterator[tuple[str, Field]]:
        """Every setting with the name of its group."""
        for group, settings in GROUPS.items():
            for each in fields(settings):
                yield group, each

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Plain data, a dictionary for each group."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> "Config":
        """Back from `to_json`."""
        return cls(**{group: GROUPS[group](**values) for group, values in data.items()})


DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str) -> float:
    """Seconds in '90', '90s', '5m', '2h' or '1h30m'; ConfigError for anything else."""
    match = DURATION.fullmatch(text.strip().lower())
    if not text.strip() or match is None:
        raise ConfigError(f"--time {text}: write it as 90s, 5m, 2h or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds
