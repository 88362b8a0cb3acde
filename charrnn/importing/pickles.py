"""Python's pickles, read without running anything.

A pickle is a program for a stack machine that may call whatever it names. Here only plain data
comes out of it (numbers, texts, lists, dictionaries), and what `BUILDERS` makes of the names that
vocabularies, options and PyTorch's tensors need. Any other name becomes an `Unbuilt`, which whoever
needs the value refuses. Strings of Python 2 come out as bytes.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST_DEPTH = 100
"""Of values inside one another."""
Builder = Callable[[tuple], object]
"""Makes the value that a pickle asks for, from the arguments of a call."""


@dataclass(eq=False)
class Unbuilt:
    """An object of a class that is not built, and what it was to be made from."""

    name: str
    """Module and class, as in "__main__ CharRNN"."""
    state: list[object] = field(default_factory=list)


@dataclass(eq=False)
class Name:
    """A class or function that a pickle names."""

    name: str


class Mark:
    """The beginning of several values on the stack."""


def pairs(arguments: tuple) -> dict[Any, object]:
    """A dictionary from nothing or from a list of keys and values, as Python 2 wrote it."""
    made: dict[Any, object] = {}
    for key, value in arguments[0] if arguments and isinstance(arguments[0], list) else ():
        made[checked_key(key)] = value
    return made


def checked_key(key: object) -> object:
    """A dictionary's key; ValueError where it is no plain data. A tuple may be too deep to hash."""
    if not isinstance(key, (str, bytes, int, float)):
        raise ValueError("its pickle has a dictionary whose keys are no plain data")
    return key


def items(arguments: tuple) -> list[object]:
    """A set's or list's values in their order."""
    if arguments and not isinstance(arguments[0], (list, tuple)):
        raise ValueError("its pickle has a set of an unknown kind")
    return list(arguments[0]) if arguments else []


def new_object(arguments: tuple) -> object:
    """An object before its state is known, as Python 2 made it from its class."""
    name = arguments[0].name if arguments and isinstance(arguments[0], Name) else "an object"
    return {} if name == NAMESPACE else Unbuilt(name)


NAMESPACE = "argparse Namespace"
BUILDERS: dict[str, Builder] = {
    NAMESPACE: pairs,
    "collections OrderedDict": pairs,
    "collections defaultdict": pairs,
    "__builtin__ set": items,
    "builtins set": items,
    "_codecs encode": lambda arguments: arguments[0].encode("latin-1"),
    "copy_reg _reconstructor": new_object,
}
"""By module and name, as in "collections OrderedDict"."""


@dataclass
class Unpickler:
    """Reads pickles that stand one after the other in a file's bytes.

    Args:
        data: The bytes.
        place: Where the first pickle begins; after `read`, where it ended.
        builders: What is made of names beside those of `BUILDERS`.
        persistent: What is made of PyTorch's references to storages.
    """

    data: bytes
    place: int = 0
    builders: Mapping[str, Builder] = field(default_factory=dict)
    persistent: Builder | None = None

    def read(self) -> object:
        """The next value; ValueError where it is no pickle, or not of plain data."""
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.copied = 0
        try:
            while True:
                code = self.take(1)
                if code == b".":
                    return shallow(self.pop())
                self.step(code)
        except (IndexError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise ValueError("its pickle is damaged, or has what is not plain data") from error

    def step(self, code: bytes) -> None:
        """Carry out one instruction."""
        if code in NOTHING:
            self.take(NOTHING[code])
        elif code in CONSTANTS:
            self.push(CONSTANTS[code])
        elif code in EMPTY:
            self.push(EMPTY[code]())
        elif code in NUMBERS:
            self.push(self.number(NUMBERS[code]))
        elif code in COUNTED:
            length, make = COUNTED[code]
            self.push(make(self.take(self.number(length))))
        elif code in LINES:
            self.push(LINES[code](self.line()))
        elif code in FETCHED:
            self.push(self.memo[self.index(FETCHED[code])])
        elif code in STORED:
            self.memo[self.index(STORED[code])] = self.stack[-1]
        elif code in OTHERS:
            OTHERS[code](self)
        else:
            raise ValueError(f"its pickle has the instruction {code!r}, which is not known")

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError where the file has fewer."""
        if not 0 <= count <= len(self.data) - self.place:
            raise ValueError("it is cut short")
        begin, self.place = self.place, self.place + count
        return self.data[begin : self.place]

    def line(self) -> bytes:
        """The bytes up to the end of a line."""
        end = self.data.find(b"\n", self.place)
        return self.take(end + 1 - self.place)[:-1]

    def number(self, form: str) -> Any:
        """A number in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def index(self, form: str) -> int:
        """A place in the memo: a number, or a line of digits, or the next free one."""
        if form == "next":
            return len(self.memo)
        return int(self.line()) if form == "line" else int(self.number(form))

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take a value from the stack, which is none of several."""
        value = self.stack.pop()
        if isinstance(value, Mark):
            raise ValueError("its pickle is damaged")
        return value

    def since_mark(self) -> list[Any]:
        """Take the values that were put on the stack since the last mark."""
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], Mark):
            place -= 1
            if place < 0:
                raise IndexError
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def append(self, values: list[Any]) -> None:
        """Add values to the list on the stack."""
        self.stack[-1].extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Add keys and values to the dictionary on the stack."""
        owner = self.stack[-1]
        made = pairs((list(zip(values[::2], values[1::2], strict=True)),))
        if isinstance(owner, dict):
            owner.update(made)

    def call(self, arguments: object) -> None:
        """Build what a name and its arguments stand for; nothing is run that is not ours."""
        name = self.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise ValueError("its pickle calls what is no name")
        self.copied += sum(len(each) for each in arguments if isinstance(each, (list, tuple)))
        if self.copied > len(self.data):
            raise ValueError("its pickle copies more than there is in it")
        build = self.builders.get(name.name) or BUILDERS.get(name.name)
        self.push(build(arguments) if build else Unbuilt(name.name, [arguments]))

    def set_state(self) -> None:
        """Give an object its state."""
        state, owner = self.pop(), self.stack[-1]
        if isinstance(owner, Unbuilt):
            owner.state.append(state)
        elif isinstance(owner, dict) and isinstance(state, dict):
            owner.update({key: each for key, each in state.items() if key != "_metadata"})

    def refer(self, reference: object) -> None:
        """Put on the stack what a reference to a storage stands for."""
        if self.persistent is None or not isinstance(reference, tuple):
            raise ValueError("its pickle refers to something outside of it")
        self.push(self.persistent(reference))


def shallow(value: Any) -> Any:
    """The value; ValueError where it is nested too deeply."""
    level, seen = [value], set[int]()
    for _ in range(LARGEST_DEPTH):
        seen.update(map(id, level))
        within = (inner for each in level for inner in contents(each))
        level = list({id(each): each for each in within if id(each) not in seen}.values())
        if not level:
            return value
    raise ValueError("its pickle is nested too deeply")


def contents(value: object) -> Iterable[object]:
    """The containers and objects directly within a value."""
    if isinstance(value, Unbuilt):
        value = value.state
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list, tuple)) or not isinstance(inner, Iterable):
        return ()
    return [each for each in inner if isinstance(each, (dict, list, tuple, Unbuilt))]


def python_2_text(line: bytes) -> bytes:
    """A string of Python 2 in quotes, as `repr` writes it."""
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError("its pickle has a string without quotes")
    return line[1:-1].decode("unicode_escape").encode("latin-1")


def whole_number(line: bytes) -> int:
    """A number in digits; 00 and 01 are false and true."""
    return int(line.rstrip(b"L"))


def signed(data: bytes) -> int:
    """A number of any length."""
    return int.from_bytes(data, "little", signed=True)


def utf_8(data: bytes) -> str:
    """A text."""
    return data.decode("utf-8", "surrogatepass")


NOTHING = {b"\x80": 1, b"\x95": 8}
"""The version, and the length of a frame, which are not needed."""
CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}
EMPTY: dict[bytes, Callable[[], object]] = {b"}": dict, b"]": list, b")": tuple, b"\x8f": list}
EMPTY |= {b"(": Mark}
NUMBERS = {b"J": "<i", b"K": "B", b"M": "<H", b"G": ">d"}
COUNTED: dict[bytes, tuple[str, Callable[[bytes], object]]] = {
    b"\x8a": ("B", signed),
    b"\x8b": ("<i", signed),
    b"U": ("B", bytes),
    b"T": ("<i", bytes),
    b"C": ("B", bytes),
    b"B": ("<I", bytes),
    b"\x8e": ("<Q", bytes),
    b"\x8c": ("B", utf_8),
    b"X": ("<I", utf_8),
    b"\x8d": ("<Q", utf_8),
}
LINES: dict[bytes, Callable[[bytes], object]] = {
    b"I": whole_number,
    b"L": whole_number,
    b"F": float,
    b"S": python_2_text,
    b"V": lambda line: line.decode("raw-unicode-escape"),
}
FETCHED = {b"g": "line", b"h": "B", b"j": "<I"}
STORED = {b"p": "line", b"q": "B", b"r": "<I", b"\x94": "next"}
OTHERS: dict[bytes, Callable[[Unpickler], None]] = {
    b"0": lambda own: own.stack.pop(),
    b"t": lambda own: own.push(tuple(own.since_mark())),
    b"\x85": lambda own: own.push((own.pop(),)),
    b"\x86": lambda own: own.push((own.pop(), own.pop())[::-1]),
    b"\x87": lambda own: own.push((own.pop(), own.pop(), own.pop())[::-1]),
    b"a": lambda own: own.append([own.pop()]),
    b"e": lambda own: own.append(own.since_mark()),
    b"\x90": lambda own: own.append(own.since_mark()),
    b"s": lambda own: own.set_items([own.pop(), own.pop()][::-1]),
    b"u": lambda own: own.set_items(own.since_mark()),
    b"l": lambda own: own.push(own.since_mark()),
    b"d": lambda own: push_dictionary(own),
    b"c": lambda own: own.push(Name(f"{own.line().decode()} {own.line().decode()}")),
    b"\x93": lambda own: own.push(Name(" ".join((own.pop(), own.pop())[::-1]))),
    b"R": lambda own: own.call(own.pop()),
    b"\x81": lambda own: own.call(own.pop()),
    b"b": lambda own: own.set_state(),
    b"Q": lambda own: own.refer(own.pop()),
}


def push_dictionary(own: Unpickler) -> None:
    """Put the values since the mark on the stack as a dictionary."""
    values = own.since_mark()
    own.push({})
    own.set_items(values)
