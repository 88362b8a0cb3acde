"""Python's pickles, read without running anything.

A pickle is a program for a stack machine that may call whatever it names. Here the machine has only
the instructions that plain data and PyTorch's tensors need, and a name stands for one of `BUILDERS`
or else for an `Unbuilt` value, which whoever needs it refuses. Neither this nor its callers follow
nested values by recursion.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Builder = Callable[..., object]
"""Makes the value that a pickle asks for."""


@dataclass(eq=False)
class Unbuilt:
    """A class or function that a pickle names, or an object of it that is not built."""

    name: str
    """Module and name, as in "__main__ CharRNN"."""

    def __setitem__(self, key: object, value: object) -> None:
        """Pass over what a dictionary of a user's class has."""


def dictionary(*arguments: object) -> dict[Any, object]:
    """A dictionary from nothing or from a list of keys and values, as Python 2 wrote it."""
    pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
    return {checked_key(key): value for key, value in pairs}


def checked_key(key: object) -> object:
    """A dictionary's key, if it is plain: the hash of a tuple in a tuple in a tuple … overflows."""
    if not isinstance(key, (str, bytes, int, float)):
        raise pickle.UnpicklingError
    return key


BUILDERS: dict[str, Builder] = {
    "collections OrderedDict": dictionary,
    "collections defaultdict": dictionary,
}
OWN = pickle._Unpickler.dispatch
"""The instructions of Python's own machine, the one that is written in Python."""
PLAIN = b"\x80\x95.(}])NIJKMLGF\x88\x89\x8a\x8bSTUVX\x8c\x8dCB\x8eaelt\x85\x86\x87gjhprq\x940c\x93Q"
"""Those that make numbers, texts, lists, tuples, names and references. There are none for sets,
whose order is no tool's numbering."""
KEYS = {b"s": slice(-2, -1), b"u": slice(0, None, 2), b"d": slice(0, None, 2)}
"""Those that fill dictionaries, and where on the stack the keys are."""


class Unpickler(pickle._Unpickler):
    """Reads pickles that stand one after the other in a file. Strings of Python 2 become bytes.

    `builders` make values of names beside those of `BUILDERS`, `refer` of references to storages.
    """

    stack: list[Any]
    append: Callable[[object], None]

    def __init__(
        self,
        file: io.BytesIO,
        builders: Mapping[str, Builder] | None = None,
        refer: Builder | None = None,
    ) -> None:
        super().__init__(file, encoding="bytes")
        self.builders, self.refer = BUILDERS | dict(builders or {}), refer
        self.room = len(file.getbuffer())

    def find_class(self, module: str, name: str) -> Unbuilt:
        return Unbuilt(f"{module} {name}")

    def persistent_load(self, pid: Any) -> object:
        if self.refer is None:
            raise pickle.UnpicklingError
        return self.refer(*pid)

    def load_call(self) -> None:
        """Build what a name and its arguments stand for; copies are bounded by the file's size."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Unbuilt) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError
        copied = (each for each in (arguments, *arguments) if isinstance(each, (list, str, tuple)))
        self.room -= sum(map(len, copied))
        if self.room < 0:
            raise pickle.UnpicklingError
        build = self.builders.get(name.name)
        self.append(build(*arguments) if build else Unbuilt(name.name))


def with_checked_keys(code: bytes) -> Callable[[Any], None]:
    """An instruction that fills a dictionary, if its keys are plain."""

    def load(own: Any) -> None:
        for each in own.stack[KEYS[code]]:
            checked_key(each)
        OWN[code[0]](own)

    return load


Unpickler.dispatch = {code: OWN[code] for code in PLAIN}
Unpickler.dispatch |= {code[0]: with_checked_keys(code) for code in KEYS}
Unpickler.dispatch |= dict.fromkeys(b"R\x81", Unpickler.load_call)  # type: ignore[arg-type]
Unpickler.dispatch |= {ord("b"): OWN[ord("0")]}  # an object's attributes are passed over
