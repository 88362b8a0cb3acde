"""What a setting is: a dataclass field with its help and limits, checked when it is made."""

import math
from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from typing import Any

from charrnn.errors import ConfigError


def setting(default: Any, help: str, **limits: Any) -> Any:
    """A dataclass field with `help` and limits.

    Limits: `low`, `high` (inclusive), `above`, `below` (exclusive), `choices`;
    `shown` is the default in words, where it is not a value;
    `resumable` marks what may change when a run goes on, `shape` what `--init-from` hands on;
    `flag` renames the option.
    """
    return field(default=default, metadata={"help": help, **limits})


def shown(value: Any) -> str:
    """A setting's value as the command line writes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def as_options(settings: Mapping[str, Any]) -> list[str]:
    """Settings by name as the command line writes them."""
    names = {name: "--" + name.replace("_", "-") for name in settings}
    return [
        names[name] if value is True else f"{names[name]} {shown(value)}"
        for name, value in settings.items()
    ]


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
            if hasattr(value, "item"):  # a number of NumPy's
                value = value.item()
                object.__setattr__(self, each.name, value)
            if value is not None:
                check(each, value)


def check(setting: Field, value: Any) -> None:
    """Raise ConfigError where the value is of another type or outside the setting's limits."""
    if not isinstance(value, accepted(setting.type)):
        raise ConfigError(f"{flag(setting)} {value!r}: must be of type {setting.type}")
    for each in value if isinstance(value, tuple) else (value,):
        check_limits(setting, each)


def check_limits(setting: Field, value: Any) -> None:
    """Raise ConfigError where one value is outside the setting's limits."""
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
