"""Tables that users add to (cells, filters, optimizers, commands, formats), and optional packages.

A program adds to a table by calling its `add`. An installed package adds to it by an entry
point of the table's group, which names the thing; it is imported when somebody asks for
that name, or for the help:

    [project.entry-points."charrnn.cells"]
    mine = "my_package.cells:Mine"
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from charrnn.errors import ConfigError, MissingPackageError, PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


Item = TypeVar("Item")
REQUIREMENTS = {"onnx": "onnx>=1.18", "plot": "matplotlib>=3.10.8", "sweep": "optuna>=5.0"}
"""What the extras of setup.cfg install, by their names."""


class Table(Mapping[str, Item]):
    """Things of one kind by name, in the order in which they were added.

    What installed packages offer is listed without being imported, and loaded under its name.

    Args:
        kind: What one of them is called, as in "cell"; its entry points are in the group
            "charrnn.cells".
        check: Raises ConfigError where something cannot be one of them.
    """

    def __init__(self, kind: str, check: Callable[[Item], None] = lambda item: None) -> None:
        self.kind, self._check = kind, check
        self._items: dict[str, Item] = {}

    @property
    def group(self) -> str:
        return f"charrnn.{self.kind}s"

    def add(self, name: str, item: Item) -> Item:
        """Add one and return it; ConfigError where another has the name, or it is unfit.

        A definition in a notebook or a program may be run again: it replaces its older self.
        """
        self._check(item)
        old = self._items.get(name, item)
        if old is not item and not same_definition(old, item):
            raise ConfigError(
                f"there is a {self.kind} of this name already",
                {self.kind: name},
                way_out="choose another name",
            )
        self._items[name] = item
        return item

    @property
    def present(self) -> dict[str, Item]:
        """Those that are in the table already, without a look at the installed packages."""
        return dict(self._items)

    def working(self, report: Callable[[PluginError], object]) -> dict[str, Item]:
        """All that can be loaded; what is wrong with the others is reported, a call for each."""
        for name, entries in self._offered().items():
            try:
                self._load(name, entries)
            except PluginError as error:
                report(error)
        return self.present

    def __getitem__(self, name: str) -> Item:
        if name not in self._items:
            self._load(name, self._offered().get(name, []))
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._items, *self._offered()]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _offered(self) -> "dict[str, list[EntryPoint]]":
        """The entry points of installed packages, by name."""
        from importlib.metadata import entry_points  # takes a tenth of the time to a first letter

        offered: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=self.group):
            offered.setdefault(entry.name, []).append(entry)
        return offered

    def _load(self, name: str, entries: "list[EntryPoint]") -> None:
        """Add what packages offer under a name; PluginError where that cannot be done."""
        if len(entries) > 1:
            packages = " and ".join(map(package_of, entries))
            raise self._broken(name, packages, "both have one of this name")
        for entry in entries:
            try:
                self._add_loaded(name, entry.load())
            except ConfigError as error:
                raise self._broken(name, package_of(entry), error.why) from error
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                raise self._broken(name, package_of(entry), why) from error

    def _add_loaded(self, name: str, item: Item) -> None:
        """Add what an entry point names; ConfigError where it has registered another name."""
        for other, each in self._items.items():
            if each is item and other != name:
                raise ConfigError(f"it calls itself '{other}', and its entry point must too")
        self.add(name, item)

    def _broken(self, name: str, package: str, why: str) -> PluginError:
        return PluginError(
            f"the {self.kind} '{name}' of the package {package} cannot be loaded: {why}",
            way_out=f"repair or uninstall {package}",
        )


def package_of(entry: "EntryPoint") -> str:
    return str(entry.dist.name) if entry.dist else entry.value


def same_definition(old: object, new: object) -> bool:
    """Whether both were made by one definition in the user's own program, run again."""
    places = [
        (getattr(each, "__module__", ""), getattr(each, "__qualname__", ""))
        for each in (definition(old), definition(new))
    ]
    return places[0] == places[1] and places[0][0] == "__main__"


def definition(item: object) -> object:
    """The class or function that an item was made from: that of a filter, command or format."""
    made_from = (getattr(item, name, None) for name in ("apply", "callback", "make"))
    return next(filter(None, made_from), item)


def need(module: str, extra: str) -> ModuleType:
    """Import a module of a package that an extra installs.

    Raises:
        MissingPackageError: The package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingPackageError(
            f"this needs the package {package}, which is not installed",
            way_out=f'install it with: pip install "{REQUIREMENTS[extra]}"',
        ) from None
