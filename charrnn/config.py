"""Every setting with its default, its limits and its line of help, checked at birth.

The command line makes its options from these fields and the library takes them as
keyword arguments, so a new setting is a new line here.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any

from charrnn.cells import CELLS
from charrnn.errors import ConfigError

SUMMARIES = "; ".join(f"{name}, {cell.summary}" for name, cell in CELLS.items())


def setting(default: Any, help: str, **limits: Any) -> Any:
    """A dataclass field with `help` and limits.

    Limits: `low`, `high` (inclusive), `above`, `below` (exclusive), `choices`;
    `shown` is the default in words, where it is not a value;
    `resumable` marks what may change when a run goes on; `flag` renames the option.
    """
    return field(default=default, metadata={"help": help, **limits})


def flag(setting: Field) -> str:
    """The option's name on the command line."""
    return str(setting.metadata.get("flag", "--" + setting.name.replace("_", "-")))


BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "low": (lambda value, bound: value >= bound, "at least"),
    "high": (lambda value, bound: value <= bound, "at most"),
    "above": (lambda value, bound: value > bound, "above"),
    "below": (lambda value, bound: value < bound, "below"),
    "choices": (lambda value, bound: value in bound, "one of"),
}


class Settings:
    """Base of the groups of settings: checks every field when it is made."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if value is not None:
                check(each, value)


def check(setting: Field, value: Any) -> None:
    """Raise ConfigError where the value is of another type or outside the setting's limits."""
    if not isinstance(value, accepted(setting.type)):
        raise ConfigError(f"{flag(setting)} {value!r}: must be of type {setting.type}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{flag(setting)} {value}: must be a finite number")
    for name, (holds, words) in BOUNDS.items():
        bound = setting.metadata.get(name)
        if bound is not None and not holds(value, bound):
            shown = ", ".join(bound) if name == "choices" else bound
            raise ConfigError(f"{flag(setting)} {value}: must be {words} {shown}")


def accepted(kind: Any) -> Any:
    """What a setting of the type takes: a whole number is also a real one."""
    return kind | int if isinstance(1.0, kind) else kind


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

    cell: str = setting("lstm", f"Recurrent cell: {SUMMARIES}.", choices=tuple(CELLS))
    layers: int = setting(1, "Recurrent layers.", low=1, high=64)
    units: int = setting(384, "Hidden units in each layer.", low=1, high=65536)
    embedding: int = setting(64, "Width of the character embedding; 0: one-hot.", low=0, high=65536)
    dropout: float = setting(0.1, "Dropout after each recurrent layer.", low=0, below=1)


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
        """From settings by name, whatever their group; those absent keep their defaults."""
        return cls().changed(settings)

    def changed(self, settings: Mapping[str, Any]) -> "Config":
        """With other values of some settings."""
        unknown = set(settings) - {each.name for _, each in self.fields()}
        if unknown:
            raise ConfigError(f"no such setting: {', '.join(sorted(unknown))}")
        groups = {}
        for group in GROUPS:
            names = {each.name for owner, each in self.fields() if owner == group}
            chosen = {name: value for name, value in settings.items() if name in names}
            groups[group] = replace(getattr(self, group), **chosen)
        return Config(**groups)

    def resumed(self, settings: Mapping[str, Any]) -> "Config":
        """With changes a run may take when it goes on; ConfigError for any other change."""
        for group, each in self.fields():
            kept = getattr(getattr(self, group), each.name)
            asked = settings.get(each.name, kept)
            if asked != kept and not each.metadata.get("resumable"):
                raise ConfigError(
                    f"{flag(each)} is {kept} in this run and cannot become {asked};"
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
