"""All settings of a run, and how its text is read and divided."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace

from charrnn.cells import CELLS, RECURRENT_KERNEL
from charrnn.checked_json import check_names
from charrnn.config.model import ModelConfig
from charrnn.config.settings import (
    Settings,
    format_setting,
    name_of,
    parse_value,
    refuse_unknown,
    setting,
)
from charrnn.config.training import TrainingConfig
from charrnn.errors import ConfigError


@dataclass(frozen=True)
class TextConfig(Settings):
    """How files become characters, and which of them train."""

    group = "Text"

    encoding: str = setting("utf-8", "Character encoding of the files.")
    bytes: bool = setting(False, "Learn bytes instead of characters; works with any file.")
    keep_newlines: bool = setting(
        False, "Keep Windows line endings (CRLF); otherwise they become LF."
    )
    skip_undecodable: bool = setting(
        False, "Leave out files that cannot be decoded, and list them."
    )
    min_count: int = setting(
        1, "Treat characters that occur fewer times than this as unknown.", low=1
    )
    val_fraction: float = setting(0.1, "Share of the text kept for validation.", low=0, below=1)
    test_fraction: float = setting(0.0, "Share of the text kept for testing.", low=0, below=1)
    split: str | None = setting(
        None,
        "What is kept for validation and testing: the last part of the text, or blocks of lines"
        " spread over it.",
        shown="last for one running text, spread for a list of lines or several files",
        choices=("spread", "last"),
    )

    def _complete(self) -> None:
        if self.val_fraction + self.test_fraction >= 1:
            raise ConfigError(
                "together they leave no text for training",
                {"val_fraction": self.val_fraction, "test_fraction": self.test_fraction},
            )
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError):
            raise ConfigError(
                "unknown",
                {"encoding": self.encoding},
                way_out="try utf-8, utf-16, latin-1 or gb18030",
            ) from None


GROUPS: dict[str, type] = {
    "text": TextConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
}


@dataclass(frozen=True)
class Config:
    """All settings of a run, as its checkpoints keep them."""

    text: TextConfig = field(default_factory=TextConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @classmethod
    def of(cls, **settings: object) -> "Config":
        """From settings by name; those absent keep the cell's defaults, or the common ones."""
        return cls.advised({}, settings)

    @classmethod
    def advised(cls, advice: Mapping[str, object], settings: Mapping[str, object]) -> "Config":
        """From settings by name, with advice for those that are absent.

        A cell that the user names keeps the defaults of its own; what contradicts the settings
        given is left out of the advice.
        """
        by_name = {each.name: each for _, each in cls.fields()}
        refuse_unknown(settings, by_name)
        settings = {name: parse_value(by_name[name], value) for name, value in settings.items()}
        cell = {"cell": advice["cell"], **settings} if "cell" in advice else settings
        settings = {**fitting(advice, cell), **own_defaults(cell), **settings}
        return cls(**{name: GROUPS[name](**own) for name, own in cls.grouped(settings).items()})

    @property
    def rates(self) -> dict[str, float]:
        """What keeps a network from learning its text by heart, by name."""
        return {
            "dropout": self.model.dropout,
            "recurrent_dropout": self.model.recurrent_dropout,
            "weight_decay": self.training.weight_decay,
        }

    def changed(self, settings: Mapping[str, object]) -> "Config":
        grouped = self.grouped(settings).items()
        return Config(**{name: replace(getattr(self, name), **own) for name, own in grouped})

    @classmethod
    def grouped(cls, settings: Mapping[str, object]) -> dict[str, dict[str, object]]:
        """Settings by name under the name of their group; ConfigError for a name unknown."""
        refuse_unknown(settings, (each.name for _, each in cls.fields()))
        grouped: dict[str, dict[str, object]] = {name: {} for name in GROUPS}
        for group, each in cls.fields():
            if each.name in settings:
                grouped[group][each.name] = settings[each.name]
        return grouped

    def resumed(self, settings: Mapping[str, object]) -> "Config":
        """With the changes that a resumed run may make; ConfigError for any other change."""
        for group, each in self.fields():
            if each.metadata.get("resumable") or each.name not in settings:
                continue
            kept = getattr(getattr(self, group), each.name)
            asked = settings[each.name]
            if not unchanged(getattr(self, group), each.name, asked):
                raise ConfigError(
                    f"the run has {in_run(kept)}, which cannot change",
                    {name_of(each): asked},
                    way_out="leave it out, or start a new run under another `name`",
                )
        return self.changed(settings)

    def inherited(self, settings: Mapping[str, object]) -> dict[str, object]:
        """The settings given for a new run from this one's weights, with the network's shape,
        which they fix; ConfigError where the settings given have another."""
        shaping = [each for each in fields(self.model) if each.metadata.get("shape")]
        shape = {each.name: getattr(self.model, each.name) for each in shaping}
        for name, kept in shape.items():
            if name in settings and not unchanged(self.model, name, settings[name]):
                raise ConfigError(
                    f"the run in `init_from` has {format_setting(kept)}",
                    {name: settings[name]},
                    way_out="leave it out",
                )
        as_read = {"bytes": self.text.bytes, "direction": self.model.direction}
        return {**as_read, **settings, **shape}

    def inexact(self, other: "Config") -> Iterator[tuple[str, object, object]]:
        """Settings whose change alters what is learnt: name, value here, value in the other."""
        for group, each in self.fields():
            here, there = (getattr(getattr(one, group), each.name) for one in (self, other))
            if each.metadata.get("inexact") and here != there:
                yield name_of(each), here, there

    @staticmethod
    def fields() -> Iterator[tuple[str, Field]]:
        for group, settings in GROUPS.items():
            for each in fields(settings):
                yield group, each

    def to_json(self) -> dict[str, dict[str, object]]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> "Config":
        """Back from `to_json`.

        Raises:
            ValueError: It has a name too many or too few.
            ConfigError: A setting has a value that it cannot have.
        """
        groups = check_names(data, GROUPS, "config")
        made = {
            name: group.from_json(groups[name], f"config.{name}")  # type: ignore[attr-defined]
            for name, group in GROUPS.items()
        }
        return cls(**made)


def in_run(kept: object) -> str:
    """A setting's value in a run, in words."""
    return (
        {True: "it on", False: "it off"}[kept] if isinstance(kept, bool) else format_setting(kept)
    )


def unchanged(group: TextConfig | ModelConfig | TrainingConfig, name: str, asked: object) -> bool:
    """Whether a setting has the value asked for, in whatever way it is written."""
    try:
        return bool(replace(group, **{name: asked}) == group)  # type: ignore[arg-type]
    except ConfigError:
        return False


def fitting(advice: Mapping[str, object], settings: Mapping[str, object]) -> dict[str, object]:
    """The advice without what the settings given contradict."""
    kept = dict(advice)
    if isinstance(settings.get("units"), (tuple, list)):
        kept.pop("layers", None)
    if settings.get("tie_embeddings"):
        kept.pop("embedding", None)
        kept.pop("skip_connections", None)
    cell = CELLS.get(str(settings.get("cell", ModelConfig.cell)))
    if cell is not None and RECURRENT_KERNEL not in cell().weights(1, 1):
        kept.pop("recurrent_dropout", None)
    return kept


def own_defaults(settings: Mapping[str, object]) -> dict[str, object]:
    """What the cell sets otherwise than the common defaults.

    Units given for each layer also say how many there are; different ones have no residual.
    """
    cell = CELLS.get(str(settings.get("cell", ModelConfig.cell)))
    own = dict(cell.defaults) if cell else {}
    units = settings.get("units")
    if isinstance(units, (tuple, list)):
        own.pop("layers", None)
        if len(set(units)) > 1:
            own.pop("residual", None)
    return own
