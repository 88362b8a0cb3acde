"""Damaged files of other tools: refused with one line, or read as the whole ones are."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
import test_damage
from damage import blind, put_together, taken_apart, tensors_file
from layouts import LAYOUTS, ROOT, WITHOUT, vocabulary
from old_models import Net

from charrnn.errors import CharrnnError
from charrnn.importing.foreign import Foreign, Options
from charrnn.importing.importing import READERS, head_of, import_model, recognise

pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")


VERSIONS = (b"2.2.4", b"2.3.1")


class Specimen(NamedTuple):
    """A layout's files by name, what is named of them, and what is read from them."""

    files: dict[str, bytes]
    path: Path
    foreign: Foreign
    numbers: list[bytes]
    """The rows and columns of its weights, as files have them."""


@contextmanager
def working_folder() -> Iterator[None]:
    """A temporary folder to work in."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


@cache
def specimen(layout: str) -> Specimen:
    """A layout's files, written once."""
    net, make, _ = LAYOUTS[layout]
    with working_folder():
        path = make(net)
        foreign = read(path)
        files = {str(each): each.read_bytes() for each in Path().rglob("*") if each.is_file()}
    return Specimen(files, path, foreign, list(rows_of(net)))


def read(path: Path) -> Foreign:
    """The network in a file, with the tool's numbers for characters."""
    return READERS[recognise(path, head_of(path))](path, Options())


def rows_of(net: Net) -> Iterator[bytes]:
    """Every row and column of a network's weights, in the two types that files have."""
    arrays = [net.embeddings, net.kernel, net.bias]
    arrays += [each for layer in net.layers for gate in layer.values() for each in gate]
    for each in arrays:
        for whole in (each, each.T, each.T.reshape(each.shape)) if each is not None else ():
            for row in np.atleast_2d(whole):
                yield from (row.astype(kind).tobytes() for kind in ("f4", "f8"))


def hold_the_law(chance: Random, layout: str) -> str:
    """Damage a file of a layout: it is refused with one line, or read as the whole one is.

    What alters the weights' own numbers alone, or the version of Keras that weights without
    a configuration tell, is beyond that: most of the formats have no checksum.

    Returns:
        How it ended: "refused", "read" or "numbers".
    """
    whole = specimen(layout)
    name = chance.choice([each for each in whole.files if "ckpt-99" not in each])
    damaged = blind(whole.files[name], chance)
    with working_folder():
        for each, data in whole.files.items():
            Path(each).parent.mkdir(parents=True, exist_ok=True)
            Path(each).write_bytes(damaged if each == name else data)
        given = {"vocabulary": vocabulary()} if layout.startswith(WITHOUT) else {}
        try:
            import_model(whole.path, name="run", **given)
        except CharrnnError as error:
            line = str(error)
            assert line.isprintable(), line
            assert len(line) < 700, line
            assert not ROOT.exists()
            return "refused"
        found = read(whole.path)
    if same(found, whole.foreign):
        return "read"
    assert alters_numbers_alone(whole, name, damaged), f"{layout}, {name}: other weights"
    return "numbers"


def same(one: Foreign, other: Foreign) -> bool:
    """Whether two networks have the same weights and functions."""
    weights = one.weights(), other.weights()
    kinds = [(e.cell, e.functions, e.size) for e in (one, other)]
    return (
        kinds[0] == kinds[1]
        and weights[0].keys() == weights[1].keys()
        and all(np.array_equal(each, weights[1][name]) for name, each in weights[0].items())
    )


def alters_numbers_alone(whole: Specimen, name: str, damaged: bytes) -> bool:
    """Whether nothing of a file is altered but numbers of the weights."""
    data = whole.files[name]
    if len(data) != len(damaged):
        return False
    inside = np.zeros(len(data), bool)
    for row in (*whole.numbers, *VERSIONS):
        place = data.find(row)
        while place >= 0:
            inside[place : place + len(row)] = True
            place = data.find(row, place + 1)
    differs = np.frombuffer(data, np.uint8) != np.frombuffer(damaged, np.uint8)
    return bool(inside[differs].all())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_is_refused_with_one_line_or_changes_nothing(layout):
    chance = Random(layout)
    assert "refused" in [hold_the_law(chance, layout) for _ in range(20)]


def test_a_checkpoint_of_an_imported_model_whose_origin_was_altered_is_refused():
    path = import_model(LAYOUTS["torch-rnn lstm"][1](Net())).run.best
    whole = path.read_bytes()
    chance = Random(1)
    assert any(test_damage.read(tensors_file(whole, chance)) for _ in range(40))
    description = json.loads(taken_apart(whole)[0]["__metadata__"]["charrnn"])
    for name, wrong in (("tool", 1), ("assumed", "all"), ("assumed", [None]), ("other", "")):
        altered = description | {"origin": description["origin"] | {name: wrong}}
        header, numbers = taken_apart(whole)
        del header["__metadata__"]
        data = put_together(header, "charrnn", altered, numbers)
        assert "origin" in str(test_damage.read(data))
