"""Models of other tools become runs that compute what the tool computed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import old_models as old
import pytest
from commands import charrnn
from layouts import (
    BEFORE,
    FIFTY,
    FORGET,
    HARD,
    LAYOUTS,
    ONE_HOT,
    TEXT,
    TWO,
    WITHOUT,
    gru,
    in_keras_2,
    in_torch,
    logits_in,
    lstm,
    rnn,
    tensorflow,
    vocabulary,
    written,
)
from old_models import CHARACTERS, Net, logits_of

import charrnn as library
from charrnn.errors import CheckpointError
from charrnn.importing.importing import import_model
from charrnn.network.instant import InstantNetwork
from charrnn.network.weights import initial_weights
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.begin import warm_start

# How TensorFlow hands arrays to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_logits_after_fifty_characters_are_the_tool_s(layout):
    net, make, equations = LAYOUTS[layout]
    given = {"vocabulary": vocabulary()} if layout.startswith(WITHOUT) else {}
    done = import_model(make(net), **given)
    expected = logits_of(net, FIFTY, **equations)
    np.testing.assert_allclose(logits_in(done, FIFTY), expected, atol=1e-4)
    assert layout.startswith((done.origin.tool, "tensorflow"))


WRONG = {
    "gates in another order": lambda: written("a.t7", old.torch_rnn(lstm(), "ifgo")),
    "gates of char-rnn in another order": lambda: written(
        "a.t7", old.char_rnn(lstm(**ONE_HOT), "ofig")
    ),
    "gates of TensorFlow in another order": lambda: tensorflow(lstm(), order="ifgo"),
    "one bias": lambda: in_torch(lstm(**ONE_HOT), second=False),
    "gates of a GRU in another order": lambda: in_torch(gru(), order="zrg"),
    "another slope": lambda: in_keras_2(lstm(), settings={"recurrent_activation": "sigmoid"}),
    "arrays as they are listed": lambda: in_keras_2(lstm(), order="igfo"),
}
"""What a wrong reading amounts to: files that are laid out so, read as they should be."""
RIGHT = {
    "gates in another order": "torch-rnn lstm",
    "gates of char-rnn in another order": "char-rnn lstm",
    "gates of TensorFlow in another order": "char-rnn-tensorflow 3",
    "one bias": "pytorch lstm",
    "gates of a GRU in another order": "pytorch gru",
    "another slope": "keras 2 lstm",
    "arrays as they are listed": "keras 2 lstm",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_reading_is_far_from_the_tool_s_logits(wrong):
    net, _, equations = LAYOUTS[RIGHT[wrong]]
    given = {"vocabulary": vocabulary()} if "keras" in RIGHT[wrong] else {}
    done = import_model(WRONG[wrong](), **given)
    apart = np.abs(logits_in(done, FIFTY) - logits_of(net, FIFTY, **equations))
    assert apart.max() > 0.02


@pytest.mark.parametrize(
    ("net", "right", "wrong"),
    [
        (lstm(), FORGET, {}),
        (lstm(), HARD, {"gate": old.slope_16}),
        (gru(), TWO, TWO | BEFORE),
        (gru(), BEFORE, BEFORE | {"z_weighs": "new"}),
        (lstm(), TWO, {}),
    ],
)
def test_the_equations_compared_with_are_far_apart(net, right, wrong):
    assert np.abs(logits_of(net, FIFTY, **right) - logits_of(net, FIFTY, **wrong)).max() > 0.02


def test_the_independent_reading_is_what_keras_computes():
    for net, settings in ((lstm(), {}), (gru(), {"reset_after": False}), (gru(), {})):
        theirs = old.keras_3(net, **settings)(np.array([FIFTY]))[0, -1]
        equations = BEFORE if settings else TWO if net.cell == "gru" else {}
        np.testing.assert_allclose(theirs, logits_of(net, FIFTY, **equations), atol=1e-4)


def test_every_command_works_on_the_run_or_says_why_not():
    written("a.t7", old.torch_rnn(lstm()))
    done = charrnn("import", "a.t7", "--name", "old")
    assert done.status == 0
    assert "torch-rnn's lstm of 5,4 units, 7 characters" in done.err
    assert "gates in the order i, f, o, g" in done.err
    Path("text.txt").write_text(TEXT)
    for command in (
        "sample old --length 20 --seed 1",
        "info old --verify",
        "list",
        "evaluate old text.txt",
        "page old -o page.html",
        "export old --to keras -o old.keras",
        "export old --to hub -o handed",
        "info handed",
        "copy old other",
        "rename other third",
        "delete third --yes",
    ):
        outcome = charrnn(*command.split())
        assert outcome.status == 0, (command, outcome.err)
    for command, way_out in {
        "train --resume old": "--init-from",
        "evaluate old": "a file to evaluate",
        "plot old": "train it",
        "sample old --new --lines 1": "name a run",
    }.items():
        outcome = charrnn(*command.split())
        assert outcome.status == 1
        assert way_out in outcome.err.splitlines()[-1]


def test_info_says_where_the_model_came_from():
    path = written("a.t7", old.torch_rnn(lstm()))
    import_model(path)
    told = json.loads(charrnn("info", "a", "--json").out)["origin"]
    assert (told["tool"], told["file"]) == ("torch-rnn", "a.t7")
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    shown = charrnn("info", "a").out
    assert "gates in the order i, f, o, g; forget bias as it is in the file" in shown
    charrnn("export", "a", "--to", "hub", "-o", "handed")
    assert json.loads(charrnn("info", "handed", "--json").out)["origin"] == told
    card = Path("handed/README.md").read_text()
    assert "trained with torch-rnn and imported by charrnn" in card
    assert f"| came from | a.t7, SHA-256 {told['sha256']} |" in card


@pytest.mark.usefixtures("eagerly")
def test_training_begins_from_an_imported_model(train, corpus):
    import_model(written("a.t7", old.torch_rnn(lstm())))
    train(corpus, steps=2, units=(5, 4), embedding=3, init_from="checkpoints/a")
    assert library.load("corpus").checkpoint.config.model.layer_units == (5, 4)


def test_characters_that_are_new_to_the_model_start_where_its_logits_lie():
    net = lstm()
    net.bias -= 40
    done = import_model(written("a.t7", old.torch_rnn(net)))
    larger = Vocabulary.of(CHARACTERS + "xyz")
    fresh = initial_weights(done.checkpoint.config.model, larger.size, 0)
    checkpoint = library.load("a").checkpoint
    weights = warm_start(checkpoint, larger, fresh)
    logits = InstantNetwork(checkpoint.config.model, weights).read(larger.encode("the")[:, None])[0]
    p = np.exp(logits - np.logaddexp.reduce(logits))
    assert p[larger.encode("xyz")].max() < 0.2


def test_a_folder_for_ml5_computes_the_same_when_it_is_imported():
    for embedding in (3, 0):
        net = lstm(embedding=embedding)
        name = f"net{embedding}"
        import_model(
            written("a.t7", old.char_rnn(net))
            if not embedding
            else written("a.t7", old.torch_rnn(net)),
            name=name,
        )
        assert charrnn("export", name, "--to", "ml5", "-o", f"{name}-ml5").status == 0
        done = import_model(f"{name}-ml5", forget_bias=1.0)
        expected = logits_of(net, FIFTY, **({} if embedding else TWO))
        np.testing.assert_allclose(logits_in(done, FIFTY), expected, atol=1e-4)
        assert done.origin.tool == "ml5"
    import_model(written("a.t7", old.torch_rnn(rnn())), name="rnn")
    refused = charrnn("export", "rnn", "--to", "ml5", "-o", "out")
    assert "ml5 has two layers of the cell lstm alone; choose" in refused.err


def test_the_checkpoint_that_the_folder_names_is_read_wherever_it_lay():
    done = import_model(tensorflow(lstm()))
    assert done.origin.file == "model.ckpt-7.index"
    done = import_model("save/model.ckpt-99", name="prefix")
    assert done.origin.file == "model.ckpt-99.index"
    done = import_model("save/model.ckpt-99.index", name="other")
    assert done.origin.file == "model.ckpt-99.index"
    Path("save/checkpoint").unlink()
    with pytest.raises(CheckpointError, match=r"2 checkpoints .* name one of them"):
        import_model("save", name="third")


def test_what_the_files_do_not_tell_the_user_may():
    done = import_model(tensorflow(lstm()), forget_bias=0.0)
    np.testing.assert_allclose(logits_in(done, FIFTY), logits_of(lstm(), FIFTY), atol=1e-4)
    done = import_model(in_torch(rnn()), activation="relu", name="relu")
    relu = lambda x: np.maximum(x, 0)  # noqa: E731
    expected = logits_of(rnn(), FIFTY, **TWO, function=relu)
    np.testing.assert_allclose(logits_in(done, FIFTY), expected, rtol=1e-4)
    done = import_model(
        in_keras_2(lstm(), config=False, version="2.2.4"),
        vocabulary=vocabulary(),
        recurrent_activation="sigmoid",
        name="sigmoid",
    )
    np.testing.assert_allclose(logits_in(done, FIFTY), logits_of(lstm(), FIFTY), atol=1e-4)


def test_a_number_in_place_of_one_hot_inputs():
    net = lstm(embedding=1)
    net.embeddings[:, 0] = np.arange(net.size) / net.size
    by_row = Net("lstm", embedding=0)
    by_row.layers, by_row.kernel, by_row.bias = net.layers, net.kernel, net.bias
    by_row.layers = [dict(layer) for layer in net.layers]
    done = import_model(in_keras_2(by_row), vocabulary=vocabulary())
    assert "a character is the number n / V" in done.origin.assumed
    np.testing.assert_allclose(logits_in(done, FIFTY), logits_of(net, FIFTY, **HARD), atol=1e-4)


def test_configuration_beside_the_weights_is_read():
    old.keras_2(Path("w.h5"), lstm(), config=False, version="2.2.4")
    layers = [
        {"class_name": "Embedding", "config": {"name": "embedding_1"}},
        *(
            {"class_name": "LSTM", "config": {"name": f"rnn_{n}", "activation": "tanh"}}
            | {"config": {"name": f"rnn_{n}", "recurrent_activation": "sigmoid"}}
            for n in range(2)
        ),
        {"class_name": "Dense", "config": {"name": "dense_1", "activation": "softmax"}},
    ]
    told = {"class_name": "Sequential", "config": {"layers": layers}}
    Path("w.json").write_text(json.dumps(json.dumps(told)))
    done = import_model("w.h5", vocabulary=vocabulary())
    np.testing.assert_allclose(logits_in(done, FIFTY), logits_of(lstm(), FIFTY), atol=1e-4)
