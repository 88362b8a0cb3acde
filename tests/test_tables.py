"""Tables: what a user adds is found, from a program or an installed package; names stay unique."""

import sys
from importlib import metadata

import click
import numpy as np
import pytest
from commands import charrnn, untrained
from conftest import SMALL

import charrnn as package
from charrnn.cells import CELLS, Cell, register
from charrnn.cells.lstm import LSTM
from charrnn.cells.mingru import MinGRU
from charrnn.cells.rnn import RNN
from charrnn.cli.usage import COMMANDS
from charrnn.config import Config
from charrnn.errors import ConfigError, PluginError
from charrnn.network.weights import initial_weights
from charrnn.plugins import Table
from charrnn.sampling.filters import FILTERS
from charrnn.training.optimizers import OPTIMIZERS


@pytest.fixture
def table():
    return Table("thing")


@pytest.fixture(autouse=True)
def tables_as_they_were(monkeypatch):
    for each in (CELLS, COMMANDS, FILTERS, OPTIMIZERS):
        monkeypatch.setattr(each, "_items", each.present)


def install(monkeypatch, tmp_path, entry_points, package="extra", **modules):
    """Install a package with these modules and entry points, as pip would."""
    site = tmp_path / "site"
    facts = site / f"{package}-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(entry_points)
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(site)


def test_what_is_added_is_there_in_its_order(table):
    assert table.add("b", 1) == 1
    table.add("a", 2)
    assert list(table.items()) == [("b", 1), ("a", 2)]
    assert len(table) == 2
    assert "c" not in table
    with pytest.raises(KeyError):
        table["c"]


def test_a_name_is_given_once(table):
    first = object()
    table.add("a", first)
    table.add("a", first)
    with pytest.raises(ConfigError, match=r"^`thing` 'a': there is a thing of this name already"):
        table.add("a", object())
    assert table["a"] is first


def test_what_is_typed_into_a_notebook_may_be_typed_again(table):
    definitions = []
    for _ in range(2):
        space = {"__name__": "__main__"}
        exec("def thing(): pass", space)
        definitions.append(table.add("a", space["thing"]))
    assert table["a"] is definitions[1]


def test_an_installed_package_is_asked_for_a_name_that_is_not_there(table, monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, "[charrnn.things]\nx = things:X\n", things="X = 'the thing'")
    table.add("a", 1)
    assert table["a"] == 1
    assert "things" not in sys.modules
    assert table["x"] == "the thing"
    assert list(table) == ["a", "x"]


def test_the_installed_packages_are_not_read_for_what_is_there(table, monkeypatch):
    monkeypatch.setattr(metadata, "entry_points", pytest.fail)
    table.add("a", 1)
    assert table["a"] == 1
    assert "a" in table
    assert table.present == {"a": 1}


def test_a_package_that_cannot_be_loaded_is_named(table, monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, "[charrnn.things]\nx = broken:X\n", broken="import nowhere")
    with pytest.raises(PluginError, match="the thing 'x' of the package extra cannot be loaded"):
        table["x"]


def test_a_package_may_not_replace_what_is_there(table, monkeypatch, tmp_path):
    names = "[charrnn.things]\na = other:A\nb = other:B\n"
    install(monkeypatch, tmp_path, names, other="A = 0\nB = 1")
    table.add("a", "ours")
    assert list(table) == ["a", "b"]
    assert table["a"] == "ours"
    wrong = []
    assert table.working(wrong.append) == {"a": "ours", "b": 1}
    (error,) = wrong
    assert "'a' of the package extra cannot be loaded: there is a thing of this name" in str(error)


def test_two_packages_may_not_have_one_name(table, monkeypatch, tmp_path):
    for number in ("one", "two"):
        names = f"[charrnn.things]\nx = module_{number}:X\n"
        modules = {f"module_{number}": "X = 1"}
        install(monkeypatch, tmp_path / number, names, package=number, **modules)
    for _ in range(2):
        with pytest.raises(PluginError, match=r"of the package (one|two) and (one|two) cannot be"):
            table["x"]


# -- Cells ---------------------------------------------------------------------------------


class Echo(Cell):
    """A cell that a user might write: h_t = tanh(x_t W + v ⊙ h_{t-1} + b)."""

    name = "echo"
    summary = "repeats itself"
    source = "nobody"

    def weights(self, inputs, units):
        weights = super().weights(inputs, units)
        decay = weights["bias"]._replace(initializer=lambda rng, shape: np.full(shape, 0.5, "f4"))
        return {"kernel": weights["kernel"], "decay": decay, "bias": weights["bias"]}

    def step(self, ops, z, state, weights):
        return (ops.tanh(z + weights["decay"] * state[0]),)


def test_a_cell_of_the_user_s_is_chosen_trained_saved_and_sampled(corpus, train):
    register(Echo)
    assert Config.of(cell="echo").model.make_cell().name == "echo"
    train(corpus, cell="echo", steps=2)
    model = package.load("corpus")
    assert "recurrent_1/decay" in model.checkpoint.weights
    assert len(model.generate(length=30)) == 30


def test_a_second_lstm_is_refused_and_ours_stays():
    with pytest.raises(ConfigError, match=r"^`cell` 'lstm': there is a cell of this name already"):
        register(type("LSTM", (LSTM,), {}))
    assert CELLS["lstm"] is LSTM


def test_a_program_s_own_lstm_is_refused_and_ours_stays():
    mine = type("LSTM", (LSTM,), {"__module__": "__main__"})
    with pytest.raises(ConfigError, match="of this name already"):
        register(mine)
    assert CELLS["lstm"] is LSTM


def test_a_definition_in_a_notebook_may_be_run_again():
    for _ in range(2):
        space = {"__name__": "__main__"}
        exec(TYPICAL, space)
        exec("import click\n@click.command('again')\ndef again(): pass", space)
        COMMANDS.add("again", space["again"])
    assert FILTERS["only"] is space["only"]
    assert COMMANDS["again"] is space["again"]


def test_a_broken_cell_is_in_nobody_s_way(corpus, monkeypatch, tmp_path):
    names = "[charrnn.cells]\nbad = broken:Bad\nlstm = broken:LSTM\n"
    install(monkeypatch, tmp_path, names, broken="import nowhere")
    plain = ("--units", 8, "--steps", 1, "--batch-size", 4, "--seq-length", 8, "--sample-every", 0)
    trained = charrnn("train", corpus, *plain)
    assert trained.status == 0, trained.err
    assert "lstm long short-term memory" in " ".join(charrnn("cells").out.split())
    refused = charrnn("train", corpus, "--name", "other", "--cell", "bad", *plain)
    assert "the cell 'bad' of the package extra cannot be loaded" in refused.err


def cell_class(base=Cell, **changed):
    """A cell's class with these methods and attributes."""
    given = {"name": "odd", "summary": "an odd cell", "source": "nobody", **changed}
    return type("Odd", (base,), given)


def keep(self, ops, z, state, weights):
    return state


@pytest.mark.parametrize(("base", "kind"), [(LSTM, "Differentiated"), (MinGRU, "Linear")])
def test_a_cell_whose_own_step_training_would_not_run_is_refused(base, kind):
    with pytest.raises(ConfigError, match=f"a {kind} cell has no step of its own"):
        register(cell_class(base, step=keep))
    assert "odd" not in CELLS


def test_a_weight_that_a_cell_does_not_use_stays_as_it_is(corpus, train):
    @register
    class Forgetful(Cell):
        name, summary, source = "forgetful", "has no memory", "nobody"

        def step(self, ops, z, state, weights):
            return (ops.tanh(z),)

    train(corpus, cell="forgetful", steps=2, weight_decay=0.0)
    weights = package.load("corpus").checkpoint.weights
    fresh = initial_weights(Config.of(**SMALL, cell="forgetful").model, 29, seed=0)
    kernel = "recurrent_1/recurrent_kernel"
    np.testing.assert_array_equal(weights[kernel], fresh[kernel])


def test_an_entry_point_has_the_name_that_what_it_names_gives_itself(corpus, monkeypatch, tmp_path):
    module = "from charrnn.cells import register\nfrom charrnn.cells.rnn import RNN\n"
    module += "@register\nclass Bee(RNN):\n name, summary = 'bee', 'my own'"
    install(monkeypatch, tmp_path, "[charrnn.cells]\nfoo = hive:Bee\n", hive=module)
    with pytest.raises(PluginError, match="it calls itself 'bee', and its entry point must too"):
        CELLS["foo"]


def test_the_help_tells_of_cells_that_cannot_be_had(monkeypatch, tmp_path):
    names = "[charrnn.cells]\nlstm = fine:X\n[charrnn.optimizers]\nadamw = fine:X\n"
    install(monkeypatch, tmp_path, names, fine="X = 1")
    told = charrnn("train", "--help").err
    assert "the cell 'lstm' of the package extra cannot be loaded" in told
    assert "the optimizer 'adamw' of the package extra cannot be loaded" in told


def test_a_cell_of_an_installed_package_is_an_option_of_train(corpus, monkeypatch, tmp_path):
    module = (
        "from charrnn.cells.rnn import RNN\nclass Mine(RNN):\n name, summary = 'mine', 'my own'"
    )
    install(monkeypatch, tmp_path, "[charrnn.cells]\nmine = mine:Mine\n", mine=module)
    assert "mine my own" in " ".join(charrnn("cells").out.split())
    plain = ("--units", 8, "--steps", 1, "--batch-size", 4, "--seq-length", 8, "--sample-every", 0)
    trained = charrnn("train", corpus, "--cell", "mine", *plain)
    assert trained.status == 0, trained.err
    assert issubclass(CELLS["mine"], RNN)
    assert len(charrnn("sample", "--length", 20).out) == 21


def test_a_run_whose_cell_is_missing_says_so(monkeypatch):
    run = untrained()
    monkeypatch.setattr(CELLS, "_items", {k: v for k, v in CELLS.present.items() if k != "lstm"})
    refused = charrnn("sample", run.folder)
    assert refused.status == 1
    assert "its cell 'lstm' is not known; install the package, or import the module" in refused.err


# -- Filters, optimizers, commands -----------------------------------------------------------

TYPICAL = """
from charrnn.config.settings import setting
from charrnn.sampling.filters import keep, register

@register("only", setting("", "Write nothing but the character number so and so."))
def only(log_w, number, past):
    kept = log_w < 0
    kept[:] = False
    kept[:, int(number)] = True
    return keep(log_w, kept)
"""


def test_a_filter_of_an_installed_package_is_an_option_of_sample(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, "[charrnn.filters]\nonly = extra:only\n", extra=TYPICAL)
    untrained()
    assert "--only" in charrnn("sample", "--help").out
    FILTERS._items.pop("only")
    sys.modules.pop("extra")
    first = package.load("fox").vocabulary.characters[3]
    assert charrnn("sample", "--only", 3, "--length", 5, "--no-echo").out == 5 * first + "\n"
    assert package.load("fox").generate(only="3", length=5) == 5 * first


def test_options_that_no_package_adds_are_unknown():
    refused = charrnn("sample", "--no-such-filter", 3)
    assert refused.status == 2
    assert "no such option" in refused.err.lower()


@pytest.mark.usefixtures("eagerly")
def test_an_optimizer_of_the_user_s_trains(corpus, train):
    def plain(keras, config):
        return keras.optimizers.SGD(momentum=0.5, name="plain")

    OPTIMIZERS.add("plain", plain)
    train(corpus, steps=2, optimizer="plain")
    last = package.load("corpus", which="last").checkpoint
    assert last.config.training.optimizer == "plain"
    assert any(name.startswith("plain/") for name in last.part("optimizer"))
    train(resume=True, steps=1)


def test_an_optimizer_that_is_not_there_is_refused_before_the_text_is_read(train, tmp_path):
    with pytest.raises(ConfigError, match=r"^`optimizer` 'magic': must be one of adamw$"):
        train(tmp_path / "no such file", optimizer="magic")


def test_a_command_of_an_installed_package_is_one_of_ours(monkeypatch, tmp_path):
    module = "import click\n@click.command('greet')\ndef greet():\n 'Say hello.'\n click.echo('hi')"
    install(monkeypatch, tmp_path, "[charrnn.commands]\ngreet = greeting:greet\n", greeting=module)
    assert charrnn("greet").out == "hi\n"
    shown = charrnn("--help").out
    assert "Say hello." in shown
    assert "evaluate" in shown


def test_a_broken_package_does_not_break_the_help(monkeypatch, tmp_path):
    names = (
        "[charrnn.commands]\nbad = broken:x\ntrain = fine:y\n[charrnn.filters]\nbad = broken:x\n"
    )
    install(monkeypatch, tmp_path, names, broken="import nowhere", fine="y = 1")
    outcome = charrnn("--help")
    assert outcome.status == 0
    assert "Learn a text" in outcome.out
    assert "the command 'bad' of the package extra cannot be loaded" in outcome.err
    assert "the command 'train' of the package extra cannot be loaded" in outcome.err
    assert charrnn("sample", "--help").status == 0
    assert "no such option --top-kk" in charrnn("sample", "--top-kk", 3).err
    refused = charrnn("bad")
    assert refused.status == 1
    assert "repair or uninstall extra" in refused.err


def test_commands_are_refused_under_a_name_that_is_taken():
    with pytest.raises(ConfigError, match=r"^`command` 'train': there is a command of this name"):
        COMMANDS.add("train", click.Command("train"))
