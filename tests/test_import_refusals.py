"""What cannot be imported is refused in one line, and nothing in a file is run."""

import io
import json
import pickle
import re
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import old_models as old
import pytest
from commands import charrnn, tree
from layouts import ONE_HOT, folder, in_keras_2, in_torch, lstm, vocabulary, written
from old_models import CHARACTERS, Net

from charrnn.cli.convert_command import TOOLS
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.importing.foreign import ORDERS
from charrnn.importing.importing import READERS, import_model
from charrnn.importing.lua_torch import Storage, View
from charrnn.importing.pickles import load

# How TensorFlow hands arrays to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")


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


def test_numbers_that_many_tensors_share_are_read_once():
    storage = Storage(np.zeros(99, np.float32))
    read = [View(storage, 0, (99,), (1,)).array("w", tied=True) for _ in range(9)]
    assert all(each is read[0] for each in read)
    with pytest.raises(ValueError, match="same place"):
        View(storage, 1, (9,), (1,)).array("w")


def test_a_pickle_that_copies_more_than_it_has_is_refused():
    pairs = b"]q\x00(" + b"(K\x01K\x02t" * 99 + b"e0"
    again = b"ccollections\nOrderedDict\n(h\x00tR" * 99
    with pytest.raises(pickle.UnpicklingError):
        load(io.BytesIO(b"\x80\x02" + pairs + again + b"."))


def test_a_graph_that_adds_one_layer_again_and_again_is_refused():
    def doubling(graph, net, place, x, state, *more):
        whole = graph.sum(x, state[0], net.layers[place]["h"])
        for _ in range(60):
            whole = graph(old.module("nn.CAddTable"), whole, whole)
        return [graph(old.module("nn.Tanh"), whole)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(old, "rnn_node", doubling)
        path = written("a.t7", old.char_rnn(Net("rnn", **ONE_HOT)))
    with pytest.raises(CheckpointError, match="more than an input and a state"):
        import_model(path)


@pytest.mark.parametrize("tool", [None, *READERS])
def test_a_pointer_in_place_of_a_model_is_named_whatever_the_tool(tool):
    path = written("a.h5", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(CheckpointError, match=r"a Git LFS pointer, not the model.*git lfs pull"):
        import_model(path, tool=tool)


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


@pytest.mark.parametrize("protocol", range(5))
def test_an_object_beside_the_weights_is_passed_over(protocol):
    beside = Namespace(rnn_size=128), Counter("abc"), {"x"}
    data = pickle.dumps({"a": 1, "beside": beside[: 3 if protocol < 4 else 2]}, protocol)
    assert load(io.BytesIO(data))["a"] == 1
