"""Python's own help: functions that tell which settings they take, from the settings themselves."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import Field, fields
from functools import cache
from inspect import Parameter, Signature, cleandoc, signature
from typing import TypeVar

from charrnn.config.settings import default_of, looked_up, name_of

Function = TypeVar("Function", bound=Callable[..., object])
WIDTH = 88


def documented(
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
    """The parameters of a function but for `**settings`."""
    each = signature(function).parameters.values()
    return [parameter for parameter in each if parameter.kind is not Parameter.VAR_KEYWORD]


def keyword_only(parameter: Parameter) -> bool:
    """Whether a parameter is given by name."""
    return parameter.kind is Parameter.KEYWORD_ONLY


def public(group: type) -> Iterator[Field]:
    """The settings of a group that users know."""
    return (each for each in fields(group) if not each.metadata.get("hidden"))


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
    choices = looked_up(choices)
    return f"One of {', '.join(getattr(choices, 'present', choices))}."
