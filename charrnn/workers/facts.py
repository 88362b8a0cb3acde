"""What has to be the same on all workers, so that they train one model and round alike."""

import platform
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from charrnn.config import Config, Plan
from charrnn.config.settings import name_of, parsed, shown
from charrnn.errors import WorkerError
from charrnn.version import __version__
from charrnn.workers.cluster import Cluster

PACKAGES = {"TensorFlow": "tensorflow", "Keras": "keras", "NumPy": "numpy"}
CPU_INFO = Path("/proc/cpuinfo")
FEATURES = ("avx", "avx2", "fma", "f16c")
WIDER_FEATURES = ("avx512", "avx_", "amx")
"""Instructions on which rounding depends, as the processor's flags name them, and how the names
of further ones begin."""
NOTHING = "nothing"
"""What is said of a thing that a worker does not have, or was not asked for."""

Facts = dict[str, str]
"""What is compared: each thing by its name. Settings stand in backquotes."""


def facts(cluster: Cluster, settings: Mapping[str, object], plan: Plan, *, resume: bool) -> Facts:
    """What this worker is, and what it was asked to train."""
    return (
        {"charrnn": __version__}
        | {name: installed(package) for name, package in PACKAGES.items()}
        | {"processor": f"{platform.machine()} {features()}".strip()}
        | {"`workers`": ",".join(map(str, cluster.addresses)), "`resume`": str(resume)}
        | {f"`{name}`": value for name, value in asked_for(settings, plan).items()}
    )


def installed(package: str) -> str:
    """A package's version."""
    try:
        return version(package)
    except PackageNotFoundError:  # there under another name, as tensorflow-cpu
        return NOTHING


def features() -> str:
    """The processor's instructions for vectors, as far as the system tells of them."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    return " ".join(sorted(f for f in flags if f in FEATURES or f.startswith(WIDER_FEATURES)))


def asked_for(settings: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """The settings that were given, and the plan, by name and in one form."""
    known = {each.name: each for _, each in Config.fields()}
    given = {name: written(parsed(known[name], value)) for name, value in settings.items()}
    return given | {
        name_of(each): written(getattr(plan, each.name))
        for each in fields(plan)
        if getattr(plan, each.name) is not None
    }


def written(value: object) -> str:
    """A setting's value as the command line writes it."""
    return shown(tuple(value) if isinstance(value, list) else value)


def compare(ours: Facts, theirs: Mapping[str, object], peer: str) -> None:
    """Raise WorkerError, with the name of the other worker, where it has something else."""
    for name in dict.fromkeys([*ours, *theirs]):
        here, there = ours.get(name, NOTHING), str(theirs.get(name, NOTHING))
        if here != there:
            raise WorkerError(
                f"has {name} {there}, and worker 0 has {here}",
                where=peer,
                way_out="all workers need the same",
            )


def compare_texts(ours: Mapping[str, object], theirs: Mapping[str, object], peer: str) -> None:
    """Raise WorkerError where the other worker has encoded another text, or otherwise."""
    if ours == theirs:
        return
    here, there = (str(each.get("fingerprint")) for each in (ours, theirs))
    if here == there:
        raise WorkerError("has encoded the text otherwise than worker 0", where=peer)
    raise WorkerError(
        f"its text (fingerprint {there[:12]}) is not that of worker 0 (fingerprint {here[:12]})",
        where=peer,
        way_out="give all workers the same files, in the same order",
    )
