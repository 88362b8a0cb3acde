"""The folder of a sweep: its plan, the journal of its trials, and their runs."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from charrnn.checked_json import at_least, check_names, check_object, check_type, parse
from charrnn.config import Plan
from charrnn.config.settings import format_setting
from charrnn.errors import ConfigError, RunError
from charrnn.files import write_atomically
from charrnn.runs.run import DEFAULT_ROOT, SWEEP, Run, plain_name
from charrnn.sweeps import ranges
from charrnn.sweeps.ranges import Varied
from charrnn.text.corpus import IDS_FILE, INFO_FILE
from charrnn.types import PathLike

TRIALS, SEEDS = 20, 3
"""Default numbers of trials in a sweep and of runs in a trial."""
EVAL_CHARS = 100_000
"""Default of `eval_chars`: pruning needs frequent evaluations more than exact ones."""
LEFT_OPEN = "left open"


@dataclass(frozen=True)
class SweepPlan:
    """What all processes of one sweep must agree on.

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

    @property
    def first_seed(self) -> int:
        return int(str(self.fixed.get("seed", 0)))

    def to_json(self) -> dict[str, object]:
        return {**vars(self), "varied": ranges.to_json(self.varied)}

    @classmethod
    def from_json(cls, data: object) -> "SweepPlan":
        """The inverse of `to_json`; ValueError or ConfigError for what it cannot have returned."""
        fields = check_names(data, tuple(cls.__annotations__), "the sweep")
        given = {name: check_object(fields[name], name) for name in ("varied", "fixed", "length")}
        seeds = check_type(int, fields["seeds"], "seeds")
        at_least(1, {"seeds": seeds})
        fixed, varied = given["fixed"], ranges.from_json(given["varied"])
        ranges.divide(fixed)
        ranges.check_each(varied, fixed)
        length = {"seconds" if each == "time" else each: n for each, n in given["length"].items()}
        Plan.of(**length)
        fingerprint = check_type(str, fields["fingerprint"], "fingerprint")
        return cls(varied, fixed, given["length"], seeds, fingerprint)

    def in_words(self) -> dict[str, str]:
        """Return every setting as text, by name."""
        single = {**self.fixed, **self.length, "seeds": self.seeds}
        return {
            **{f"`{name}`": str(each) for name, each in self.varied.items()},
            **{f"`{name}`": format_setting(each) for name, each in single.items()},
            "the text with the fingerprint": self.fingerprint[:12],
        }


@dataclass(frozen=True)
class SweepFolder:
    """Where a sweep lies."""

    folder: Path

    @property
    def plan_file(self) -> Path:
        return self.folder / SWEEP

    @property
    def journal(self) -> Path:
        """Optuna's journal of the trials, to which processes append."""
        return self.folder / "trials.journal"

    @property
    def lock_file(self) -> Path:
        """Locked by a process while it takes a trial."""
        return self.folder / ".lock"

    def trial_lock(self, trial: int) -> Path:
        """Locked by a process while it works on a trial."""
        return self.folder / f".trial-{trial:03d}.lock"

    @property
    def exists(self) -> bool:
        return self.plan_file.is_file()

    def read(self) -> SweepPlan:
        """Return the sweep's plan; RunError where the file is damaged."""
        try:
            return SweepPlan.from_json(parse(self.plan_file.read_bytes()))
        except (ConfigError, ValueError, TypeError) as error:
            raise RunError(
                f"damaged: {error}", where=self.plan_file, way_out="start a sweep of another `name`"
            ) from error

    def write(self, plan: SweepPlan) -> None:
        """Write the sweep's plan; RunError where there is another one already."""
        if not self.exists:
            write_atomically(self.plan_file, json.dumps(plan.to_json(), indent=1).encode())
        saved, new = self.read().in_words(), plan.in_words()
        for name in {**saved, **new}:
            was, now = saved.get(name, LEFT_OPEN), new.get(name, LEFT_OPEN)
            if was != now:
                raise RunError(
                    f"this sweep has {name} {was}, not {now}",
                    where=self.folder,
                    way_out="choose another `name`, or give what it has",
                )

    def share_text(self, run: Run) -> None:
        """Replace a run's encoded text by a hard link to the first run's, if they are equal.

        Nothing ever changes such a file. So a sweep's runs take the disk of one text, where the
        file system has hard links.
        """
        first = min((path for path in self.folder.iterdir() if Run(path).exists), default=None)
        if first is None or first == run.folder:
            return
        ids, link = run.folder / IDS_FILE, run.folder / f".{IDS_FILE}.part"
        with contextlib.suppress(OSError):
            infos = [(path / INFO_FILE).read_bytes() for path in (first, run.folder)]
            if infos[0] == infos[1] and not ids.samefile(first / IDS_FILE):
                link.unlink(missing_ok=True)
                os.link(first / IDS_FILE, link)
                link.replace(ids)


def folder_of(name: str, root: Path) -> SweepFolder:
    """Return where a sweep of that name is or will be; RunError where a run is in its place."""
    folder = root / plain_name(name)
    if Run(folder).exists:
        raise RunError("this is a run", where=folder, way_out="choose another `name`")
    return SweepFolder(folder)


def sweeps_below(root: Path = DEFAULT_ROOT) -> list[SweepFolder]:
    """Return the sweeps in a folder, by name."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [each for each in map(SweepFolder, folders) if each.exists]


def find_sweep(name: PathLike, root: Path = DEFAULT_ROOT) -> SweepFolder:
    """Return the sweep of that name or path; RunError where there is none."""
    for folder in (root / name, Path(name)):
        if SweepFolder(folder).exists:
            return SweepFolder(folder)
    known = ", ".join(each.folder.name for each in sweeps_below(root)) or "none"
    raise RunError(
        "no sweep of this name", where=name, way_out=f"the sweeps in {root} are: {known}"
    )
