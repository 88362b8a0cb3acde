"""From logits to the distribution that the next character is drawn from.

A filter maps log-weights of B texts and V characters, float64 [B, V], which need not be
normalised, to log-weights; -inf rules a character out. `FILTERS` has all of them in the order in
which they are applied; those that users add come last, by name. A filter whose setting has its
default is not applied.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import Field as Setting
from dataclasses import dataclass, fields, make_dataclass
from operator import index
from typing import NamedTuple

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.config.sampling import SEEDS
from charrnn.config.settings import check, parse_value, refuse_unknown
from charrnn.errors import ConfigError
from charrnn.plugins import Table

NEVER = -np.inf


class Past(NamedTuple):
    """What a filter may know of the texts besides the logits."""

    position: int = 0
    """The number of characters drawn for each text."""
    recent: np.ndarray = np.zeros((1, 0), np.int32)
    """The last ids of each text, int [B, N]; the unknown symbol may be among them."""
    window: int = 1 << 20
    """How many of them the repetition penalty counts."""


Apply = Callable[..., np.ndarray]
"""From (log-weights [B, V], the setting's value, `Past`) to log-weights [B, V]."""


@dataclass(frozen=True)
class Filter:
    """A function of log-weights and its setting; called like the function."""

    setting: Setting
    apply: Apply

    def __call__(self, log_w: np.ndarray, value: object, past: Past) -> np.ndarray:
        return self.apply(log_w, value, past)


FILTERS: Table[Filter] = Table("filter")
"""Every filter by the name of its setting, in the order in which they are applied."""
OWN = {each.name: each for each in fields(SamplingConfig)}
COLDEST = 1e-200
"""Lower temperatures count as this one: only the largest logits keep any weight, and none
overflows."""
TRUNCATING = ("no_repeat", "top_k", "top_p", "min_p")
"""Filters that leave out characters."""
RESERVED = {"prompt", "seed", "engine", "raw", "scored", "state", "which", "checkpoints", "run"}
"""Names of other arguments of `charrnn.generate` and `charrnn sample`."""
BLOCK = 64
COUNTS = BLOCK // 8
"""Philox counts once for eight numbers of 32 bits."""


def register(name: str, setting: object = None) -> Callable[[Apply], Filter]:
    """Return a decorator that adds a function to the filters, as the last one.

    Args:
        name: The setting's name.
        setting: Its default, help and limits, made with `charrnn.config.settings.setting`. The
            filters of this file leave it out: theirs are fields of `SamplingConfig`.

    Raises:
        ConfigError: The name is taken, or the setting has no default that shows its type.
    """
    return lambda apply: FILTERS.add(name, Filter(setting_field(name, setting), apply))


def setting_field(name: str, setting: object) -> Setting:
    """The setting of a filter, with its name and the type of its default."""
    if setting is None and name in OWN:
        return OWN[name]
    if name in OWN or name in RESERVED:
        why, way_out = "there is a setting of this name already", "choose another name"
        raise ConfigError(why, {"filter": name}, way_out=way_out)
    default = getattr(setting, "default", None)
    if not isinstance(default, (bool, int, float, str)):
        raise ConfigError("the default of its setting must be a number or a text", {"filter": name})
    (field,) = fields(make_dataclass(name, [(name, type(default), setting)]))
    return field


def sampling_config(settings: Mapping[str, object]) -> SamplingConfig:
    """Return the checked settings, those of added filters among them.

    Raises:
        ConfigError: A setting is unknown, or its value impossible.
    """
    unknown = [name for name in settings if not is_setting(name)]
    if unknown:
        names = [name for name in (*OWN, *FILTERS) if is_setting(name)]
        refuse_unknown(unknown, names, others=RESERVED)
    own = {name: value for name, value in settings.items() if name in OWN}
    added = {name: value for name, value in settings.items() if name not in OWN}
    for name, value in added.items():
        added[name] = parse_value(FILTERS[name].setting, value)
        check(FILTERS[name].setting, added[name])
    return SamplingConfig.of(**own, **({"filters": added} if added else {}))


def is_setting(name: str) -> bool:
    return not OWN[name].metadata.get("hidden") if name in OWN else name in FILTERS


def log_softmax(logits: np.ndarray) -> np.ndarray:
    centred = centre(logits)
    normalised: np.ndarray = centred - np.log(np.exp(centred).sum(-1, keepdims=True))
    return normalised


def centre(log_w: np.ndarray) -> np.ndarray:
    """Scale the weights so that the largest is 1."""
    centred: np.ndarray = log_w - np.maximum.reduce(log_w, -1, keepdims=True)
    return centred


class Filters:
    """The filters that the settings turn on.

    The values of a setting with several take turns, position after position.
    """

    def __init__(self, config: SamplingConfig) -> None:
        own = {name: getattr(config, name) for name in FILTERS.present if name in OWN}
        added = dict(config.filters or {})
        values = own | {"temperature": config.temperatures}
        values |= {name: added[name] for name in sorted(added)}  # in whatever order they came
        self._steps: list[tuple[Apply, tuple]] = []
        for name, value in values.items():
            turns = value if isinstance(value, tuple) else (value,)
            if any(each != FILTERS[name].setting.default for each in turns):
                self._steps.append((FILTERS[name].apply, turns))
        applied = [apply for apply, _ in self._steps]
        # The temperature centres, and the filters after it keep the largest weight as it is.
        self._centred = FILTERS["temperature"].apply in applied and not added
        self.ordered = not added
        """Whether the filters keep the likeliest characters."""
        self.truncate = any(FILTERS[name].apply in applied for name in TRUNCATING) or 0 in (
            config.temperatures
        )
        """Whether a filter may rule characters out."""

    def __call__(self, logits: np.ndarray, past: Past) -> np.ndarray:
        """Log-weights [B, V], at most 0, from logits [B, V]."""
        for apply, turns in self._steps:
            logits = apply(logits, turns[past.position % len(turns)], past)
        return logits if self._centred else centre(logits)

    def order(self, logits: np.ndarray, past: Past) -> np.ndarray:
        """Return the ids [B, V] of all characters, the likeliest first if `ordered`."""
        for apply, turns in self._steps:
            if apply is FILTERS["repetition_penalty"].apply:  # no other changes the order
                logits = apply(logits, turns[past.position % len(turns)], past)
        return np.argsort(-logits, -1, kind="stable")


@register("no_repeat")
def no_repeat(log_w: np.ndarray, size: int, past: Past) -> np.ndarray:
    """Rule out what would complete a sequence of `size` ids for the second time.

    Where nothing else is left, a text repeats itself all the same.
    """
    ids, count = past.recent, past.recent.shape[1] - size + 1
    if count < 1:
        return log_w
    repeats = np.ones((len(ids), count), bool)
    for place in range(size - 1):
        repeats &= ids[:, place : place + count] == ids[:, count + place, None]
    texts, places = np.nonzero(repeats)
    allowed = np.ones((len(ids), log_w.shape[1] + 1), bool)  # a column for the unknown symbol
    allowed[texts, ids[texts, places + size - 1]] = False
    kept = keep(log_w, allowed[:, :-1])
    return np.where((kept > NEVER).any(-1, keepdims=True), kept, log_w)


@register("repetition_penalty")
def repetition_penalty(logits: np.ndarray, penalty: float, past: Past) -> np.ndarray:
    """Divide positive logits of recent ids by the penalty, multiply others (Keskar et al. 2019)."""
    logits = np.pad(logits, ((0, 0), (0, 1)))  # a column for the unknown symbol
    penalised = logits.copy()
    rows = np.arange(len(logits))[:, None]
    recent = past.recent[:, -past.window :]
    values = logits[rows, recent]
    penalised[rows, recent] = np.where(values > 0, values / penalty, values * penalty)
    return penalised[:, :-1]


@register("temperature")
def temperature(logits: np.ndarray, temperature: float, past: Past) -> np.ndarray:
    """Divide log-weights by the temperature; at 0 keep only the first of the largest."""
    if temperature == 0:
        log_p = np.full(logits.shape, NEVER)
        log_p[np.arange(len(logits)), logits.argmax(-1)] = 0
        return log_p
    return centre(logits) / max(temperature, COLDEST)


@register("top_k")
def top_k(log_w: np.ndarray, k: int, past: Past) -> np.ndarray:
    """Keep the k likeliest characters; of equals, those that come first."""
    return keep(log_w, ranks(log_w) < k)


@register("top_p")
def top_p(log_w: np.ndarray, p: float, past: Past) -> np.ndarray:
    """Keep the fewest likeliest characters whose probability reaches p (Holtzman et al. 2020)."""
    order = np.argsort(-log_w, -1, kind="stable")
    descending = np.exp(log_softmax(np.take_along_axis(log_w, order, -1)))
    kept = np.empty(log_w.shape, bool)
    np.put_along_axis(kept, order, np.cumsum(descending, -1) - descending < p, -1)
    return keep(log_w, kept)


@register("min_p")
def min_p(log_w: np.ndarray, p: float, past: Past) -> np.ndarray:
    """Keep characters at least p times as likely as the likeliest (Nguyen et al. 2024)."""
    return keep(log_w, log_w >= log_w.max(-1, keepdims=True) + np.log(p))


def keep(log_w: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.where(kept, log_w, NEVER)


def ranks(log_w: np.ndarray) -> np.ndarray:
    """Return each character's rank, 0 for the likeliest."""
    order = np.argsort(-log_w, -1, kind="stable")
    return np.argsort(order, -1, kind="stable")


def draw(log_w: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return ids [B]: each row's cumulative distribution inverted at noise [B] in [0, 1)."""
    cumulative = np.exp(log_w).cumsum(-1)
    drawn: np.ndarray = (cumulative > noise[:, None] * cumulative[:, -1:]).argmax(-1)
    return drawn


def random_seed() -> int:
    """Return a random seed that is short enough to type."""
    return secrets.randbelow(1 << 31)


def checked_seed(seed: object) -> int:
    """Return the seed as a number; ConfigError unless it is a whole one from 0 to 2^64 - 1."""
    try:
        number = index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number < SEEDS:
        raise ConfigError("must be a whole number from 0 to 2^64 - 1", {"seed": seed})
    return number


class Noise:
    """Uniform numbers in [0, 1) for `count` texts, position by position from `start`.

    `first` is the number of the first text. Each text has a generator of its own.
    """

    def __init__(self, seed: int, count: int, start: int = 0, first: int = 0) -> None:
        keys = (np.array([seed, text], np.uint64) for text in range(first, first + count))
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self._block, self._place = np.zeros((count, 0), np.float32), 0
        blocks, place = divmod(start, BLOCK)
        for generator in self._generators:
            generator.bit_generator.advance(blocks * COUNTS)  # type: ignore[attr-defined]
        if place:
            self._fill()
            self._place = place

    def next(self) -> np.ndarray:
        """Return the next position's numbers, float32 [count]."""
        if self._place == self._block.shape[1]:
            self._fill()
        self._place += 1
        return self._block[:, self._place - 1]

    def _fill(self) -> None:
        rows = [generator.random(BLOCK, np.float32) for generator in self._generators]
        self._block, self._place = np.stack(rows), 0
