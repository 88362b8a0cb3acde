"""A recorded step is plain data, and computes what the engine computes."""

import json

import numpy as np
import pytest
from test_network import STACKS
from test_sampling import model_of

from charrnn.cells import CELLS, Cell
from charrnn.config import Config
from charrnn.errors import ConfigError
from charrnn.network import instant
from charrnn.network.instant import InstantNetwork
from charrnn.network.interpreter import BY_NAME, Interpreter
from charrnn.network.recording import record
from charrnn.network.weights import specify
from charrnn.sampling.writing import first_ids

VOCABULARY = 9
SIZES = {"units": 6, "layers": 2, "embedding": 5}
CASES = [{"cell": name} for name in CELLS] + list(STACKS.values())


class Odd(Cell):
    """A cell that uses all that a cell may use, written by nobody."""

    name = "odd"
    state_names = ("h", "memory")

    def prepare(self, ops, weights):
        first, second = ops.split(weights["recurrent_kernel"], 2, -1)
        turned = ops.transpose(ops.concatenate([second, first], 1))
        return {**weights, "recurrent_kernel": turned, "half": -first[0, None] / 2}

    def step(self, ops, z, state, weights):
        h, memory = state
        u = ops.matmul(h, weights["recurrent_kernel"])
        half = np.int64(h.shape[-1] // 2)
        u = ops.concatenate([u[:, half:], u[..., :half] * weights["half"]], -1)
        centred = z - ops.mean(z, -1, keepdims=False)[:, None]
        spread = 1 / (0.1 + ops.sqrt(ops.mean(ops.square(centred), -1, keepdims=True)))
        counted = ops.mod(memory + 1, ops.zeros_like(memory) + 3)
        kept = 1 - ops.minimum(ops.sign(counted), 1)
        new = ops.softplus(u) - ops.maximum(centred * spread, 0.0) + ops.sigmoid(2 - z)
        return ops.tanh(kept * new + (1 - kept) * h) - np.float32(0.5), counted


def random_weights(config):
    rng = np.random.default_rng(0)
    shapes = {name: each.shape for name, each in specify(config, VOCABULARY).items()}
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def assert_agree(config, count=3, steps=12):
    """The interpreter's logits and states are the engine's, character after character."""
    weights, rng = random_weights(config), np.random.default_rng(1)
    recording = json.loads(json.dumps(record(config, VOCABULARY)))
    engine, interpreter = InstantNetwork(config, weights), Interpreter(recording, weights)
    engine.start(count)
    interpreter.start(count)
    for _ in range(steps):
        ids = rng.integers(0, VOCABULARY, count)
        np.testing.assert_allclose(interpreter.read(ids), engine.read(ids[None]), atol=1e-6)
    for ours, theirs in zip(interpreter.state.values(), engine.state, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_the_interpreter_gives_the_engine_s_logits(case, table, monkeypatch):
    if not table:
        monkeypatch.setattr(instant, "TABLE_ENTRIES", 0)
    assert_agree(Config.of(**SIZES | case).model)


def test_a_cell_registered_here_is_recorded_like_ours(monkeypatch):
    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": Odd})
    assert_agree(Config.of(cell="odd", units=4, layers=2).model)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_a_step_is_short_and_does_once_what_can_be_done_once(name):
    config = Config.of(**SIZES | {"cell": name}).model
    recording = record(config, VOCABULARY)
    assert len(recording["step"]) <= 30 * config.layers
    assert {"weight", "constant"}.isdisjoint(operation[0] for operation in recording["step"])
    numbers = range(len(recording["prepare"]) + len(recording["step"]))
    for number, (_, inputs, _) in enumerate(recording["prepare"] + recording["step"]):
        assert all(each in numbers and each < number for each in inputs)


def test_a_recording_says_what_it_takes():
    recording = record(Config.of(**SIZES, cell="lstm").model, VOCABULARY)
    assert recording["states"] == {"1/h": 6, "1/c": 6, "2/h": 6, "2/c": 6}
    assert recording["weights"]["recurrent_2/recurrent_kernel"] == [6, 24]
    assert len(recording["state"]) == 4
    used = {operation[2] for operation in recording["prepare"] if operation[0] == "weight"}
    assert used == set(recording["weights"])


def test_every_operation_has_a_meaning():
    special = {"constant", "weight", "state", "ids", "index", "concatenate", "mean"}
    for case in CASES:
        recording = record(Config.of(**SIZES | case).model, VOCABULARY)
        for name, _, _ in recording["prepare"] + recording["step"]:
            assert name in special | set(BY_NAME)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda ops, z: ops.cumsum(z), "the array function 'cumsum' cannot be recorded"),
        (lambda ops, z: z[:, ::2], "a slice with a step"),
        (lambda ops, z: z[:, "a"], "an index of str"),
        (lambda ops, z: z / z.shape[0], "its step differs with the number of texts"),
        (lambda ops, z: ops.take(z, [0], 1), "axis 1 cannot be recorded"),
    ],
)
def test_what_cannot_be_recorded_is_named(monkeypatch, wrong, message):
    cell = type("Wrong", (Odd,), {"step": lambda self, ops, z, state, weights: wrong(ops, z)})
    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": cell})
    with pytest.raises(ConfigError, match=message):
        record(Config.of(cell="odd", units=4).model, VOCABULARY)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_the_gates_of_a_recording_are_those_of_states(name):
    model = model_of(cell=name, layers=2, direction="forward")
    recording = record(model.checkpoint.config.model, model.vocabulary.size)
    states, interpreter = model.states("abca"), Interpreter(recording, model.checkpoint.weights)
    interpreter.start(1)
    for n, number in enumerate(first_ids(model.vocabulary, "abca", False)):
        interpreter.read([number])
        for gate, value in recording["gates"].items():
            if n:
                found = interpreter.value(value)[0]
                np.testing.assert_allclose(found, states[gate][n - 1], atol=1e-6)
                assert (found >= 0).all()
                assert (found <= 1).all()


def test_new_values_and_outputs_are_no_gates():
    for name, gates in {"lstm": "ifo", "gru": "zr", "jordan": "", "rnn": "", "scrn": ""}.items():
        recording = record(Config.of(**SIZES, cell=name).model, VOCABULARY)
        expected = [f"layers.{layer}.{gate}" for layer in (1, 2) for gate in gates]
        assert list(recording["gates"]) == expected
