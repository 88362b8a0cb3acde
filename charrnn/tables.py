"""Tables of named things that a user can add to: cells, filters, optimizers, commands.

A program adds to a table by calling its `add`. An installed package adds to it by an entry
point of the table's group, which names the thing; it is imported when somebody asks for
that name, or for all there are:

    [project.entry-points."charrnn.cells"]
    mine = "my_package.cells:Mine"
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from charrnn.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Item = TypeVar("Item")


class Table(Mapping[str, Item]):
    """Things of one kind by name, in the order in which they were added.

    Args:
        kind: What one of them is called, as in "cell"; its entry points are in the group
            "charrnn.cells".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, Item] = {}

    @property
    def group(self) -> str:
        """The group of entry points."""
        return f"charrnn.{self.kind}s"

    def add(self, name: str, item: Item) -> Item:
        """Add one and return it; ConfigError where another has the name.

        A definition in a notebook or an interactive session may be run again: it replaces
        its older self.
        """
        if self._items.get(name, item) is not item and not typed_in(item):
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

    def __getitem__(self, name: str) -> Item:
        if name not in self._items:
            self._load(name)
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self.present)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, name: str | None = None) -> None:
        """Add what installed packages offer, all of it or under one name."""
        from importlib.metadata import entry_points  # takes a tenth of the time to a first letter

        for entry in entry_points(group=self.group):
            if name in (None, entry.name):
                self.add(entry.name, self._loaded(entry))

    def _loaded(self, entry: "EntryPoint") -> Item:
        """What an entry point names; PluginError where it cannot be imported."""
        try:
            item: Item = entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else entry.value
            raise PluginError(
                f"the {self.kind} '{entry.name}' of the package {package} cannot be loaded:"
                f" {type(error).__name__}: {error}",
                way_out=f"mend or uninstall {package}",
            ) from error
        return item


def typed_in(item: object) -> bool:
    """Whether a definition stands in the user's own program or notebook."""
    return getattr(item, "__module__", None) == "__main__"
