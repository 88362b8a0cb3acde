"""Importing charrnn changes nothing of the process; the command line keeps its screen clean."""

import os
import sys
from contextlib import nullcontext
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import click
import pytest
from commands import charrnn

from charrnn import tf as tf_room
from charrnn.cli.process import quiet, quiet_start
from charrnn.cli.usage import COMMANDS
from charrnn.errors import ConfigError
from charrnn.tf import limits

BACKEND = "charrnn.tf.start"
CHATTER = b"chatter\n"


@pytest.fixture
def keras(monkeypatch):
    """A Keras that is imported already, and chatters when it is asked for its backend."""
    stub = ModuleType("keras")
    stub.backend = ModuleType("backend")
    stub.backend.backend = lambda: os.write(2, CHATTER) and stub.chosen
    stub.chosen = "tensorflow"
    monkeypatch.setitem(sys.modules, "keras", stub)
    return stub


@pytest.fixture
def unloaded(monkeypatch):
    """The module that imports TensorFlow, as if it had not been imported yet."""
    from charrnn.tf import start

    monkeypatch.setattr(tf_room, "start", start)
    monkeypatch.delitem(sys.modules, BACKEND)
    monkeypatch.setenv("KERAS_BACKEND", "")


def load():
    """Run the module that imports TensorFlow, as a program's first import of it does."""
    spec = find_spec(BACKEND)
    spec.loader.exec_module(module_from_spec(spec))


@pytest.mark.usefixtures("unloaded")
def test_the_library_s_import_changes_nothing_of_the_process(keras, capfd):
    before = dict(os.environ)
    load()
    assert capfd.readouterr().err == CHATTER.decode()
    assert dict(os.environ) == before


def test_keras_on_another_backend_is_told_of(keras):
    keras.chosen = "jax"
    with pytest.raises(ConfigError, match=r"^Keras uses jax as its backend, and charrnn needs"):
        load()


def test_another_backend_in_the_environment_is_told_of_before_keras_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(
        ConfigError, match=r"Keras uses torch .*; set the environment variable KERAS"
    ):
        load()
    assert "keras" not in sys.modules


@pytest.mark.usefixtures("unloaded", "keras")
def test_the_command_line_starts_tensorflow_quietly_and_on_its_own_backend(monkeypatch, capfd):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with quiet_start():
        load()
    assert capfd.readouterr().err == ""
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    load()
    assert capfd.readouterr().err == CHATTER.decode()


@pytest.mark.usefixtures("unloaded", "keras")
def test_every_command_starts_it_so(monkeypatch, capfd):
    command = click.Command("load", callback=load)
    monkeypatch.setattr(COMMANDS, "_items", COMMANDS.present | {"load": command})
    assert charrnn("load").status == 0
    assert capfd.readouterr().err == ""
    assert limits.around is nullcontext


def test_what_is_held_back_is_shown_where_the_block_fails(capfd):
    with quiet():
        os.write(2, CHATTER)
    assert capfd.readouterr().err == ""
    with pytest.raises(ZeroDivisionError), quiet():
        os.write(2, CHATTER) / 0
    assert capfd.readouterr().err == CHATTER.decode()
