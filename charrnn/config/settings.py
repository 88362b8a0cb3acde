"""What a setting is: a dataclass field with its help and limits, checked when it is made."""

import inspect
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, field, fields
from difflib import get_close_matches
from functools import cache, wraps
from inspect import Parameter, Signature, cleandoc, signature
from typing import ClassVar, TypeVar, cast, get_args

from charrnn.checked_json import LARGEST, check_names
from charrnn.errors import ConfigError

Value = TypeVar("Value")
Group = TypeVar("Group", bound="Settings")
Function = TypeVar("Function", bound=Callable[..., object])
Late = Callable[[], Value]
"""What is looked up only when it is wanted, since users may add to it."""
ADVISED = "chosen"
"""What the help says in place of a default that training chooses for the text and the time."""
BOUNDS: dict[str, tuple[Callable, str]] = {
    "low": (lambda value, bound: value >= bound, "at least"),
    "high": (lambda value, bound: value <= bound, "at most"),
    "above": (lambda value, bound: value > bound, "above"),
    "below": (lambda value, bound: value < bound, "below"),
}
WIDTH = 88


def setting(default: Value, help: str | Late[str], **limits: object) -> Value:
    """A dataclass field with `help` and limits.

    Args:
        default: The value where none is given.
        help: A line of help, or a function that makes it. Other settings stand in backquotes
            in it, as in `units`.
        low, high: The smallest and the largest value.
        above, below: Bounds that the value itself may not reach.
        choices: All the values there are, or a function that looks them up.
        parse: Makes the value from a text.
        metavar: What the help calls such a text.
        shown: The default in words, where the value itself would say too little.
        resumable: Whether it may change when a run is resumed.
        inexact: Whether a run in which it has changed is no longer an exact continuation.
        shape: Whether a run that starts from another's weights takes it over.
        called: The name by which users know the setting, where it is not the field's.
        hidden: Whether it is no option of the command line.
        internal: Whether it is no keyword in Python either.
        group: The heading of the help under which it stands, where it is not its class's.
        advised: Whether training chooses its default for the text and the time.
        logarithmic: Whether a sweep searches a range of it by factors, not by distances.
    """
    made: Value = field(default=default, metadata={"help": help, **limits})
    return made


def resolve(value: Value | Late[Value]) -> Value:
    """The value itself; a function is called, and what it returns is the value."""
    return value() if callable(value) else value


def format_setting(value: object) -> str:
    """A setting's value as the command line writes it."""
    if isinstance(value, tuple):
        return ",".join(map(format_setting, value))
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def in_words(settings: Mapping[str, object]) -> str:
    """Settings by name with their values, for a line of help."""
    return " ".join(
        f"`{name}`" if value is True else f"`{name}` {format_setting(value)}"
        for name, value in settings.items()
    )


def default_of(setting: Field) -> object:
    """The default of a setting, or what the help says in its place."""
    advised = ADVISED if setting.metadata.get("advised") else setting.default
    return setting.metadata.get("shown", advised)


def name_of(setting: Field) -> str:
    return str(setting.metadata.get("called", setting.name))


class Settings:
    """Base of the groups of settings: parses and checks every field when it is made."""

    group: ClassVar[str] = "Settings"
    """The heading of the help under which the settings stand."""

    def __new__(cls: type[Group], *values: object, **settings: object) -> Group:
        """Refuse a name that is unknown, with a ConfigError, before the class's own `__init__`."""
        refuse_unknown(settings, [each.name for each in fields(cls)])  # type: ignore[arg-type]
        return super().__new__(cls)

    @classmethod
    def of(cls: type[Group], **settings: object) -> Group:
        """From settings by name; ConfigError for a name that is unknown."""
        return cls(**settings)

    @classmethod
    def from_json(cls: type[Group], data: object, name: str) -> Group:
        """From plain data that must have every setting by name.

        Raises:
            ValueError: It has a name too many or too few, or a text in place of a number.
            ConfigError: A setting has a value that it cannot have.
        """
        named = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
        given = check_names(data, named, name)
        for each, value in given.items():
            if isinstance(value, str) and not suits("", named[each].type):
                raise ValueError(f"{name}.{each} is a text")
        return cls(**given)

    def __post_init__(self) -> None:
        named = fields(self)  # type: ignore[arg-type]
        self._set(**{each.name: parse_value(each, getattr(self, each.name)) for each in named})
        self._unify()
        for each in named:
            check(each, getattr(self, each.name))
        self._complete()

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _unify(self) -> None:
        """Give values that may be written in several ways one form, before they are checked."""

    def _complete(self) -> None:
        """Fill in what follows from other settings; ConfigError where settings contradict."""


def refuse_unknown(
    settings: Iterable[str], known: Iterable[str], others: Iterable[str] = ()
) -> None:
    """Raise ConfigError where a setting has a name that is not known; it tells the nearest names.

    Args:
        settings: The names given.
        known: The names that there are.
        others: Names that may be meant as well: what else the function called takes.
    """
    known = set(known)
    unknown = sorted(set(settings) - known)
    if unknown:
        names = sorted((known | set(others)) - set(unknown))
        near = [match for name in unknown for match in get_close_matches(name, names, 1)]
        way_out = f"did you mean {' and '.join(f'`{name}`' for name in near)}?" if near else ""
        raise ConfigError("no such setting", dict.fromkeys(unknown), way_out=way_out)


def checks_names(function: Function) -> Function:
    """A decorator: a misspelt argument gets the ConfigError of a misspelt setting."""
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @wraps(function)
    def checked(*values: object, **settings: object) -> object:
        refuse_unknown(settings, known)
        return function(*values, **settings)

    return cast(Function, checked)


def parse_value(setting: Field, value: object) -> object:
    """The value as its setting keeps it; ConfigError where a text cannot be parsed."""
    if isinstance(value, str) and "parse" in setting.metadata:
        try:
            return setting.metadata["parse"](value)
        except ConfigError as error:
            raise ConfigError(error.why, {name_of(setting): value}) from None
    return value.tolist() if hasattr(value, "tolist") else value  # NumPy's


def check(setting: Field, value: object) -> None:
    """Raise ConfigError where the value is of another type or outside the setting's limits.

    None is a value of those settings alone whose type has it.
    """
    if not suits(value, setting.type):
        kind = getattr(setting.type, "__name__", setting.type)
        raise ConfigError(f"must be of type {kind}", {name_of(setting): value})
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    for each in values:
        check_limits(setting, each)


def check_limits(setting: Field, value: object) -> None:
    """Raise ConfigError where one value is outside the setting's limits."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError("must be a finite number", {name_of(setting): value})
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise ConfigError("is too large a number", {name_of(setting): None})
    for name, (holds, words) in BOUNDS.items():
        bound = setting.metadata.get(name)
        if bound is not None and not holds(value, bound):
            raise ConfigError(f"must be {words} {bound}", {name_of(setting): value})
    choices = resolve(setting.metadata.get("choices"))
    if choices is not None and value not in choices:
        raise ConfigError(f"must be one of {', '.join(choices)}", {name_of(setting): value})


def suits(value: object, kind: object) -> bool:
    """Whether a setting of the type takes the value: a whole number is also a real one.

    True and False are whole numbers to Python; here they are not.
    """
    kinds = get_args(kind) or (kind,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def several(kind: type[int] | type[float], hint: str) -> Callable[[str], object]:
    """A parser of one number, or of several with commas between them.

    Args:
        kind: int or float.
        hint: What several numbers mean, with an example.
    """

    def parse(text: str) -> object:
        try:
            numbers = tuple(map(kind, text.split(",")))
        except ValueError:
            raise ConfigError(f"write one number, or {hint}") from None
        return numbers if len(numbers) > 1 else numbers[0]

    return parse


def document_settings(
    *groups: type, like: Callable[..., object] | None = None
) -> Callable[[Function], Function]:
    """A decorator that puts settings into a function's signature and docstring.

    The function takes them as `**settings`. Its signature then has a keyword for each of them
    in place of that, and its docstring ends with their defaults and help.

    Args:
        groups: Classes of settings.
        like: A function to which `**settings` are handed on; its other keywords are named too.
    """

    def decorate(function: Function) -> Function:
        own = named(function)
        others = [] if like is None else [each for each in named(like) if keyword_only(each)]
        settings = [keyword(each) for group in groups for each in public(group)]
        parameters = {each.name: each for each in [*own, *others, *settings]}
        for each in own:  # where both have a keyword, the function's own counts
            parameters[each.name] = each
        returned = signature(function).return_annotation
        whole = Signature(list(parameters.values()), return_annotation=returned)
        setattr(function, "__signature__", whole)  # noqa: B010
        sections = [cleandoc(function.__doc__ or ""), *map(section, groups)]
        function.__doc__ = "\n\n".join(sections)
        return function

    return decorate


def named(function: Callable[..., object]) -> list[Parameter]:
    each = signature(function).parameters.values()
    return [parameter for parameter in each if parameter.kind is not Parameter.VAR_KEYWORD]


def keyword_only(parameter: Parameter) -> bool:
    return parameter.kind is Parameter.KEYWORD_ONLY


def public(group: type) -> Iterator[Field]:
    return (each for each in fields(group) if not each.metadata.get("internal"))


def keyword(setting: Field) -> Parameter:
    default = None if setting.metadata.get("advised") else setting.default
    kind = Parameter.KEYWORD_ONLY
    return Parameter(name_of(setting), kind, default=default, annotation=setting.type)


@cache
def section(group: type) -> str:
    """The settings of a group for a docstring: what the group is, then each setting."""
    title = cleandoc(group.__doc__ or "").splitlines()[0]
    return "\n".join([f"{title}", *map(entry, public(group))])


def entry(setting: Field) -> str:
    """A setting with its default and its help, wrapped."""
    default = default_of(setting)
    default = repr(default) if default is setting.default else default
    text = f"{name_of(setting)} ({default}): {short_help(setting)}"
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="        ")


def short_help(setting: Field) -> str:
    """The setting's help; where users may add to its choices, those that are there by now."""
    choices = setting.metadata.get("choices")
    if not callable(choices):
        return str(setting.metadata["help"])
    choices = resolve(choices)
    return f"One of {', '.join(getattr(choices, 'present', choices))}."
