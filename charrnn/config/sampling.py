"""How text is written: the settings of `charrnn sample`."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

from charrnn.config.settings import Settings, setting, several
from charrnn.errors import ConfigError

ENGINES = ("auto", "numpy", "tensorflow")
SEEDS = 1 << 64
"""How many seeds there are: whole numbers from 0 on."""


@dataclass(frozen=True)
class SamplingConfig(Settings):
    """What to write."""

    group = "Choice"

    temperature: float | tuple = setting(
        1.0,
        "Below 1: safer; above 1: wilder; 0: greedy. Several, as in 1.0,0.5,0.2, are used in turn,"
        " character by character.",
        low=0,
        high=1e6,
        parse=several(float, "several, as in 1.0,0.5,0.2"),
        metavar="FLOAT[,…]",
    )
    greedy: bool = setting(False, "Always take the likeliest character (same as `temperature 0`).")
    top_k: int = setting(
        0, "Sample from the K likeliest characters; 0: from all.", low=0, metavar="K"
    )
    top_p: float = setting(
        1.0,
        "Sample from the likeliest characters whose probabilities together reach P.",
        above=0,
        high=1,
        metavar="P",
    )
    min_p: float = setting(
        0.0,
        "Leave out characters whose probability is below this fraction of the likeliest one's.",
        low=0,
        high=1,
    )
    repetition_penalty: float = setting(
        1.0, "Above 1: characters that were written recently become less likely.", above=0, high=1e6
    )
    repetition_window: int = setting(
        64, "Number of characters that count as recent.", low=1, high=1 << 20
    )
    no_repeat: int = setting(
        0,
        "Write no sequence of N characters twice; 0: no limit. The prompt counts too.",
        low=0,
        high=1 << 20,
        metavar="N",
    )
    filters: Mapping | None = setting(
        None, "Values of the filters that a user has added, by name.", hidden=True, internal=True
    )
    allow: str | None = setting(None, "Use only these characters.")
    forbid: str = setting("", "Never use these characters.")
    match: str | None = setting(
        None,
        "Write, after the prompt, only what this regular expression matches as a whole.",
        metavar="REGEX",
    )
    length: int = setting(500, "Number of new characters; -1: no limit.", group="End", low=-1)
    stop: tuple = setting((), "End before this text; may be given several times.", group="End")
    keep_stop: bool = setting(False, "End after the text of `stop`, not before it.", group="End")
    lines: int | None = setting(None, "End after this many lines.", group="End", low=1)
    words: int | None = setting(None, "End after this many words.", group="End", low=1)
    count: int = setting(
        1,
        "Number of texts; each of several is shown when it is done.",
        group="Output",
        low=1,
        high=1 << 20,
    )
    new: bool = setting(
        False,
        "Write only new texts: none that is a line, or several whole lines, of the training text,"
        " and none twice.",
        group="Choice",
    )
    best_of: int = setting(
        1,
        "Write this many candidates for each text, and keep the one whose characters are the"
        " likeliest on average.",
        group="Search",
        low=1,
        high=1 << 16,
    )
    beam: int = setting(
        0,
        "Beam search with this many candidates (0: none): find the text that is likeliest as a"
        " whole."
        " Nothing is drawn at random, so that temperature and filters have no effect.",
        group="Search",
        low=0,
        high=1 << 16,
    )

    def _unify(self) -> None:
        for name in ("temperature", "stop"):
            if isinstance(getattr(self, name), list):
                self._set(**{name: tuple(getattr(self, name))})
        if isinstance(self.stop, str):
            self._set(stop=(self.stop,))
        if not all(isinstance(each, Real) for each in self.temperatures):
            raise ConfigError("must be numbers", {"temperature": self.temperature})

    def _complete(self) -> None:
        if not self.temperatures:
            raise ConfigError("give at least one", {"temperature": None})
        if not all(each and isinstance(each, str) for each in self.stop):
            why = "an empty text would end every text before its first character"
            raise ConfigError(why, {"stop": ""}, way_out="leave it out")
        if self.endless and (self.count > 1 or self.best_of > 1 or self.beam):
            raise ConfigError(
                "an endless text is written alone",
                {"length": -1},
                way_out="leave out `count`, `best_of` and `beam`",
            )
        if self.beam and self.best_of > 1:
            both = {"beam": self.beam, "best_of": self.best_of}
            raise ConfigError("give one of the two, not both", both)
        if self.beam and self.new:
            why = "a search finds the same texts each time; give one of the two, not both"
            raise ConfigError(why, {"beam": self.beam, "new": True})
        if self.beam and self.count > self.beam:
            raise ConfigError(
                f"a search with `beam` {self.beam} finds no more than that", {"count": self.count}
            )

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperatures that take turns, position after position."""
        if self.greedy:
            return (0.0,)
        many = isinstance(self.temperature, tuple)
        return self.temperature if many else (self.temperature,)  # type: ignore[return-value]

    @property
    def searched(self) -> bool:
        """Whether a text is the best of many."""
        return bool(self.beam) or self.best_of > 1

    @property
    def chosen(self) -> bool:
        """Whether it is known only at the end of a text if it is kept."""
        return self.searched or self.new

    @property
    def ends(self) -> bool:
        return bool(self.stop or self.lines or self.words or self.match)

    @property
    def endless(self) -> bool:
        return self.length < 0
