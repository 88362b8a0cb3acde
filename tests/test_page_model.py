"""What the page computes is what charrnn computes: networks, noise, filters, and so the text."""

import json

import numpy as np
import pytest
from browsing import Opened, model_of, open_page
from commands import charrnn
from test_recording import CASES, SIZES, VOCABULARY, Odd, random_weights

from charrnn.cells import CELLS
from charrnn.config import Config
from charrnn.network import instant
from charrnn.network.interpreter import Interpreter
from charrnn.network.recording import record
from charrnn.sampling.filters import Filters, Noise, Past, draw, sampling_config

READ = """
const [text, weights, ids] = arguments;
const recording = JSON.parse(text); // the driver would sort the parts of the state
for (const name in weights) weights[name] = Float32Array.from(weights[name].flat(Infinity));
const network = new charrnn.network.Network(recording, weights);
network.start();
const logits = ids.map((id) => Array.from(network.read(id)));
const twin = network.twin();
twin.start();
const again = ids.map((id) => Array.from(twin.read(id)));
return [logits, Object.values(network.copyState()).map((part) => Array.from(part)), again];
"""
NOISE = """
const noise = new charrnn.noise.Noise(BigInt(arguments[0]), arguments[1]);
return Array.from({ length: 150 }, () => noise.next());
"""
WEIGH = """
const [settings, logits, past, numbers] = arguments;
const filters = new charrnn.filters.Filters(settings, logits[0].length - 1);
return logits.map((row, place) => {
  const drawn = filters.draw(Float32Array.from(row), [0, ...past], numbers[place]);
  return [drawn, Array.from(filters.weights, (weight) => (weight === -Infinity ? null : weight))];
});
"""
SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 0},
    {"temperature": 1e-300},
    {"top_k": 3},
    {"top_k": 100},
    {"top_p": 0.5},
    {"top_p": 0.999},
    {"min_p": 0.2},
    {"min_p": 1},
    {"repetition_penalty": 1.5},
    {"repetition_penalty": 0.5, "repetition_window": 3},
    {"temperature": 1.7, "top_k": 9, "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 2},
]
WRITTEN = [
    ({"cell": "lstm"}, {"seed": 1}),
    ({"cell": "gru"}, {"seed": 2**64 - 1, "temperature": 0.7, "prompt": "the Fox"}),
    ({"cell": "coupled", "layers": 2}, {"seed": 5, "top_k": 5, "temperature": 1.3}),
    ({"cell": "rnn", "layer_norm": True}, {"seed": 12345678901, "top_p": 0.9}),
    ({"cell": "mingru", "residual": True, "layers": 2}, {"seed": 3, "min_p": 0.1}),
    ({"cell": "coupled", "skip_connections": True, "layers": 2}, {"seed": 4}),
    ({"cell": "lstm"}, {"seed": 4, "repetition_penalty": 1.4, "repetition_window": 20}),
    ({"cell": "lstm", "direction": "backward"}, {"seed": 6, "prompt": "the end.", "stop": "qu"}),
    ({"cell": "scrn"}, {"seed": 7, "stop": "ab", "top_k": 8}),
]


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    """Any page, for the parts of its program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        return open_page(chromium, model_of())


def assert_agree(page: Opened, config: Config) -> None:
    """The page's logits and states are the interpreter's, character after character."""
    weights = random_weights(config)
    recording = record(config, VOCABULARY)
    interpreter = Interpreter(recording, weights)
    interpreter.start(1)
    ids = np.random.default_rng(1).integers(0, VOCABULARY, 12).tolist()
    expected = [interpreter.read(np.array([id]))[0] for id in ids]
    plain = {name: weight.tolist() for name, weight in weights.items()}
    logits, state, again = page.run(READ, json.dumps(recording), plain, ids)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    for ours, theirs in zip(state, interpreter.state.values(), strict=True):
        np.testing.assert_allclose(ours, theirs[0], atol=1e-5)
    assert again == logits


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_every_network_gives_the_interpreter_s_logits(page, case, table, monkeypatch):
    if not table:
        monkeypatch.setattr(instant, "TABLE_ENTRIES", 0)
    assert_agree(page, Config.of(**SIZES | case).model)


def test_a_cell_of_the_user_s_runs_too(page, monkeypatch):
    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": Odd})
    assert_agree(page, Config.of(cell="odd", units=4, layers=2).model)


def test_products_and_indices_are_those_of_numpy(page):
    rng = np.random.default_rng(3)
    shapes = {"table": [5, 6], "w": [6, 4], "v": [6], "out": [4, 5]}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    every = [None, None]
    recording = {
        "weights": shapes,
        "states": {"h": 6},
        "prepare": [["weight", [], name] for name in shapes]
        + [["index", [1], ["new"]], ["transpose", [0], None]],
        "step": [
            ["ids", [], None],  # 6
            ["state", [], "h"],
            ["take", [0, 6], None],
            ["add", [7, 8], None],
            ["index", [9], [every, "new"]],  # 10: [1, 1, 6]
            ["concatenate", [10, 10], 1],
            ["matmul", [11, 4], None],  # 12: [1, 2, 6] times [1, 6, 4]
            ["index", [12], [every, -1]],
            ["matmul", [11, 2], None],  # 14: [1, 2, 6] times [6]
            ["index", [14], [every, [-1, None]]],
            ["index", [9], [0, [1, -1]]],  # 16: [4]
            ["multiply", [13, 16], None],
            ["add", [17, 15], None],
            ["matmul", [18, 3], None],
            ["matmul", [9, 5], None],  # 20: a product with a transpose
            ["add", [19, 20], None],
            ["mod", [9, 15], None],
        ],
        "logits": 21,
        "state": [22],
    }
    interpreter = Interpreter(recording, weights)
    interpreter.start(1)
    ids = [0, 3, 4, 1]
    expected = [interpreter.read(np.array([id]))[0] for id in ids]
    plain = {name: weight.tolist() for name, weight in weights.items()}
    logits, _, _ = page.run(READ, json.dumps(recording), plain, ids)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_states_that_change_places_do_so_at_the_same_time(page):
    recording = {
        "weights": {"table": [3, 2], "out": [2, 3]},
        "states": {"a": 2, "b": 2, "c": 2},
        "prepare": [["weight", [], "table"], ["weight", [], "out"]],
        "step": [
            ["ids", [], None],
            ["state", [], "a"],
            ["state", [], "b"],
            ["take", [0, 2], None],
            ["add", [3, 4], None],
            ["matmul", [6, 1], None],
            ["index", [3], [[None, None], [0, 2]]],
        ],
        "logits": 7,
        "state": [5, 8, 4],
    }
    weights = {"table": [[1, 2], [3, 4], [5, 6]], "out": [[1, 0, 0], [0, 1, 0]]}
    _, state, _ = page.run(READ, json.dumps(recording), weights, [0, 1, 2])
    assert state == [[5, 6], [3, 4], [1, 2]]


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("start", [0, 1, 63, 64, 1000])
def test_the_noise_is_python_s(page, seed, start):
    noise = Noise(seed, 1, start)
    assert page.run(NOISE, str(seed), start) == [float(noise.next()[0]) for _ in range(150)]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_filters_are_python_s(page, settings):
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, (20, 31)).astype(np.float32)
    logits[::2] = logits[::2].round()  # ties
    past, numbers = rng.integers(0, 31, 40), rng.random(20, np.float32)
    config = sampling_config(settings)
    recent = np.repeat(past[None, -config.repetition_window :], 20, 0)
    expected = Filters(config)(logits[:, :-1].astype(np.float64), Past(0, recent))
    found = page.run(WEIGH, settings, logits.tolist(), past.tolist(), numbers.tolist())
    weights = np.array([row for _, row in found], np.float64)  # None becomes NaN
    np.testing.assert_array_equal(np.isnan(weights), expected == -np.inf)
    np.testing.assert_allclose(weights, np.where(expected == -np.inf, np.nan, expected), atol=1e-12)
    assert [drawn for drawn, _ in found] == draw(expected, numbers).tolist()


@pytest.mark.parametrize(("network", "settings"), WRITTEN, ids=str)
def test_a_seed_gives_the_text_of_the_command_line(browser, network, settings):
    page = open_page(browser, model_of(**network))
    settings = {"length": 2000, "temperature": 1, **settings}
    written = page.write(**settings)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    outcome = charrnn("sample", "fox", "--no-echo", *options)
    assert written == outcome.out.removesuffix("\n")
    assert len(written) == 2000 or settings["stop"]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_model_of_bytes_writes_characters(browser, direction):
    letters = "".join(map(chr, "añ€😀 \n".encode()))
    page = open_page(browser, model_of("bytes", letters, True, direction=direction))
    written = page.write(prompt="€ñ", seed=1, length=400, temperature=1)
    outcome = charrnn(
        "sample", "bytes", "--no-echo", "--prompt=€ñ", "--seed=1", "--length=400", "-t", 1
    )
    assert written == outcome.out.removesuffix("\n")
    assert set(written) & set("ñ€😀�")


def test_a_character_beyond_16_bits_is_one_character(browser):
    page = open_page(browser, model_of("emoji", "\n😀😁a文ש"))
    written = page.write(prompt="😁文", seed=3, length=300, temperature=1)
    outcome = charrnn(
        "sample", "emoji", "--no-echo", "--prompt=😁文", "--seed=3", "--length=300", "-t", 1
    )
    assert written == outcome.out.removesuffix("\n")
    assert len(written) == 300
    assert page.run("return charrnn.vocabulary.missing('a😂😁')") == ["😂"]


def test_half_precision_writes_with_weights_that_are_rounded(browser):
    model = model_of()
    page = open_page(browser, model, precision=16)
    halves = {
        name: weight.astype(np.float16).astype(np.float32)
        for name, weight in model.checkpoint.weights.items()
    }
    interpreter = Interpreter(record(model.checkpoint.config.model, model.vocabulary.size), halves)
    interpreter.start(1)
    ids = [0, 5, 7]
    script = (
        "charrnn.model.start(); return arguments[0].map((id) => Array.from(charrnn.model.read(id)))"
    )
    expected = [interpreter.read(np.array([id]))[0] for id in ids]
    np.testing.assert_allclose(page.run(script, ids), expected, atol=1e-5)


def test_the_page_refuses_what_is_no_number(browser):
    page = open_page(browser, model_of())
    page.run("charrnn.model.prepared.forEach((each) => each.data?.fill(NaN))")
    page.write(seed=1)
    assert "not finite" in page.find("status").text
