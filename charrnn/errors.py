"""The error tree. Every message is one line: where or which setting, what is wrong, the way out."""

from collections.abc import Callable, Mapping


def named_in_python(name: str, value: object) -> str:
    """A setting in backquotes with its value, unless that is None or True."""
    return f"`{name}`" if value is None or value is True else f"`{name}` {value!r}"


class CharrnnError(Exception):
    """Base of all errors that a user can mend.

    The library names settings as Python does; in `why` and `way_out` each stands in
    backquotes, alone or with a value, as in "lower `batch_size`" or "give `time 5m`". A
    program with other names for them, like the command line with its options, makes a line
    of its own from the fields.

    Args:
        why: What is wrong.
        settings: The settings at fault and their values, by name. A value of None or True is
            left out of the message: naming the setting says it.
        where: The file, folder or run in question.
        way_out: What the user can do.
    """

    def __init__(
        self,
        why: str,
        settings: Mapping[str, object] | None = None,
        *,
        where: object = None,
        way_out: str = "",
    ) -> None:
        super().__init__(why)
        self.why, self.settings = why, dict(settings or {})
        self.where, self.way_out = where, way_out

    @property
    def setting(self) -> str | None:
        return next(iter(self.settings), None)

    @property
    def value(self) -> object:
        return next(iter(self.settings.values()), None)

    def __str__(self) -> str:
        return self.line()

    def line(
        self,
        named: Callable[[str, object], str] = named_in_python,
        worded: Callable[[str], str] = str,
    ) -> str:
        """The message in one line.

        Args:
            named: Writes a setting with its value.
            worded: What becomes of a text with settings in backquotes.
        """
        settings = " ".join(named(name, value) for name, value in self.settings.items())
        heads = [str(head) for head in (self.where, settings) if head not in (None, "")]
        way_out = f"; {worded(self.way_out)}" if self.way_out else ""
        return ": ".join([*heads, worded(self.why)]) + way_out


class ConfigError(CharrnnError):
    """A setting has an impossible value, or settings contradict each other."""


class CorpusError(CharrnnError):
    """The text cannot be read, decoded or trained on."""


class RunError(CharrnnError):
    """A run is unknown, already there, locked by another process, or finished."""


class CheckpointError(CharrnnError):
    """A checkpoint is damaged, or of a format that this version does not read."""


class DivergedError(CharrnnError):
    """Training keeps producing losses or gradients that are not finite."""


class PluginError(CharrnnError):
    """An installed package adds something to charrnn that cannot be loaded."""


class MissingPackageError(CharrnnError):
    """A package that this part of charrnn needs is not installed."""


class RankError(CharrnnError):
    """The ranks of a launcher cannot train together: one differs from the others, or MPI does."""
