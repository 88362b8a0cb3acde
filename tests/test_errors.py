"""Errors have fields; the library names settings, and only the command line speaks of options."""

import ast
import pickle
import re
from pathlib import Path

import pytest
from commands import charrnn

import charrnn as package
from charrnn.cli.app import main
from charrnn.cli.boundary import error_line
from charrnn.cli.options import name_options
from charrnn.cli.usage import COMMANDS
from charrnn.errors import CharrnnError, ConfigError, CorpusError

PACKAGE = Path(package.__file__).parent
LIBRARY = [path for path in PACKAGE.rglob("*.py") if "cli" not in path.relative_to(PACKAGE).parts]
EXAMPLE = ConfigError(
    "too many", {"batch_size": 9, "residual": True}, where="a.txt", way_out="lower `units` first"
)


def test_the_fields_are_there_to_read():
    assert (EXAMPLE.setting, EXAMPLE.value) == ("batch_size", 9)
    assert (EXAMPLE.why, EXAMPLE.way_out, EXAMPLE.where) == (
        "too many",
        "lower `units` first",
        "a.txt",
    )
    plain = CorpusError("nothing there")
    assert (plain.setting, plain.value, plain.where, plain.way_out) == (None, None, None, "")


def test_python_and_the_command_line_say_the_same_in_their_own_words():
    assert str(EXAMPLE) == "a.txt: `batch_size` 9 `residual`: too many; lower `units` first"
    assert error_line(EXAMPLE) == "a.txt: --batch-size 9 --residual: too many; lower --units first"
    assert str(CorpusError("nothing there")) == error_line(CorpusError("nothing there"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ((5, 3), " 5,3"),
        ("a b", " 'a b'"),
        ("", " ''"),
        (None, ""),
        (True, ""),
        (1, " 1"),
        (0, " 0"),
    ],
)
def test_a_value_is_shown_as_it_is_typed(value, shown):
    assert error_line(ConfigError("no", {"units": value})) == f"--units{shown}: no"


def test_a_switch_that_is_off_is_typed_with_no():
    assert error_line(ConfigError("no", {"layer_norm": False})) == "--no-layer-norm: no"


def test_commands_are_named_as_they_are_typed():
    assert (
        name_options("run `train a.txt` or `sample`") == "run charrnn train a.txt or charrnn sample"
    )
    assert name_options("give `time 5m`") == "give --time 5m"


def test_a_place_or_value_is_never_taken_for_a_setting():
    error = CharrnnError("no", {"prompt": "`units`"}, where="`seed`")
    assert error_line(error) == "`seed`: --prompt '`units`': no"


def test_an_error_survives_being_sent_to_another_process():
    again = pickle.loads(pickle.dumps(EXAMPLE))
    assert (type(again), str(again)) == (ConfigError, str(EXAMPLE))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_library_speaks_of_no_options(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"(?<![\w-])--[a-z]", node.value), node.value


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_messages_name_is_an_option_or_a_command(path):
    """So that no message sends anyone to an option that does not exist."""
    known = {param.name for name in COMMANDS.present for param in params_of(name)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Error", "Note")):
            for name in re.findall(r"`([a-z_]+)[^`]*`", ast.unparse(node)):
                assert name in known | set(COMMANDS.present), name


def params_of(name):
    command, group = COMMANDS[name], main.make_context("charrnn", [], resilient_parsing=True)
    context = command.make_context(name, [], parent=group, resilient_parsing=True)
    return command.get_params(context)


def test_messages_reach_the_terminal_with_options():
    refused = charrnn("train", "--units", 0)
    assert refused.status == 1
    assert refused.err == "charrnn: --units 0: must be at least 1\n"
