"""The folder of a sweep: what it is, the journal of its trials, and their runs.

The runs lie in it as others lie in `checkpoints`, so that a list of those stays short.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from charrnn.checked_json import check_names, check_object, parse
from charrnn.config.settings import format_setting
from charrnn.errors import RunError
from charrnn.files import write_atomically
from charrnn.runs.run import DEFAULT_ROOT, SWEEP, Run, plain_name
from charrnn.sweeps import ranges
from charrnn.sweeps.ranges import Varied
from charrnn.text.corpus import IDS_FILE, INFO_FILE
from charrnn.types import PathLike

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
        own = {name: getattr(self, name) for name in NAMES}
        return {**own, "varied": ranges.to_json(self.varied)}

    @classmethod
    def from_json(cls, data: object) -> "SweepPlan":
        given = check_names(data, NAMES, "the sweep")
        varied = ranges.from_json(check_object(given.pop("varied"), "varied"))
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
            **{name: format_setting(each) for name, each in given.items()},
        }


ANOTHER = "choose another `name`, or give what it has"


@dataclass(frozen=True)
class SweepFolder:
    """Where a sweep lies."""

    folder: Path

    @property
    def plan_file(self) -> Path:
        return self.folder / SWEEP

    @property
    def journal(self) -> Path:
        """All that has happened to its trials, in lines to which processes add."""
        return self.folder / "trials.journal"

    @property
    def lock_file(self) -> Path:
        """What a process holds while it takes a trial."""
        return self.folder / ".lock"

    def trial_lock(self, trial: int) -> Path:
        """What a process holds while it works on a trial."""
        return self.folder / f".trial-{trial:03d}.lock"

    @property
    def exists(self) -> bool:
        return self.plan_file.is_file()

    def read(self) -> SweepPlan:
        """What the sweep is; RunError where the file is damaged."""
        try:
            return SweepPlan.from_json(parse(self.plan_file.read_bytes()))
        except (ValueError, TypeError) as error:
            raise RunError(
                f"damaged: {error}", where=self.plan_file, way_out="start a sweep of another `name`"
            ) from error

    def settle(self, plan: SweepPlan) -> None:
        """Write what the sweep is; RunError where there is one already that is another."""
        if not self.exists:
            write_atomically(self.plan_file, json.dumps(plan.to_json(), indent=1).encode())
        there = self.read()
        for what, was, now in there.differences(plan):
            raise RunError(
                f"this sweep has {what} {was}, not {now}", where=self.folder, way_out=ANOTHER
            )

    def share_text(self, run: Run) -> None:
        """Let a run have its encoded text together with the first run, by a hard link.

        Nothing ever changes such a file. So a sweep's runs take the disk of one text, where the
        file system has hard links.
        """
        first = min(
            (each for each in self.folder.iterdir() if Run(each).exists), default=run.folder
        )
        if first == run.folder or not same_text(first, run.folder):
            return
        link = run.folder / f".{IDS_FILE}.part"
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)
            os.link(first / IDS_FILE, link)
            link.replace(run.folder / IDS_FILE)


def same_text(first: Path, second: Path) -> bool:
    """Whether two runs have encoded one text in the same way, each in a file of its own."""
    try:
        known = [(each / INFO_FILE).read_bytes() for each in (first, second)]
        return known[0] == known[1] and not (first / IDS_FILE).samefile(second / IDS_FILE)
    except OSError:
        return False


def place_of(name: str, root: Path) -> SweepFolder:
    """Where a sweep of that name is or will be; RunError where a run is in its place."""
    folder = root / plain_name(name)
    if Run(folder).exists:
        raise RunError("this is a run", where=folder, way_out="choose another `name`")
    return SweepFolder(folder)


def sweeps_below(root: Path = DEFAULT_ROOT) -> list[SweepFolder]:
    """The sweeps in a folder, by name."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [each for each in map(SweepFolder, folders) if each.exists]


def find_sweep(name: PathLike, root: Path = DEFAULT_ROOT) -> SweepFolder:
    """The sweep of that name or path; RunError where there is none."""
    for folder in (root / name, Path(name)):
        if SweepFolder(folder).exists:
            return SweepFolder(folder)
    known = ", ".join(each.folder.name for each in sweeps_below(root)) or "none"
    raise RunError(
        "no sweep of this name", where=name, way_out=f"the sweeps in {root} are: {known}"
    )
