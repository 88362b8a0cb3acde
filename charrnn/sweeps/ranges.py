"""What a sweep varies: settings with a range, as in 128..512, or with values, as in lstm,gru."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields
from itertools import islice, product
from typing import get_args

from charrnn.config import Config, ModelConfig, Plan, TrainingConfig
from charrnn.config.settings import check, format_setting, name_of, refuse_unknown
from charrnn.errors import ConfigError

BETWEEN = ".."
"""Stands between the ends of a range."""
FINE = 4
"""A range of whole numbers is cut into steps of at most this share of its lower end: a quarter."""
TRIED = 500
"""With so many combinations of the other settings a value is tried before it is refused."""
DIGITS = 3
"""A real number that is drawn has so many digits."""
SIZES = ("layers", "units")
ONE_VALUE = ("Machine", "Reporting")
"""Groups of settings that do not change what is learnt: each has one value in a sweep."""
WORDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


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
    def values(self) -> tuple[object, ...] | None:
        return tuple(range(int(self.low), int(self.high) + 1, self.step)) if self.step else None

    def near(self, value: object) -> object:
        """The value that is trained with: a real number with few digits, within the range."""
        if self.step:
            return value
        short = float(f"{value:.{DIGITS}g}")
        return min(max(short, self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """Several values, each as likely as the next."""

    values: tuple[object, ...]

    def __str__(self) -> str:
        return ",".join(map(format_setting, self.values))

    def near(self, value: object) -> object:
        return value


Varied = Range | Choice


def divide(settings: Mapping[str, object]) -> tuple[dict[str, Varied], dict[str, object]]:
    """Settings with a range or several values, and those with one.

    Args:
        settings: By name. A range is a text, as "128..512"; several values are a text, as
            "lstm,gru", or a list.

    Raises:
        ConfigError: A name is unknown, a range is empty, or a value cannot be.
    """
    known = {name_of(each): each for _, each in Config.fields()} | {"size": size_field()}
    refuse_unknown(settings, known)
    read = {name: read_setting(known[name], value) for name, value in settings.items()}
    varied = {name: each for name, each in read.items() if isinstance(each, Varied)}
    fixed = {name: each for name, each in read.items() if name not in varied}
    for name in varied:
        if known[name] not in variable():
            raise ConfigError("has one value in a sweep", {name: settings[name]})
    return varied, fixed


def size_field() -> Field:
    return next(each for each in fields(Plan) if each.name == "size")


def variable() -> list[Field]:
    """The settings that a sweep can vary."""
    groups = [(group, each) for group in (ModelConfig, TrainingConfig) for each in fields(group)]
    own = [
        each for group, each in groups if each.metadata.get("group", group.group) not in ONE_VALUE
    ]
    return [*(each for each in own if each.name not in ("seed", "patience")), size_field()]


def read_setting(field: Field, given: object) -> object:
    """A setting's `Range`, `Choice` or single value."""
    if isinstance(given, str) and (BETWEEN in given or "," in given):
        return read_text(field, given)
    if isinstance(given, Sequence) and not isinstance(given, str):
        return chosen(field, given)
    return single(field, given)


def read_text(field: Field, given: str) -> object:
    """What a text says that has commas, or dots between two numbers."""
    parts = [part.strip() for part in given.split(BETWEEN)]
    if len(parts) == 1:
        return chosen(field, [part.strip() for part in given.split(",")])
    if len(parts) > 2 or "" in parts or "," in given:
        raise ConfigError(
            "write a range as 128..512, or several values as 128,256",
            {name_of(field): given},
        )
    low, high = (single(field, part) for part in parts)
    return ranged(field, low, high, given)


def ranged(field: Field, low: object, high: object, given: str) -> object:
    """The range between two numbers; where they are the same, that number."""
    name = name_of(field)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        raise ConfigError("only numbers have a range; write lstm,gru", {name: given})
    if low > high:
        way_out = (
            f"write the smaller number first: {format_setting(high)}{BETWEEN}{format_setting(low)}"
        )
        raise ConfigError("an empty range", {name: given}, way_out=way_out)
    if low == high:
        return low
    if isinstance(low, int):
        return Range(low, high, step=step_between(low, int(high)))
    return Range(low, high, logarithmic=low > 0 and bool(field.metadata.get("logarithmic")))


def step_between(low: int, high: int) -> int:
    most = max(1, low // FINE)
    return max(step for step in range(1, most + 1) if (high - low) % step == 0)


def chosen(field: Field, given: Sequence[object]) -> object:
    """The values, each once; where there is one alone, that value."""
    if not given or "" in given:
        raise ConfigError("a value is missing", {name_of(field): ",".join(map(str, given))})
    values = tuple(dict.fromkeys(single(field, each) for each in given))
    return Choice(values) if len(values) > 1 else values[0]


def single(field: Field, given: object) -> object:
    """One value, as the setting keeps it."""
    kind = kind_of(field)
    try:
        value = convert(kind, given) if isinstance(given, str) else given
    except ValueError:
        raise ConfigError(f"must be {WORDS[kind]}", {name_of(field): given}) from None
    value = float(value) if kind is float and type(value) is int else value
    check(field, value)
    return value


def convert(kind: type, text: str) -> object:
    """The value that a text stands for; ValueError where it stands for none."""
    if kind is bool:
        if text.lower() not in TRUTHS:
            raise ValueError(text)
        return TRUTHS[text.lower()]
    return kind(text)


def kind_of(field: Field) -> type:
    return next(iter(get_args(field.type)), field.type)  # type: ignore[return-value]


def combinations(varied: Mapping[str, Varied]) -> int | None:
    """How many ways there are; None where there is no end of them."""
    number = 1
    for each in varied.values():
        if each.values is None:
            return None
        number *= len(each.values)
    return number


def to_json(varied: Mapping[str, Varied]) -> dict[str, object]:
    """Plain data, from which `from_json` makes the same."""
    return {
        name: asdict(each) if isinstance(each, Range) else list(each.values)
        for name, each in varied.items()
    }


def from_json(data: Mapping[str, object]) -> dict[str, Varied]:
    """Back from `to_json`."""
    return {
        name: Range(**each) if isinstance(each, dict) else Choice(tuple(each))  # type: ignore
        for name, each in data.items()
    }


def check_each(varied: Mapping[str, Varied], fixed: Mapping[str, object]) -> None:
    """Raise ConfigError where the end of a range, or one of the values, goes with nothing that
    the other settings may be; a sweep then does not begin."""
    values = {name: ends(each) for name, each in varied.items()}
    for name, own in values.items():
        for value in own:
            ways = product(*{**values, name: (value,)}.values())
            refuse_all(
                [{**fixed, **dict(zip(values, way, strict=True))} for way in islice(ways, TRIED)]
            )


def refuse_all(ways: Iterable[Mapping[str, object]]) -> None:
    """Raise the first one's ConfigError if all ways are impossible."""
    errors = []
    for way in ways:
        try:
            Config.of(**{name: each for name, each in way.items() if name != "size"})
        except ConfigError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def ends(varied: Varied) -> tuple[object, ...]:
    if isinstance(varied, Choice):
        return varied.values
    return tuple(int(each) if varied.step else each for each in (varied.low, varied.high))
