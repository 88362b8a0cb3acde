"""What has to be the same on all ranks, so that they train one model and round alike."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version

from charrnn.config import Config, Plan
from charrnn.config.settings import name_of, parsed, shown
from charrnn.errors import RankError
from charrnn.text.corpus import CorpusInfo
from charrnn.tf.limits import told_by_system
from charrnn.version import __version__

PACKAGES = {"TensorFlow": "tensorflow", "Keras": "keras", "NumPy": "numpy"}
FEATURES = ("avx", "avx2", "fma", "f16c")
WIDER_FEATURES = ("avx512", "avx_", "amx")
"""Instructions on which rounding depends, as the processor's flags name them, and how the names
of further ones begin."""
TEXT = "a text with the fingerprint"
NOTHING = "nothing"
"""What a rank has of a setting that it was not given."""

Facts = dict[str, str]
"""What is compared: each thing by its name. Settings stand in backquotes."""


def facts(settings: Mapping[str, object], plan: Plan, **given: object) -> Facts:
    """Return what this rank is, and what it was asked to train."""
    asked = asked_for(settings, plan) | {name: str(value) for name, value in given.items()}
    return (
        {"charrnn": __version__}
        | {name: installed(package) for name, package in PACKAGES.items()}
        | {"processor": f"{platform.machine()} {features()}".strip()}
        | {f"`{name}`": value for name, value in asked.items()}
    )


def text_facts(info: CorpusInfo) -> Facts:
    """Return which text this rank has, and where its training part ends."""
    return {TEXT: f"{info.fingerprint[:12]} and {info.train_end:,} characters for training"}


def compare(of_ranks: Sequence[Facts]) -> None:
    """Raise RankError, on every rank, where one has something else than rank 0."""
    ours = of_ranks[0]
    for rank, theirs in enumerate(of_ranks):
        for name in dict.fromkeys([*ours, *theirs]):
            here, there = ours.get(name, NOTHING), theirs.get(name, NOTHING)
            if here != there:
                same = "settings" if name.startswith("`") else "versions, on like processors"
                same = "files, in the same order" if name == TEXT else same
                raise RankError(
                    f"has {name} {there}, and rank 0 has {here}",
                    where=f"rank {rank}",
                    way_out=f"give all ranks the same {same}",
                )


def asked_for(settings: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """Return the settings that were given, and the plan, by name and in one form."""
    known = {each.name: each for _, each in Config.fields()}
    given = {name: written(parsed(known[name], value)) for name, value in settings.items()}
    return given | {
        name_of(each): written(getattr(plan, each.name))
        for each in fields(plan)
        if getattr(plan, each.name) is not None
    }


def written(value: object) -> str:
    """Return a setting's value as the command line writes it."""
    return shown(tuple(value) if isinstance(value, list) else value)


def installed(package: str) -> str:
    """Return a package's version."""
    try:
        return version(package)
    except PackageNotFoundError:  # there under another name, as tensorflow-cpu
        return NOTHING


def features() -> str:
    """Return the processor's vector instructions, as far as the system tells them."""
    flags = told_by_system().get("flags", "").split()
    return " ".join(sorted(f for f in flags if f in FEATURES or f.startswith(WIDER_FEATURES)))
