"""The sets of packages that continuous integration runs lie at both ends of what is allowed."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from charrnn.plugins import REQUIREMENTS

ROOT = Path(__file__).parent.parent


SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
EXTRAS = SETUP["options.extras_require"]


def allowed():
    """Lower bound of each package that running and testing need, and the upper one or ()."""
    needed = SETUP["options"]["install_requires"] + EXTRAS["test"]
    bounds = {}
    for line in filter(None, needed.splitlines()):
        name, low, high = re.fullmatch(r"([\w-]+) >= ([\d.]+)(?:, < ([\d.]+))?", line).groups("")
        bounds[name] = numbers(low), numbers(high)
    return bounds


def pinned(name):
    """The version of each package in a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    versions = dict(line.split("==") for line in lines)
    return {package: numbers(version) for package, version in versions.items()}


def numbers(version):
    """A version for comparing, zeros at its end left out."""
    found = [int(part) for part in re.findall(r"\d+", version)]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def test_the_lowest_versions_are_those_that_setup_cfg_allows():
    assert pinned("constraints-lowest.txt") == {name: low for name, (low, _) in allowed().items()}


def test_the_newest_versions_are_allowed():
    newest = pinned("constraints.txt")
    for name, (low, high) in allowed().items():
        assert low <= newest[name]
        assert not high or newest[name] < high


@pytest.mark.parametrize("extra", REQUIREMENTS)
def test_a_message_asks_for_what_the_extra_installs(extra):
    assert EXTRAS[extra].replace(" ", "").split() == [REQUIREMENTS[extra]]
