"""Which characters the numbers of other tools' models stand for."""

import json
import math
import pickle

import numpy as np
import old_models as old
import pytest
from commands import charrnn
from layouts import FIFTY, HARD, ONE_HOT, TEXT, in_keras_2, logits_in, lstm, written
from old_models import CHARACTERS, Net, logits_of

import charrnn as library
from charrnn.errors import CheckpointError
from charrnn.importing.importing import import_model
from charrnn.network.instant import InstantNetwork

# How TensorFlow hands arrays to NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")


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


def test_a_wrong_order_of_a_text_is_noticed():
    """A network that writes abcabc… by the numbers 0, 1 and 2."""
    net = Net("rnn", units=(3,), size=3, embedding=0)
    w, r, b, _ = net.layers[0]["h"]
    w[:], r[:], b[:] = 5 * np.eye(3), 0, 0
    net.kernel[:], net.bias[:] = 9 * np.roll(np.eye(3), 1, 1), 0
    path = in_keras_2(net)
    text = written("text.txt", b"cbacbacba" * 40)
    outcome = charrnn("import", path, "--vocabulary", text)
    assert "pure chance" in outcome.err
    assert charrnn("delete", "model", "--yes").status == 0
    outcome = charrnn("import", path, "--vocabulary", text, "--order", "first")
    assert "pure chance" not in outcome.err
