"""Symbols, the state of a network that writes, beam search and attention of the examples."""

from itertools import product

import keras
import numpy as np
import pytest
from examples_in_hand import load_example

sequences, attention = load_example("sequences"), load_example("attention")
PAD, START, END = sequences.PAD, sequences.START, sequences.END
TEXTS = ["ab", "b", "abba"]
LIMIT = 4

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def symbols():
    return sequences.Symbols(TEXTS)


@pytest.fixture(scope="module")
def source(symbols):
    """Three texts of different lengths [3, 5]."""
    return symbols.encode(TEXTS)


@pytest.fixture(scope="module")
def models(symbols, source):
    """Networks with weights at random, large enough that they have their likes."""
    kinds = (None, "luong", "bahdanau")
    models = {kind: attention.EncoderDecoder(symbols.size, 6, kind) for kind in kinds}
    random = np.random.default_rng(3)
    for model in models.values():
        model([source, source])
        model.set_weights([random.normal(size=weight.shape) for weight in model.weights])
    return models


@pytest.fixture(params=[None, "luong", "bahdanau"])
def model(request, models):
    return models[request.param]


@pytest.fixture
def attentive(models):
    return models["luong"]


@pytest.fixture
def wants(attentive):
    """A function that makes the network always write one symbol."""
    kernel, bias = attentive.to_logits.get_weights()

    def want(symbol):
        attentive.to_logits.set_weights([0 * kernel, 100 * (np.arange(len(bias)) == symbol) - 50])

    yield want
    attentive.to_logits.set_weights([kernel, bias])


def log_p_of(model, source, texts):
    """The log-probability of each text [N, T], padded after END, about its row of the source."""
    logits = keras.ops.convert_to_numpy(model([source, sequences.shifted(texts)]))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = np.take_along_axis(log_p, texts[:, :, None].astype(int), 2)[:, :, 0]
    return (each * (texts != PAD)).sum(1)


def test_texts_come_back_from_their_numbers(symbols, source):
    assert source.shape == (3, 5)
    assert symbols.decode(source) == TEXTS


def test_words_are_symbols_too():
    words = sequences.Symbols([["a", "circle"]])
    assert words.decode(words.encode([["circle"]]), between=" ") == ["circle"]


def test_a_text_ends_at_its_end_symbol(symbols, source):
    after = np.concatenate([source, source], axis=1)
    assert symbols.decode(after) == TEXTS


def test_the_decoder_reads_what_it_has_to_write_one_step_later(source):
    shifted = sequences.shifted(source)
    assert (shifted[:, 0] == START).all()
    assert (shifted[:, 1:] == source[:, :-1]).all()


def test_step_by_step_gives_the_logits_of_the_whole_text(model, source):
    whole = keras.ops.convert_to_numpy(model([source, sequences.shifted(source)]))
    state = model.read(source)
    for t, written in enumerate(sequences.shifted(source).T):
        logits, state = model.write(written[:, None], state)
        on = written != PAD
        assert keras.ops.convert_to_numpy(logits)[on, 0] == pytest.approx(whole[on, t], abs=1e-5)


def test_padding_does_not_change_what_is_written(model, source):
    padded = np.pad(source, ((0, 0), (0, 3)))
    for texts in zip(
        *(sequences.search(model, s, limit=LIMIT) for s in (source, padded)), strict=True
    ):
        assert texts[0] == pytest.approx(texts[1], abs=1e-5)


def test_a_beam_of_one_is_greedy(attentive, source):
    (texts, _), state = sequences.search(attentive, source, limit=LIMIT), attentive.read(source)
    written = np.full((len(source), 1), START)
    for t in range(texts.shape[2]):
        logits, state = attentive.write(written, state)
        written = END + keras.ops.convert_to_numpy(logits)[:, :, END:].argmax(-1)
        on = ~(texts[:, 0, :t] == END).any(axis=1)
        assert (texts[on, 0, t] == written[on, 0]).all()


@pytest.mark.parametrize("width", [1, 4])
def test_log_probabilities_are_those_of_the_texts(width, attentive, source):
    texts, scores = sequences.search(attentive, source, limit=LIMIT, width=width)
    for place in range(width):
        right = log_p_of(attentive, source, texts[:, place])
        found = np.isfinite(scores[:, place])
        assert scores[found, place] == pytest.approx(right[found], abs=1e-4)


@pytest.mark.parametrize("width", [2, 5])
def test_a_beam_never_finds_less_than_greedy(width, attentive, source):
    _, greedy = sequences.search(attentive, source, limit=LIMIT)
    _, scores = sequences.search(attentive, source, limit=LIMIT, width=width)
    assert (scores[:, 0] >= greedy[:, 0] - 1e-6).all()
    assert (np.diff(scores[np.isfinite(scores).all(axis=1)], axis=1) <= 0).all()


def is_text(row):
    """Symbols that are no START, and PAD from the first END on."""
    length = row.index(END) + 1 if END in row else len(row)
    return START not in row and PAD not in row[:length] and not any(row[length:])


def test_a_beam_as_wide_as_all_texts_finds_the_likeliest(attentive, symbols, source):
    every = np.array(list(product(range(symbols.size), repeat=3)), "int32")
    every = every[[is_text(row) for row in every.tolist()]]
    (best, *_), scores = sequences.search(attentive, source[:1], limit=3, width=symbols.size**3)
    log_p = log_p_of(attentive, np.repeat(source[:1], len(every), axis=0), every)
    assert scores[0, 0] == pytest.approx(log_p.max(), abs=1e-4)
    assert (best[0] == every[log_p.argmax()]).all()


def test_texts_of_a_beam_differ(attentive, source):
    texts, scores = sequences.search(attentive, source, limit=LIMIT, width=6)
    for beam, found in zip(texts, np.isfinite(scores), strict=True):
        assert len({tuple(text) for text in beam[found]}) == found.sum()


@pytest.mark.parametrize("width", [1, 3])
def test_nothing_is_written_after_the_end(width, attentive, source):
    texts, _ = sequences.search(attentive, source, limit=8, width=width)
    for text in texts.reshape(-1, texts.shape[2]):
        after = np.cumsum(text == END) - (text == END) > 0
        assert (text[after] == PAD).all()


def test_writing_stops_when_all_texts_have_ended(wants, attentive, source):
    wants(END)
    assert (sequences.search(attentive, source, limit=9)[0] == END).all()
    assert sequences.search(attentive, source, limit=9)[0].shape == (3, 1, 1)


def test_writing_stops_at_the_limit(wants, attentive, source):
    wants(3)
    texts, _ = sequences.search(attentive, source, limit=9)
    assert texts.shape == (3, 1, 9)


def test_texts_are_written_in_groups_as_alone(attentive, symbols, source, monkeypatch):
    monkeypatch.setattr(sequences, "GROUP", 2)
    written = sequences.write_texts(attentive, symbols, source, limit=LIMIT, width=2)
    texts, _ = sequences.search(attentive, source, limit=LIMIT, width=2)
    assert written == symbols.decode(texts[:, 0])


@pytest.mark.parametrize("score", ["luong", "bahdanau"])
def test_the_weights_of_attention_sum_to_one_and_padding_has_none(score, models, source):
    model = models[score]
    weights = model.weights_of_attention(source, sequences.shifted(source))
    assert weights.shape == (3, 5, 5)
    assert weights.sum(axis=2) == pytest.approx(1)
    assert (weights >= 0).all()
    assert (np.moveaxis(weights, 1, 2)[source == PAD] == 0).all()


def test_the_network_reads_its_context_where_it_looks(attentive, source):
    first, outputs, is_text = attentive.read(source)
    hidden, _ = attentive.decoder(
        attentive.to_vectors(sequences.shifted(source)), initial_state=first
    )
    context, weights = attentive.look(hidden, outputs, is_text)
    right = keras.ops.convert_to_numpy(weights) @ keras.ops.convert_to_numpy(outputs)
    assert keras.ops.convert_to_numpy(context) == pytest.approx(right, abs=1e-5)


@pytest.mark.filterwarnings("ignore:Even though")  # eagerly: but for what reads the data
def test_padding_costs_nothing_in_training(attentive, source):
    attentive.learn(source, source, epochs=1, batch_size=3, learning_rate=0.0)
    loss = attentive.evaluate((source, sequences.shifted(source)), source, verbose=0)
    mean = -log_p_of(attentive, source, source).sum() / (source != PAD).sum()
    assert loss == pytest.approx(mean, rel=1e-4)


def test_exact_texts_are_counted():
    assert sequences.share_exact(["ab", "c"], ["ab", "cd"]) == 0.5
