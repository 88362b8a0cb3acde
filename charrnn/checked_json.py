"""Plain data out of JSON, each value held against the type that is expected of it.

Files may come from anywhere. What they say goes through here before anything believes it: a
value of another type, a name too many or too few is a ValueError that names it.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Item = TypeVar("Item")

LARGEST = 1 << 63
"""Whole numbers are smaller: nothing here counts further."""
WORDS: dict[object, str] = {bool: "true or false", int: "a whole number", float: "a number"}
WORDS |= {str: "a text"}


def parse(text: str | bytes) -> object:
    """What a JSON text says."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it is not JSON") from None


def check_object(value: object, name: str) -> dict[str, object]:
    """A value that has to be a JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value


def check_names(value: object, names: Iterable[str], name: str) -> dict[str, object]:
    """An object that has to have these names and no others."""
    given, names = check_object(value, name), dict.fromkeys(names)
    for each in names:
        if each not in given:
            raise ValueError(f"{name} lacks {quote_name(each)}")
    for each in given:
        if each not in names:
            raise ValueError(f"{name} has {quote_name(each)}, which is not known")
    return given


def from_object(kind: type[Item], value: object, name: str) -> Item:
    """A dataclass from an object with a value for each field."""
    hints = hints_of(kind)  # type: ignore[arg-type]
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    given = check_names(value, names, name)
    return kind(**{each: check_type(hints[each], given[each], f"{name}.{each}") for each in names})


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields by name, which take long to find."""
    return get_type_hints(kind)


def check_type(kind: object, value: object, name: str) -> Any:
    """A value of the type: bool, int, float, str, a tuple of those, or any of them or None."""
    if isinstance(kind, UnionType):
        (own,) = (each for each in get_args(kind) if each is not NoneType)
        return None if value is None else check_type(own, value, name)
    if get_origin(kind) is tuple:
        return tuple(typed_items(get_args(kind), value, name))
    if type(value) is not kind and (type(value), kind) != (int, float):
        raise ValueError(f"{name} is not {WORDS[kind]}")
    check_number(value, name)
    return value


def typed_items(kinds: tuple[object, ...], value: object, name: str) -> list[object]:
    """The items of a list: all of one type where the kinds end in `...`, else one for each."""
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"{name} has {len(value)} items in place of {len(kinds)}")
    return [check_type(kind, item, name) for kind, item in zip(kinds, value, strict=True)]


def check_number(value: object, name: str) -> None:
    """Raise ValueError where a number is beyond what anything here can count."""
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise ValueError(f"{name} is too large")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is not a finite number")


def at_least(low: int, values: dict[str, int | float | None]) -> None:
    """Raise ValueError where one of the values by name is below the bound; None is not."""
    for name, value in values.items():
        if value is not None and value < low:
            raise ValueError(f"{name} is below {low}")


def quote_name(name: str) -> str:
    """A name from a file, fit to be shown in a line: short, and nothing in it but ASCII."""
    return ascii(name if len(name) <= 60 else f"{name[:60]}...")
