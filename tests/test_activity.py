"""States and gates of a text by name: they obey the equations of their cells."""

import numpy as np
import pytest
from test_sampling import model_of

from charrnn.cells import CELLS, Cell, arrays
from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.network.instant import ObservingOps
from charrnn.network.weights import state_names
from charrnn.sampling.writing import first_ids

TEXT = "abcab\nc"
GATES = {
    "lstm": "ifgo",
    "peephole": "ifgo",
    "coupled": "fgo",
    "gru": "zrg",
    "gru_classic": "zrg",
    "mgu": "fg",
    "mingru": "z",
    "minlstm": ("f_share",),
    "jordan": "h",
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def model_with(cell, **settings):
    return model_of(**{"cell": cell, "layers": 1, "units": 4, "residual": False, **settings})


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_states_are_those_of_the_sampler(cell, direction):
    model = model_with(cell, layers=2, direction=direction)
    states = model.states(TEXT)
    engine = model.engine("numpy", SamplingConfig())
    start, *ids = first_ids(model.vocabulary, TEXT, model.backward)
    engine.read(np.array([[start]]))
    places = range(len(TEXT)) if direction == "forward" else reversed(range(len(TEXT)))
    for place, number in zip(places, ids, strict=True):
        engine.read(np.array([[number]]))
        for name, part in zip(
            state_names(model.checkpoint.config.model), engine.state, strict=True
        ):
            layer, _, name = name.partition("/")
            row = states[f"layers.{layer}.{name}"][place]
            np.testing.assert_array_equal(row, part[0])


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_names_and_shapes(cell):
    states = model_with(cell, layers=2).states(TEXT)
    parts = (*CELLS[cell].state_names, *GATES.get(cell, ()))
    assert list(states) == [f"layers.{layer}.{part}" for layer in (1, 2) for part in parts]
    for array in states.values():
        assert (array.shape, array.dtype) == ((len(TEXT), 4), np.float32)


def updated(cell, s, before):
    """The state from what the step has computed, by the equations."""
    h, c = before["h"], before.get("c")
    match cell:
        case "lstm" | "peephole":
            c = s["f"] * c + s["i"] * s["g"]
        case "coupled":
            c = s["f"] * c + (1 - s["f"]) * s["g"]
        case "gru" | "gru_classic":
            return {"h": s["z"] * h + (1 - s["z"]) * s["g"]}
        case "mgu":
            return {"h": (1 - s["f"]) * h + s["f"] * s["g"]}
    return {"h": s["o"] * np.tanh(c), "c": c}


@pytest.mark.parametrize("cell", ["lstm", "peephole", "coupled", "gru", "gru_classic", "mgu"])
def test_gates_make_the_states(cell):
    states = {name[9:]: array for name, array in model_with(cell).states(TEXT).items()}
    before = {name: states[name][:-1] for name in CELLS[cell].state_names}
    now = {name: array[1:] for name, array in states.items()}
    for name, expected in updated(cell, now, before).items():
        np.testing.assert_allclose(now[name], expected, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "coupled", "gru_classic"])
def test_gates_have_the_order_of_the_weights(cell):
    model = model_with(cell)
    states, w = model.states(TEXT), model.checkpoint.weights
    x = w["embedding/embeddings"][model.vocabulary.encode(TEXT)[1:]] @ w["recurrent_1/kernel"]
    u = states["layers.1.h"][:-1] @ w["recurrent_1/recurrent_kernel"]
    blocks = np.split(x + u + w["recurrent_1/bias"], len(GATES[cell]), -1)
    for name, block in zip(GATES[cell], blocks, strict=True):
        function = np.tanh if name == "g" else sigmoid
        if (cell, name) != ("gru_classic", "g"):  # its product comes after the reset
            np.testing.assert_allclose(states[f"layers.1.{name}"][1:], function(block), atol=1e-6)


def test_a_gate_of_a_linear_cell_depends_on_what_is_read_alone():
    model = model_with("mingru")
    w = model.checkpoint.weights
    x = w["embedding/embeddings"][model.vocabulary.encode(TEXT)] @ w["recurrent_1/kernel"]
    z = sigmoid(x + w["recurrent_1/bias"])[:, :4]
    np.testing.assert_allclose(model.states(TEXT)["layers.1.z"], z, atol=1e-6)


@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid"])
def test_chosen_functions_are_noted_once(gate):
    model = model_with("gru_classic", activation="relu", recurrent_activation=gate)
    states = {name[9:]: array for name, array in model.states(TEXT).items()}
    h, z = states["h"], states["z"]
    expected = z[1:] * h[:-1] + (1 - z[1:]) * states["g"][1:]
    np.testing.assert_allclose(h[1:], expected, atol=1e-6)
    assert (states["g"] >= 0).all()


def test_gates_of_a_user_s_own_cell_are_numbered():
    class Own(Cell):
        def step(self, ops, z, state, weights):
            return (ops.sigmoid(z) * state[0] + ops.sigmoid(2 * z) * ops.tanh(z),)

    ops, z = ObservingOps(arrays), np.ones((1, 3), np.float32)
    Own().step(ops, z, (z,), {})
    found = ops.gates(Own(), (1, 3))
    assert list(found) == ["gate_0", "gate_1"]
    np.testing.assert_allclose(found["gate_1"], sigmoid(2 * z), atol=1e-6)


def test_an_empty_text_has_no_rows_and_what_is_no_text_is_refused():
    model = model_with("lstm")
    assert model.states("")["layers.1.i"].shape == (0, 4)
    with pytest.raises(ConfigError, match=r"^`text` 5: must be a text"):
        model.states(5)
