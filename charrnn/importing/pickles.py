"""Python's pickles, read without running anything.

A pickle is a program for a stack machine that may call whatever it names. Here the machine has only
the instructions that plain data and PyTorch's tensors need, and a name stands for one of `BUILDERS`
or else for an `Unbuilt` value, which whoever needs it refuses. Neither this nor its callers follow
nested values by recursion.
"""

import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pickletools import genops
from typing import Any

Builder = Callable[..., object]
"""Makes the value that a pickle asks for."""
CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
"""Instructions whose argument is the value."""
STRINGS = ("STRING", "BINSTRING", "SHORT_BINSTRING")
"""Those of Python 2."""
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(eq=False)
class Unbuilt:
    """A class or function that a pickle names, or an object of it that is not built."""

    name: str
    """Module and name, as in "__main__ CharRNN"."""

    def update(self, pairs: object) -> None:
        """Pass over what a dictionary of a user's class has."""


def dictionary(*arguments: object) -> dict[Any, object]:
    """A dictionary from nothing or from a list of keys and values, as Python 2 wrote it."""
    return checked(arguments[0] if arguments and isinstance(arguments[0], list) else [])


def checked(pairs: Any) -> dict[Any, object]:
    """A dictionary, if its keys are plain: the hash of a deeply nested tuple overflows."""
    made = {}
    for key, value in pairs:
        if not isinstance(key, (str, bytes, int, float)):
            raise pickle.UnpicklingError
        made[key] = value
    return made


BUILDERS: dict[str, Builder] = {
    "collections OrderedDict": dictionary,
    "collections defaultdict": dictionary,
}


def load(
    file: io.BytesIO, builders: Mapping[str, Builder] | None = None, refer: Builder | None = None
) -> Any:
    """Read the next pickle in a file. Strings of Python 2 become bytes.

    `builders` make values of names beside those of `BUILDERS`, `refer` of references to storages.
    There are no sets, whose order is no tool's numbering.
    """
    known, room = BUILDERS | dict(builders or {}), len(file.getbuffer())
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, object] = {}

    def taken(count: int | None = None) -> list[Any]:
        """The uppermost values, or all above the last mark."""
        begin = marks.pop() if count is None else len(stack) - count
        if begin < 0:
            raise pickle.UnpicklingError
        values = stack[begin:]
        del stack[begin:]
        return values

    for name, argument in instructions(file):
        if name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in VALUES:
            stack.append(argument)
        elif name in STRINGS:
            stack.append(argument.encode("latin-1"))
        elif name in TUPLES:
            stack.append(tuple(taken(TUPLES[name])))
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(taken()))
        elif name in ("EMPTY_LIST", "LIST"):
            stack.append(taken(0 if name == "EMPTY_LIST" else None))
        elif name in ("APPEND", "APPENDS"):
            values = taken(1 if name == "APPEND" else None)
            stack[-1].extend(values)
        elif name in ("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"):
            values = taken({"EMPTY_DICT": 0, "SETITEM": 2}.get(name))
            if name.endswith("DICT"):
                stack.append({})
            stack[-1].update(checked(zip(values[::2], values[1::2], strict=True)))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("POP", "BUILD"):  # an object's attributes are passed over
            taken(1)
        elif name == "GLOBAL":
            stack.append(Unbuilt(argument))
        elif name == "STACK_GLOBAL":
            stack.append(Unbuilt("{} {}".format(*taken(2))))
        elif name == "BINPERSID" and refer is not None:
            stack.append(refer(*taken(1)[0]))
        elif name in ("REDUCE", "NEWOBJ"):
            called, arguments = taken(2)
            if not isinstance(called, Unbuilt) or not isinstance(arguments, tuple):
                raise pickle.UnpicklingError
            copied = (e for e in (arguments, *arguments) if isinstance(e, (list, str, tuple)))
            room -= sum(map(len, copied))
            if room < 0:
                raise pickle.UnpicklingError
            build = known.get(called.name)
            stack.append(build(*arguments) if build else Unbuilt(called.name))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise pickle.UnpicklingError
    return stack.pop()


def instructions(file: io.BytesIO) -> Iterator[tuple[str, Any]]:
    """The instructions up to the end of a pickle, each by name and with its argument."""
    while True:
        place = file.tell()
        try:
            for opcode, argument, _ in genops(file):
                place = file.tell()
                yield opcode.name, argument
            return
        except UnicodeDecodeError:  # `genops` of Python 3.11 wants ASCII in Python 2's strings
            file.seek(place)
            line = file.readline().strip()
            if line[:1] != b"S":
                raise
            yield "STRING", line[2:-1].decode("unicode_escape")
