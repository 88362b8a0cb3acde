"""Models of other tools become runs that compute what the tool computed."""

import hashlib
import io
import json
import math
import pickle
import re
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import old_models as old
import pytest
from commands import charrnn, tree
from old_models import CHARACTERS, Net, logits_of

import charrnn as library
from charrnn.cli.commands.import_ import TOOLS
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.importing.importing import READERS, Imported, import_model
from charrnn.importing.pickles import Unpickler
from charrnn.importing.vocabularies import ORDERS
from charrnn.network.weights import initial_weights
from charrnn.sampling.instant import InstantNetwork
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.transfer import warm_start

# How TensorFlow hands arrays to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")
ROOT = Path("checkpoints")
FIFTY = [n % len(CHARACTERS) for n in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3) * 5]
"""Characters, by the tool's numbers."""
FORGET = {"forget": 1.0}
TWO = {"biases": 2}
BEFORE = {"reset": "before"}


def written(name: str, data: bytes) -> Path:
    """A file with these bytes."""
    Path(name).write_bytes(data)
    return Path(name)


def folder(make: Callable[[Path], object]) -> Path:
    """A folder that something is put into."""
    make(Path("save"))
    return Path("save")


def tensorflow(net: Net, generation: int = 3, old_form: bool = False, **more) -> Path:
    """A folder of char-rnn-tensorflow."""
    path = Path("save")
    old.save_variables(path, old.variables(net, generation, **more), old_form)
    (path / "chars_vocab.pkl").write_bytes(old.chars_vocab())
    return path


def in_keras_3(net: Net, name: str, **settings) -> Path:
    """A file of the Keras that is installed."""
    model = old.keras_3(net, **settings)
    model.save_weights(name) if name.endswith(".weights.h5") else model.save(name)
    return Path(name)


def in_keras_2(net: Net, **more) -> Path:
    old.keras_2(Path("model.h5"), net, **more)
    return Path("model.h5")


def in_keras_1(net: Net) -> Path:
    old.keras_1(Path("weights.h5"), net)
    return Path("weights.h5")


def in_torch(net: Net, form=old.torch_zip, **more) -> Path:
    """A file of PyTorch, with the characters where a course keeps them."""
    saved = {"state_dict": old.state_dict(net, **more), "tokens": tuple(CHARACTERS)}
    return written("rnn.net", form(saved))


def tf2(net: Net) -> Path:
    """A checkpoint of TensorFlow 2's tutorial, which has no vocabulary."""
    gates = old.KERAS[net.cell][1]
    made = {"layer_with_weights-0/embeddings": net.embeddings}
    for place in range(len(net.units)):
        layer = f"layer_with_weights-{place + 1}/cell"
        biases = [net.joined(place, part, gates) for part in (2, 3)]
        made[f"{layer}/kernel"] = net.joined(place, 0, gates)
        made[f"{layer}/recurrent_kernel"] = net.joined(place, 1, gates)
        made[f"{layer}/bias"] = np.stack(biases) if net.cell == "gru" else biases[0]
    last = f"layer_with_weights-{len(net.units) + 1}"
    made |= {f"{last}/kernel": net.kernel, f"{last}/bias": net.bias}
    old.save_variables(
        Path("save"), {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": each for name, each in made.items()}
    )
    return Path("save")


def lstm(**more) -> Net:
    return Net("lstm", **more)


def gru(**more) -> Net:
    return Net("gru", **more)


def rnn(**more) -> Net:
    return Net("rnn", **more)


HARD = {"gate": old.slope_02}
ONE_HOT = {"embedding": 0}
LAYOUTS = {
    "torch-rnn lstm": (lstm(), lambda net: written("a.t7", old.torch_rnn(net)), {}),
    "torch-rnn gru": (
        gru(),
        lambda net: written("a.t7", old.torch_rnn(net)),
        BEFORE | {"z_weighs": "new"},
    ),
    "torch-rnn rnn": (rnn(), lambda net: written("a.t7", old.torch_rnn(net)), {}),
    "char-rnn lstm": (lstm(**ONE_HOT), lambda net: written("a.t7", old.char_rnn(net)), TWO),
    "char-rnn early lstm": (
        lstm(**ONE_HOT),
        lambda net: written("a.t7", old.char_rnn(net, narrow=True)),
        TWO,
    ),
    "char-rnn gru": (
        gru(**ONE_HOT),
        lambda net: written("a.t7", old.char_rnn(net)),
        TWO | BEFORE | {"z_weighs": "new"},
    ),
    "char-rnn rnn": (rnn(**ONE_HOT), lambda net: written("a.t7", old.char_rnn(net)), TWO),
    "char-rnn-tensorflow 1": (lstm(), lambda net: tensorflow(net, 1, True), FORGET),
    "char-rnn-tensorflow 2": (lstm(), lambda net: tensorflow(net, 2), FORGET),
    "char-rnn-tensorflow 3": (lstm(), tensorflow, FORGET),
    "char-rnn-tensorflow gru": (gru(), lambda net: tensorflow(net, 1), BEFORE),
    "char-rnn-tensorflow rnn": (rnn(), tensorflow, {}),
    "tensorflow-char-rnn": (lstm(**ONE_HOT), tensorflow, {}),
    "ml5": (lstm(), lambda net: folder(lambda path: old.ml5(path, net)), FORGET),
    "pytorch lstm": (lstm(**ONE_HOT), in_torch, TWO),
    "pytorch before 1.6": (lstm(), lambda net: in_torch(net, old.torch_legacy), TWO),
    "pytorch gru": (gru(), in_torch, TWO),
    "pytorch rnn": (rnn(), lambda net: in_torch(net, old.torch_legacy), TWO),
    "keras 1 lstm": (lstm(**ONE_HOT), in_keras_1, HARD),
    "keras 1 gru": (gru(**ONE_HOT), in_keras_1, HARD | BEFORE),
    "keras 2 lstm": (lstm(), in_keras_2, HARD),
    "keras 2 gru": (gru(), in_keras_2, HARD | BEFORE),
    "keras 2 rnn": (rnn(), in_keras_2, {}),
    "keras 2 weights": (
        lstm(),
        lambda net: in_keras_2(net, config=False, version="2.2.4"),
        HARD,
    ),
    "keras 2.3 weights": (lstm(), lambda net: in_keras_2(net, config=False, version="2.3.1"), {}),
    "keras 2 cudnn lstm": (lstm(), lambda net: in_keras_2(net, cudnn=True), TWO),
    "keras 2 cudnn gru": (gru(), lambda net: in_keras_2(net, cudnn=True), TWO),
    "keras 2.3 gru": (
        gru(),
        lambda net: in_keras_2(net, reset_after=True, settings={"recurrent_activation": "sigmoid"}),
        TWO,
    ),
    "keras 3 lstm": (lstm(), lambda net: in_keras_3(net, "a.keras"), {}),
    "keras 3 gru": (gru(), lambda net: in_keras_3(net, "a.keras"), TWO),
    "keras 3 hard": (
        lstm(**ONE_HOT),
        lambda net: in_keras_3(net, "a.keras", recurrent_activation="hard_sigmoid"),
        {"gate": old.slope_16},
    ),
    "keras 3 weights": (lstm(), lambda net: in_keras_3(net, "a.weights.h5"), {}),
    "tensorflow 2 gru": (gru(), tf2, TWO),
    "tensorflow 2 lstm": (lstm(), tf2, {}),
}
WITHOUT = ("keras", "tensorflow 2")
"""Tools whose files have no vocabulary."""


def vocabulary() -> Path:
    """The characters in the tool's order, as a list."""
    path = Path("chars.json")
    path.write_text(json.dumps(list(CHARACTERS)))
    return path


def logits_in(done: Imported, ids) -> np.ndarray:
    """The run's logits after characters by the tool's numbers, in the tool's order."""
    model = library.load(done.run.folder)
    network = InstantNetwork(model.checkpoint.config.model, model.checkpoint.weights)
    characters = [CHARACTERS[each] for each in ids]
    numbers = model.vocabulary.encode("".join(characters))
    logits = network.read(numbers[:, None])[0]
    return logits[model.vocabulary.encode(CHARACTERS)]


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


# -- Vocabularies ------------------------------------------------------------------------

TEXT = "ab té\ne" * 40
"""It has the characters, each as often as the others."""


def test_the_tool_s_own_numbering_of_a_text_is_tried_or_named():
    net = lstm(**ONE_HOT)
    for order, numbered in (("sorted", sorted(TEXT)), ("first", TEXT), ("frequency", TEXT)):
        path = written("text.txt", TEXT.encode())
        done = import_model(in_keras_2(net), vocabulary=path, order=order, name=order)
        tool = list(dict.fromkeys(numbered))
        numbers = [tool.index(each) for each in "the bat"[:1] + "e ba"]
        logits = logits_of(net, numbers, **HARD)
        model = library.load(order)
        network = InstantNetwork(model.checkpoint.config.model, model.checkpoint.weights)
        read = network.read(model.vocabulary.encode("".join(tool[n] for n in numbers))[:, None])[0]
        np.testing.assert_allclose(read[model.vocabulary.encode("".join(tool))], logits, atol=1e-4)
        assert any(word in " ".join(done.origin.assumed) for word in ("sorted", "first", "frequen"))


@pytest.mark.parametrize(
    "data",
    [
        json.dumps({each: n for n, each in enumerate(CHARACTERS)}).encode(),
        json.dumps(dict(enumerate(CHARACTERS))).encode(),
        pickle.dumps(list(CHARACTERS), 0),
        pickle.dumps(dict(enumerate(CHARACTERS)), 4),
        old.chars_vocab(protocol=0),
        json.dumps({"idx_to_token": dict(enumerate(CHARACTERS, start=1))}).encode(),
        pickle.dumps({"char2int": {each: n for n, each in enumerate(CHARACTERS)}}),
    ],
)
def test_the_tool_s_own_file_of_characters_is_read(data):
    done = import_model(in_keras_2(lstm()), vocabulary=written("chars", data))
    np.testing.assert_allclose(logits_in(done, FIFTY), logits_of(lstm(), FIFTY, **HARD), atol=1e-4)


def test_bytes_of_python_2_are_bytes():
    numbers = b"".join(
        b"U\x01" + bytes([each]) + b"K" + bytes([n]) for n, each in enumerate(b"e t\nab\xe9")
    )
    path = written("chars.pkl", b"\x80\x02}(" + numbers + b"u.")
    done = import_model(in_keras_2(lstm()), vocabulary=path)
    assert done.checkpoint.config.text.bytes
    assert done.checkpoint.vocabulary.characters == "".join(sorted(CHARACTERS))
    lines = b"(lp0\n" + b"".join(
        b"S" + repr(bytes([each]))[1:].encode() + b"\na" for each in b"e t\nab\xe9"
    )
    done = import_model(in_keras_2(lstm()), vocabulary=written("c", lines + b"."), name="lines")
    assert done.checkpoint.config.text.bytes


def test_char_rnn_reads_bytes_and_torch_rnn_characters_unless_it_read_bytes():
    done = import_model(written("a.t7", old.char_rnn(lstm(**ONE_HOT))))
    assert done.checkpoint.config.text.bytes
    done = import_model(written("a.t7", old.torch_rnn(lstm())), name="characters")
    assert not done.checkpoint.config.text.bytes
    as_bytes = [*"e t\nab", "[233]"]
    data = old.torch_rnn(lstm(), characters=as_bytes)
    done = import_model(written("a.t7", data), name="bytes")
    assert done.checkpoint.config.text.bytes
    assert done.checkpoint.vocabulary.characters == "".join(sorted(CHARACTERS))


def test_bytes_and_other_characters_do_not_mix_and_a_carriage_return_is_kept():
    mixed = b"\x80\x03}(" + b"X\x02\0\0\0\xc4\x81K\0" + b"U\x01aK\x01U\x01bK\x02U\x01cK\x03"
    mixed += b"U\x01dK\x04U\x01eK\x05U\x01fK\x06u."
    with pytest.raises(CheckpointError, match="both bytes and other characters"):
        import_model(in_keras_2(lstm()), vocabulary=written("chars.pkl", mixed))
    returns = written("chars.json", json.dumps(list("\r" + CHARACTERS[1:])).encode())
    done = import_model(in_keras_2(lstm()), vocabulary=returns)
    assert done.checkpoint.config.text.keep_newlines


def test_a_text_in_another_case_or_with_a_number_for_unknown_characters_fits():
    upper = written("text.txt", (TEXT + TEXT.upper()).encode())
    done = import_model(in_keras_2(lstm()), vocabulary=upper)
    assert any("lower case" in each for each in done.origin.assumed)
    net = lstm(size=len(CHARACTERS) + 1)
    done = import_model(in_keras_2(net), vocabulary=upper, name="more")
    assert any("number 0 for unknown" in each for each in done.origin.assumed)
    weights = done.checkpoint.weights
    np.testing.assert_array_equal(weights["embedding/embeddings"][-1], net.embeddings[0])
    np.testing.assert_array_equal(weights["logits/kernel"][:, -1], net.kernel[:, 0])


def test_the_unknown_symbol_is_unlikely_however_the_logits_lie():
    net = lstm()
    net.bias -= 40
    done = import_model(written("a.t7", old.torch_rnn(net)))
    p = np.exp(library.load().score("tea bat"))
    assert p.min() > 0.001
    checkpoint = done.checkpoint
    network = InstantNetwork(checkpoint.config.model, checkpoint.weights)
    logits = network.read(np.array([[0]]))[0].astype(np.float64)
    assert math.exp(logits[-1] - np.logaddexp.reduce(logits)) < 0.001


def test_a_text_with_the_right_count_and_wrong_characters_is_noticed():
    net = lstm(**ONE_HOT)
    net.bias *= 9
    wrong = written("text.txt", b"zyxwvut" * 40)
    path = in_keras_2(net)
    outcome = charrnn("import", path, "--vocabulary", wrong)
    assert outcome.status == 0
    assert "more than the 2.08 of pure chance" in outcome.err
    assert "give the text that the model learnt" in outcome.err


def test_the_order_that_fits_a_text_is_named():
    """A network that writes abcabc… by the numbers 0, 1 and 2."""
    net = Net("rnn", units=(3,), size=3, embedding=0)
    w, r, b, _ = net.layers[0]["h"]
    w[:], r[:], b[:] = 5 * np.eye(3), 0, 0
    net.kernel[:], net.bias[:] = 9 * np.roll(np.eye(3), 1, 1), 0
    path = in_keras_2(net)
    text = written("text.txt", b"cbacbacba" * 40)
    outcome = charrnn("import", path, "--vocabulary", text)
    assert "give --order first" in outcome.err
    assert charrnn("delete", "model", "--yes").status == 0
    outcome = charrnn("import", path, "--vocabulary", text, "--order", "first")
    assert "pure chance" not in outcome.err


# -- The run -----------------------------------------------------------------------------


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


# -- Refusals ----------------------------------------------------------------------------


def with_layer(kind: str, **config) -> Callable[[], Path]:
    """A file of Keras with a layer that charrnn's networks do not have."""
    layer = {"class_name": kind, "config": {"name": "other", **config}}
    return lambda: in_keras_2(lstm(), between=(layer,))


def torch_with(value: bytes) -> bytes:
    """A legacy file of PyTorch with this pickle as its value."""
    heads = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, {})]
    return b"".join([*heads, value, pickle.dumps([], 2)])


def textgenrnn() -> Path:
    """Weights under the names of textgenrnn's layers."""
    with h5py.File("weights.hdf5", "w") as file:
        names = [b"embedding", b"rnn_1", b"rnn_2", b"attention", b"output"]
        file.attrs["layer_names"] = np.array(names)
        for name in names:
            file.create_group(name.decode()).attrs["weight_names"] = np.array([], "S1")
    return Path("weights.hdf5")


def changed(net: Net, **arrays: np.ndarray) -> Net:
    """A network with other arrays."""
    for name, each in arrays.items():
        setattr(net, name, each)
    return net


WIDER = {"kernel": np.ones((4, 5), np.float32), "bias": np.ones(5, np.float32)}
NARROWER = {"kernel": np.ones((4, 7), np.float32), "bias": np.ones(7, np.float32)}
LONG = [*CHARACTERS[:-1], "the"]
REFUSED = {
    "cut": (lambda: written("a.t7", old.torch_rnn(lstm())[:-400]), "cut short"),
    "cut zip": (lambda: written("a.pt", old.torch_zip({})[:-30]), "fetch the file again"),
    "lfs": (
        lambda: written("a.t7", b"version https://git-lfs.github.com/spec/v1\noid"),
        "git lfs pull",
    ),
    "page": (lambda: written("a.h5", b"\n<!DOCTYPE html><html>"), "a web page"),
    "ascii": (lambda: written("a.t7", b"4\n1\n3\nV 1\n13\nnn.Sequential\n"), "'ascii'"),
    "tar": (lambda: written("a.pt", bytes(257) + b"ustar" + bytes(300)), "tar archive"),
    "module": (
        lambda: written("a.pt", torch_with(b"\x80\x02c__main__\nCharRNN\n)\x81}b.")),
        r"whole pickled module.*CharRNN.*state_dict",
    ),
    "module within": (
        lambda: written("a.pt", torch_with(b"\x80\x02}U\x05modelc__main__\nNet\n)\x81s.")),
        "pickled module.*Net.*state_dict",
    ),
    "words": (lambda: written("a.t7", old.torch_rnn(lstm(), characters=LONG)), "not one character"),
    "bidirectional": (with_layer("Bidirectional"), "reads what follows"),
    "bidirectional torch": (
        lambda: written(
            "a.pt",
            old.torch_zip(
                old.state_dict(lstm()) | {"rnn.weight_ih_l0_reverse": old.Tensor(np.ones((20, 3)))}
            ),
        ),
        "bidirectional",
    ),
    "context": (
        lambda: in_torch(changed(lstm(size=9, **ONE_HOT), **NARROWER)),
        "context beside the characters",
    ),
    "batch norm": (with_layer("BatchNormalization"), "batch normalisation"),
    "batch norm of torch-rnn": (
        lambda: written(
            "a.t7", old.torch_rnn(lstm(), between=[old.module("nn.BatchNormalization")])
        ),
        "nn.BatchNormalization",
    ),
    "attention": (with_layer("AttentionWeightedAverage"), "textgenrnn"),
    "textgenrnn": (textgenrnn, "textgenrnn.*window of 40"),
    "lambda": (with_layer("Lambda", function=["code"]), "'Lambda'"),
    "another order": (with_layer("Embedding"), "order that charrnn's networks do not have"),
    "decoder": (
        lambda: written("a.t7", old.torch_rnn(changed(lstm(), **WIDER))),
        "7 characters.*output layer 5",
    ),
    "decoder of char-rnn": (
        lambda: written("a.t7", old.char_rnn(changed(lstm(**ONE_HOT), **WIDER))),
        "7 characters.*output layer 5",
    ),
    "twice": (
        lambda: written("a.t7", old.torch_rnn(lstm(), characters="e t\naee")),
        "a character twice",
    ),
    "NaN": (
        lambda: written("a.t7", old.torch_rnn(changed(lstm(), bias=np.full(7, np.nan, "f4")))),
        "not finite",
    ),
    "peepholes": (
        lambda: tensorflow_with({"rnn/lstm_cell/w_f_diag": np.ones(3, np.float32)}),
        "w_f_diag",
    ),
    "relu gates": (
        lambda: in_keras_2(lstm(), settings={"activation": "relu"}),
        "'relu'.*does not have",
    ),
    "another archive": (
        lambda: written("a.zip", zipped({"a.txt": b""})),
        "neither PyTorch's nor Keras's",
    ),
    "no model": (lambda: written("a.txt", b"hello"), "no model of a tool"),
}


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tensorflow_with(more: dict[str, np.ndarray]) -> Path:
    """A checkpoint with further variables."""
    old.save_variables(Path("save"), old.variables(lstm()) | more)
    return Path("save")


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(case):
    make, why = REFUSED[case]
    path = make()
    before = tree(Path())
    Path("chars.json").write_text(json.dumps(list(CHARACTERS)))
    given = ("--vocabulary", "chars.json") if path.suffix == ".h5" else ()
    outcome = charrnn("import", path, *given)
    Path("chars.json").unlink()
    assert (outcome.status, outcome.out) == (1, "")
    assert re.fullmatch(f"charrnn: .*{why}.*\n", outcome.err), outcome.err
    assert tree(Path()) == before


GAPS = {
    "gap": {each: n + (n > 3) for n, each in enumerate(CHARACTERS)},
    "number twice": {each: max(n, 1) for n, each in enumerate(CHARACTERS)},
    "too few": {each: n for n, each in enumerate(CHARACTERS[:-1])},
    "too many": {each: n for n, each in enumerate(CHARACTERS + "z")},
    "no number": dict.fromkeys(CHARACTERS, "x"),
}


@pytest.mark.parametrize("case", GAPS)
def test_a_vocabulary_with_gaps_or_duplicates_is_refused(case):
    path = folder(lambda path: old.ml5(path, lstm()))
    (path / "vocab.json").write_text(json.dumps(GAPS[case]))
    with pytest.raises(CheckpointError, match="vocabulary"):
        import_model(path)


def test_a_manifest_names_only_files_beside_it():
    path = folder(lambda path: old.ml5(path, lstm()))
    Path("secret").write_bytes(bytes(28))
    manifest = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(manifest.replace("rnnlm_softmax_b", "../secret"))
    with pytest.raises(CheckpointError, match="no file beside it"):
        import_model(path)


def test_arrays_outside_of_the_file_are_not_read():
    path = in_keras_2(lstm())
    np.ones(7, np.float32).tofile("outside")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense_1/dense_1"]
        del group["bias:0"]
        group.create_dataset("bias:0", (7,), "f4", external=[("outside", 0, 28)])
    with pytest.raises(CheckpointError, match="not whole"):
        import_model(path, vocabulary=vocabulary())


def test_nothing_in_a_pickle_is_run_and_nothing_large_is_made_of_little():
    called = b"cposix\nsystem\n(S'touch called'\ntR."
    for data in (called, b"\x80\x04\x8e" + b"\xff" * 8 + b".", b"]" + b"\x94\x85" * 5000 + b"."):
        path = written("chars.pkl", data if data[:1] == b"\x80" else b"\x80\x02" + data)
        with pytest.raises(CharrnnError):
            import_model(in_keras_2(lstm()), vocabulary=path)
    assert not Path("called").exists()


def test_the_tool_named_overrules_and_another_s_file_is_refused():
    path = written("a.t7", old.torch_rnn(lstm()))
    outcome = charrnn("import", path, "--from", "keras")
    assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)
    assert charrnn("import", path, "--from", "torch-rnn").status == 0
    again = charrnn("import", path)
    assert "there is one already; choose another name" in again.err


def test_the_command_offers_the_tools_and_orders_of_the_library():
    assert tuple(READERS) == TOOLS
    shown = charrnn("import", "--help").out
    assert all(each in shown for each in (*READERS, *ORDERS))


def test_options_of_char_rnn_tensorflow_are_plain_data():
    """What Python 2 and 3 write of an argparse.Namespace and its like comes out as dictionaries."""
    for protocol in range(5):
        data = pickle.dumps(Namespace(rnn_size=128, model="lstm"), protocol)
        assert Unpickler(data).read() == {"rnn_size": 128, "model": "lstm"}
    python_2 = b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR"
    assert Unpickler(python_2 + b"(dS'a'\nI1\nsb.").read() == {b"a": 1}
