"""What a sweep varies: settings with a range, as in 128..512, or with values, as in lstm,gru."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields
from itertools import islice, product
from typing import get_args

from charrnn.checked_json import from_object
from charrnn.config import Config, ModelConfig, Plan, TrainingConfig
from charrnn.config.settings import check, format_setting, name_of, refuse_unknown
from charrnn.errors import ConfigError

BETWEEN = ".."
"""Stands between the ends of a range."""
FINENESS = 4
"""Whole numbers are tried in steps of at most this part of the range's lower end: a quarter."""
MOST_TRIED = 500
"""A value is refused if it fails with this many combinations of the other settings."""
DIGITS = 3
"""Significant digits of a real number that is drawn."""
SIZES = ("layers", "units")
ONE_VALUE = ("Machine", "Reporting")
"""Groups of settings that do not change what is learnt: each has one value in a sweep."""
KINDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included.

    Args:
        low: The lower end.
        high: The upper end.
        step: Of whole numbers, the distance between two of them; 0 for real numbers.
        logarithmic: Whether each factor is as likely as the next, in place of each distance.
    """

    low: float
    high: float
    step: int = 0
    logarithmic: bool = False

    def __str__(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{format_setting(self.low)}{BETWEEN}{format_setting(self.high)}{steps}"

    @property
    def count(self) -> float:
        """How many values there are; infinity for real numbers."""
        return (self.high - self.low) // self.step + 1 if self.step else math.inf

    @property
    def ends(self) -> tuple[object, ...]:
        return self.low, self.high

    def shorten(self, value: object) -> object:
        """Return a drawn number with few digits, within the range."""
        if self.step:
            return value
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """Several values, each as likely as the next."""

    values: tuple[object, ...]

    def __str__(self) -> str:
        return ",".join(map(format_setting, self.values))

    @property
    def count(self) -> float:
        return len(self.values)

    @property
    def ends(self) -> tuple[object, ...]:
        return self.values

    def shorten(self, value: object) -> object:
        return value


Varied = Range | Choice


def divide(settings: Mapping[str, object]) -> tuple[dict[str, Varied], dict[str, object]]:
    """Divide settings into those with a range or several values, and those with one.

    Args:
        settings: By name. A range is a text, as "128..512"; several values are a text, as
            "lstm,gru", or a list.

    Raises:
        ConfigError: A name is unknown, a range is empty, or a value is not allowed.
    """
    known = {name_of(each): each for _, each in Config.fields()} | {"size": size_field()}
    refuse_unknown(settings, known)
    read = {name: read_setting(known[name], value) for name, value in settings.items()}
    varied = {name: each for name, each in read.items() if isinstance(each, Varied)}
    for name in varied:
        if known[name] not in variable():
            raise ConfigError("has one value in a sweep", {name: settings[name]})
    return varied, {name: each for name, each in read.items() if name not in varied}


def size_field() -> Field:
    return next(each for each in fields(Plan) if each.name == "size")


def variable() -> list[Field]:
    """Return the settings that a sweep can vary."""
    found = [
        field
        for group in (ModelConfig, TrainingConfig)
        for field in fields(group)
        if field.metadata.get("group", group.group) not in ONE_VALUE
        and field.name not in ("seed", "patience")
    ]
    return [*found, size_field()]


def read_setting(field: Field, value: object) -> object:
    """Return a setting's `Range`, `Choice` or single value."""
    if isinstance(value, str) and BETWEEN in value:
        return read_range(field, value)
    if isinstance(value, str) and "," in value:
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, str) or not isinstance(value, Sequence):
        return read_single(field, value)
    if not value or "" in value:
        raise ConfigError("a value is missing", {name_of(field): ",".join(map(str, value))})
    values = tuple(dict.fromkeys(read_single(field, each) for each in value))
    return Choice(values) if len(values) > 1 else values[0]


def read_range(field: Field, text: str) -> object:
    """Return the range between two numbers; where they are the same, that number."""
    setting: dict[str, object] = {name_of(field): text}
    parts = [part.strip() for part in text.split(BETWEEN)]
    if len(parts) > 2 or "" in parts or "," in text:
        raise ConfigError("write a range as 128..512, or several values as 128,256", setting)
    low, high = (read_single(field, part) for part in parts)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        raise ConfigError("only numbers have a range; write lstm,gru", setting)
    if low > high:
        way_out = (
            f"write the smaller number first: {format_setting(high)}{BETWEEN}{format_setting(low)}"
        )
        raise ConfigError("an empty range", setting, way_out=way_out)
    if low == high:
        return low
    if isinstance(low, int):
        return Range(low, high, step=step_between(low, int(high)))
    return Range(low, high, logarithmic=low > 0 and bool(field.metadata.get("logarithmic")))


def step_between(low: int, high: int) -> int:
    """Return the largest step that is fine enough and leads from `low` to `high`."""
    return max(n for n in range(1, max(1, low // FINENESS) + 1) if (high - low) % n == 0)


def read_single(field: Field, value: object) -> object:
    """Return one value in the setting's type; ConfigError where it is not allowed."""
    kind: type = next(iter(get_args(field.type)), field.type)  # type: ignore[assignment]
    try:
        if isinstance(value, str):
            value = BOOLEANS[value.lower()] if kind is bool else kind(value)
    except (ValueError, KeyError):
        raise ConfigError(f"must be {KINDS[kind]}", {name_of(field): value}) from None
    value = float(value) if kind is float and type(value) is int else value
    check(field, value)
    return value


def check_each(varied: Mapping[str, Varied], fixed: Mapping[str, object]) -> None:
    """Check every value and end of a range before a sweep begins.

    Raises:
        ConfigError: It goes with nothing that the other settings may be.
    """
    for name, each in varied.items():
        for value in each.ends:
            ways = {other: own.ends for other, own in varied.items()} | {name: (value,)}
            combinations = islice(product(*ways.values()), MOST_TRIED)
            errors = (error_of({**fixed, **dict(zip(ways, c, strict=True))}) for c in combinations)
            first = next(errors)
            if first and all(errors):
                raise first


def error_of(settings: Mapping[str, object]) -> ConfigError | None:
    try:
        Config.of(**{name: value for name, value in settings.items() if name != "size"})
    except ConfigError as error:
        return error
    return None


def to_json(varied: Mapping[str, Varied]) -> dict[str, object]:
    return {
        name: asdict(each) if isinstance(each, Range) else list(each.values)
        for name, each in varied.items()
    }


def from_json(data: Mapping[str, object]) -> dict[str, Varied]:
    """The inverse of `to_json`; ValueError or ConfigError for what it cannot have returned."""
    known = {field.name: field for field in variable()}
    refuse_unknown(data, known)
    return {name: varied_from(known[name], each) for name, each in data.items()}


def varied_from(field: Field, data: object) -> Varied:
    if isinstance(data, list):
        values = tuple(read_single(field, each) for each in data)
        if len(values) < 2:
            raise ValueError(f"{field.name} has too few values")
        return Choice(values)
    found = from_object(Range, data, field.name)
    for end in found.ends:
        read_single(field, end)
    if found.low >= found.high or (found.step < 1) == isinstance(found.low, int):
        raise ValueError(f"{field.name} is no range")
    return found
