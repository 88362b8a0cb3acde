"""Runs: folders below `checkpoints/` with a model's checkpoints, corpus, history and samples."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from charrnn.errors import ConfigError, RunError

DEFAULT_ROOT = Path("checkpoints")
SUFFIX = ".safetensors"
WHICH = ("best", "last")
MODEL = f"model{SUFFIX}"
"""The checkpoint in the folder of a model that was handed on: what `export` writes."""
CONFIG, CARD = "config.json", "README.md"
"""The other files in that folder."""
SWEEP = "sweep.json"
"""What a sweep is, in the folder that holds its runs."""


@dataclass(frozen=True)
class Run:
    """A run's folder."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def best(self) -> Path:
        return self.file("best")

    @property
    def last(self) -> Path:
        return self.file("last")

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.jsonl"

    @property
    def lock_file(self) -> Path:
        """What a process holds while it trains here."""
        return self.folder / ".lock"

    @property
    def exists(self) -> bool:
        return self.best.exists() or self.last.exists()

    def checkpoint(self, *which: str) -> Path:
        """The file of `best` or `last`, whichever is there first; RunError where none is."""
        for name in which:
            if name in WHICH and self.file(name).exists():
                return self.file(name)
        there = " or ".join(f"`which {name}`" for name in WHICH if self.file(name).exists())
        raise RunError(f"no checkpoint '{which[0]}'", where=self.folder, way_out=f"give {there}")

    @property
    def changed_ns(self) -> int | None:
        """When its newest checkpoint was written; None where there is none (any more)."""
        times = []
        for path in (self.last, self.best):
            with suppress(FileNotFoundError, NotADirectoryError):
                times.append(path.stat().st_mtime_ns)
        return max(times, default=None)

    def file(self, which: str) -> Path:
        """Where the checkpoint `best` or `last` stands, or would stand."""
        return self.folder / f"{which}{SUFFIX}"

    @contextmanager
    def locked(self, way_out: str = "wait for it") -> Iterator[None]:
        """Hold the folder against other processes; the kernel frees it if this one dies."""
        from filelock import FileLock, Timeout  # takes a tenth of the time to a first letter

        lock = FileLock(self.lock_file, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                "another process is training here",
                where=self.folder,
                way_out=way_out,
            ) from None
        try:
            yield
        finally:
            lock.release()


def is_kept(folder: Path) -> bool:
    """Whether a folder is a run's or a sweep's."""
    return Run(folder).exists or (folder / SWEEP).exists()


def leave_out_runs(root: Path) -> Callable[[Path], bool]:
    """Tells, of a folder, whether it is a run's, a sweep's or the folder of the runs: no text."""
    place = os.path.realpath(root)

    def left_out(folder: Path) -> bool:
        made = is_kept(folder)
        return made or os.path.realpath(folder) == place

    return left_out


def runs_below(root: Path) -> list[Run]:
    """The runs in a folder, oldest first."""
    if not root.is_dir():
        return []
    runs = [run for run in map(Run, root.iterdir()) if run.exists]
    times = [(run.changed_ns, run) for run in runs]
    there = [(time, run) for time, run in times if time is not None]  # deleted meanwhile
    return [run for _, run in sorted(there, key=lambda each: each[0])]


def find_run(name: str | os.PathLike[str] | None, root: Path = DEFAULT_ROOT) -> Run:
    """The run of that name below root, or at that path; with no name, the newest."""
    runs = runs_below(root)
    if name is None:
        if not runs:
            raise RunError(
                "there is no run yet", where=root, way_out="make one with: `train corpus.txt`"
            )
        return runs[-1]
    for place in places(name, root):
        if Run(place).exists:
            return Run(place)
    names = sorted(run.name for run in runs)
    near = get_close_matches(os.fsdecode(name), names, 1)
    known = f"the runs in {root} are: {', '.join(names) or 'none'}"
    way_out = f"did you mean {near[0]}? {known[0].upper()}{known[1:]}" if near else known
    raise RunError("no run of this name or path", where=name, way_out=way_out)


def places(name: str | os.PathLike[str], root: Path) -> tuple[Path, Path]:
    return root / name, Path(name)


def plain_name(name: str) -> str:
    """A run's name; ConfigError if it is not the name of a folder below `checkpoints`."""
    if name != Path(name).name or not name.strip() or name == "..":
        raise ConfigError("must be a plain folder name; see also `checkpoints`", {"name": name})
    return name


def find_checkpoint(
    run: str | os.PathLike[str] | None,
    root: Path = DEFAULT_ROOT,
    which: str | Sequence[str] = WHICH,
) -> Path:
    """The checkpoint of a run (see `find_run`), or one that has no run, which is named itself.

    That is a checkpoint's file, or the folder of a model that was handed on.
    Of several in `which`, the first that the run has: it has no best one before it is
    evaluated.
    """
    if run is not None and Path(run).is_file() and Path(run).suffix == SUFFIX:
        return Path(run)
    if run is not None and not any(Run(place).exists for place in places(run, root)):
        for place in places(run, root):
            if (place / MODEL).is_file():
                return place / MODEL
    return find_run(run, root).checkpoint(*([which] if isinstance(which, str) else which))
