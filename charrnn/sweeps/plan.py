"""What a sweep is: its ranges, and all that every trial of it has in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from charrnn.checked_json import record, table
from charrnn.config.settings import shown
from charrnn.sweeps import ranges
from charrnn.sweeps.ranges import Varied

TRIALS, SEEDS = 20, 3
"""How many ways a sweep tries, and how many runs each has, where nobody says so."""
EVAL_CHARS = 100_000
"""All runs are compared on the same characters, and so many are soon read: a curve that has
several points by the time of the first halving is worth more here than the last digit."""
NAMES = ("varied", "fixed", "length", "seeds", "fingerprint")
LEFT_OPEN = "left open"


@dataclass(frozen=True)
class SweepPlan:
    """What processes must agree on that work on one sweep.

    Args:
        varied: The settings that are varied, by name.
        fixed: The settings that every trial has.
        length: How long each run is trained: `epochs`, `steps` or `time`, or neither.
        seeds: How many runs a trial has.
        fingerprint: SHA-256 of the text.
    """

    varied: Mapping[str, Varied]
    fixed: Mapping[str, object]
    length: Mapping[str, object]
    seeds: int
    fingerprint: str

    def to_json(self) -> dict[str, object]:
        """Plain data, from which `from_json` makes the same."""
        own = {name: getattr(self, name) for name in NAMES}
        return {**own, "varied": ranges.to_json(self.varied)}

    @classmethod
    def from_json(cls, data: object) -> "SweepPlan":
        """Back from `to_json`; ValueError or TypeError where it cannot be one."""
        given = record(data, NAMES, "the sweep")
        varied = ranges.from_json(table(given.pop("varied"), "varied"))
        return cls(varied=varied, **given)  # type: ignore[arg-type]

    def differences(self, other: "SweepPlan") -> Iterator[tuple[str, str, str]]:
        """What is another in the other plan, in words: its name, here, there."""
        here, there = self.told, other.told
        for name in dict.fromkeys([*here, *there]):
            values = here.get(name, LEFT_OPEN), there.get(name, LEFT_OPEN)
            if values[0] != values[1]:
                yield f"`{name}`", *values
        if self.fingerprint != other.fingerprint:
            yield "the text with the fingerprint", self.fingerprint[:12], other.fingerprint[:12]

    @property
    def told(self) -> dict[str, str]:
        """Every setting in words, by name."""
        given = {**self.fixed, **self.length, "seeds": self.seeds}
        return {
            **{name: str(each) for name, each in self.varied.items()},
            **{name: shown(each) for name, each in given.items()},
        }
