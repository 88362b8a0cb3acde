"""Exported models compute what charrnn computes, in the programs that they are exported for."""

import ast
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from commands import CHARRNN, ROOT, charrnn, environment, tree, untrained
from conftest import TEXT
from nightly import mostly
from pages import PAGES
from safetensors import safe_open
from test_recording import CASES, SIZES, VOCABULARY, Odd, random_weights

import charrnn as package
from charrnn.cells import CELLS
from charrnn.config import Config
from charrnn.errors import ConfigError, RunError
from charrnn.exporting import hub
from charrnn.exporting import onnx as onnx_format
from charrnn.exporting.exporting import FORMATS
from charrnn.models.language_model import LanguageModel, load
from charrnn.network import instant
from charrnn.network.instant import InstantNetwork
from charrnn.network.weights import add_prefix
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.outputs import HALF_WRITTEN, write_folder
from charrnn.runs.progress import Progress
from charrnn.text.vocabulary import Vocabulary

CHARACTERS = Vocabulary("\nabcdefg")
assert CHARACTERS.size == VOCABULARY
PAGE = PAGES["export.md"]
FILES = {"onnx": "fox.onnx", "keras": "fox.keras", "torch": "fox.safetensors", "hub": "handed on"}
STOCK = [
    {"cell": "lstm"},
    {"cell": "coupled"},
    {"cell": "gru"},
    {"cell": "rnn"},
    {"cell": "rnn", "activation": "relu"},
    {"cell": "irnn"},
    {"cell": "lstm", "embedding": 0},
    {"cell": "gru", "tie_embeddings": True, "embedding": 6},
    {"cell": "coupled", "skip_connections": True},
    {"cell": "gru", "skip_connections": True, "residual": True},
    {"cell": "lstm", "units": (6, 4)},
]
"""Networks that Keras and PyTorch both have layers for."""
KERAS = [
    *STOCK,
    {"cell": "gru_classic"},
    {"cell": "gru_classic", "activation": "relu", "recurrent_activation": "hard_sigmoid"},
    {"cell": "lstm", "residual": True, "layers": 3},
    {"cell": "lstm", "layer_norm": True},
    {"cell": "lstm", "recurrent_activation": "hard_sigmoid"},
    {"cell": "gru", "residual": True, "layer_norm": True, "layers": 3},
]


def told(case):
    """A case in words, for the test's name."""
    return " ".join(f"{name}={value}" for name, value in case.items())


def model_of(case: Mapping[str, object], vocabulary: Vocabulary = CHARACTERS) -> LanguageModel:
    """A model with random weights, biases too."""
    config = Config.of(**SIZES | dict(case))
    tensors = add_prefix("weights", random_weights(config.model))
    path = Path("checkpoints/random/best.safetensors")
    return LanguageModel(Checkpoint(config, vocabulary, Progress(), tensors), path)


def logits_of(model: LanguageModel, ids: np.ndarray) -> np.ndarray:
    """What charrnn computes: logits [T, B, V] for ids [T, B]."""
    engine = InstantNetwork(model.checkpoint.config.model, model.checkpoint.weights)
    engine.start(ids.shape[1])
    return np.stack([engine.read(row[None]) for row in ids])


def assert_equal(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to 1e-5, or where logits are beyond 1, as with ReLU, to that share of the largest."""
    assert np.isfinite(expected).all()
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


def some_ids(steps: int, texts: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, VOCABULARY, (steps, texts))


# -- ONNX ----------------------------------------------------------------------------------


def onnx_logits(data: bytes, ids: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes: logits [T, B, V] for ids [T, B]."""
    session = onnxruntime.InferenceSession(data)
    parts = session.get_inputs()[1:]
    state = {part.name: np.zeros((ids.shape[1], part.shape[1]), np.float32) for part in parts}
    found = []
    for row in ids:
        logits, *after = session.run(None, {"ids": row, **state})
        found.append(logits)
        state = dict(zip(state, after, strict=True))
    return np.stack(found)


def assert_onnx_agrees(model: LanguageModel, steps: int = 200) -> None:
    """For one text and for several, over many steps, in the form that ONNX asks for."""
    data = FORMATS["onnx"].make(model)
    assert_runs_anywhere(onnx.load_from_string(data))
    for texts in (1, 3):
        ids = some_ids(steps, texts)
        assert_equal(onnx_logits(data, ids), logits_of(model, ids))


def assert_runs_anywhere(made: onnx.ModelProto) -> None:
    """What other programs ask for: an old operator set, none of what they lack, slices that end."""
    onnx.checker.check_model(made, full_check=True)
    assert (made.ir_version, made.opset_import[0].version) == (7, 13)
    operators = {node.op_type for node in made.graph.node}
    assert operators.isdisjoint({"Identity", "Max", "Min", "Mod", "Sign"})
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in made.graph.initializer}
    slices = [node for node in made.graph.node if node.op_type == "Slice"]
    assert all(abs(arrays[node.input[2]]).max() < 1000 for node in slices)


@pytest.mark.parametrize("table", [True, False], ids=["table", "no table"])
@pytest.mark.parametrize("case", CASES, ids=told)
def test_a_step_in_onnx_gives_our_logits(case, table, monkeypatch):
    if not table:
        monkeypatch.setattr(instant, "TABLE_ENTRIES", 0)
    assert_onnx_agrees(model_of(case))


def test_a_cell_of_the_user_s_is_written_like_ours(monkeypatch):
    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": Odd})
    assert_onnx_agrees(model_of({"cell": "odd", "units": 4}))


def test_what_a_cell_may_do_with_an_array_means_the_same_in_onnx(monkeypatch):
    class Indexing(Odd):
        """Indices and remainders of every kind, with either sign."""

        def prepare(self, ops, weights):
            return dict(weights)

        def step(self, ops, z, state, weights):
            h, memory = state
            first, last = z[:, 0], z[:, -1]
            middle = z[:, 1:-1, None][..., 0]
            wide = ops.concatenate([first[:, None], middle, last[:, None]], -1)
            mean = ops.mean(wide[None], -1, keepdims=False)[0][:, None]
            signed = ops.mod(3 * wide, -0.7 + ops.zeros_like(z))
            return ops.tanh(signed + ops.mod(wide - mean, 0.5) + 0.5 * h), -memory

    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": Indexing})
    # A remainder jumps, so that rounding may put it on either side: only a few steps agree.
    assert_onnx_agrees(model_of({"cell": "odd", "units": 4, "layers": 1}), steps=5)


def test_what_a_cell_hands_on_as_it_is_gets_an_output_of_its_own(monkeypatch):
    class Passing(Odd):
        """Two parts of the state are one value, one stays, and one is always zero."""

        state_names = ("h", "same", "old", "none")

        def step(self, ops, z, state, weights):
            h = ops.tanh(z + ops.maximum(z, state[0]) + ops.minimum(0.1, state[1]))
            return h, h, state[2], 0 * state[3]

    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": Passing})
    model, ids = model_of({"cell": "odd", "units": 4}), some_ids(20, 2)
    assert_equal(onnx_logits(FORMATS["onnx"].make(model), ids), logits_of(model, ids))


def test_the_program_reads_a_file_that_others_have_changed(monkeypatch):
    """Converters write numbers of another type, and entries of their own beside ours."""
    model, ids = model_of({"cell": "lstm"}), some_ids(20, 1)
    made, kinds = onnx.load_from_string(FORMATS["onnx"].make(model)), onnx.TensorProto
    made.metadata_props.add(key="onnx.infer", value="of another program")
    other = {kinds.FLOAT: kinds.DOUBLE, kinds.INT64: kinds.INT32}
    for each in (*made.graph.input, *made.graph.output):
        each.type.tensor_type.elem_type = other[each.type.tensor_type.elem_type]
    for each in [each for each in made.graph.initializer if each.data_type == kinds.FLOAT]:
        array = onnx.numpy_helper.to_array(each).astype(np.float64)
        each.CopyFrom(onnx.numpy_helper.from_array(array, each.name))
    onnx.save(made, "shakespeare.onnx")
    space = {}
    exec(block("ONNX"), space)
    found = np.stack([space["step"](int(number)) for number in ids[:, 0]])
    assert found.dtype == np.float64
    assert_equal(found, logits_of(model, ids)[:, 0])


def test_an_onnx_file_says_what_it_takes_and_gives():
    model = model_of({"cell": "lstm"})
    session = onnxruntime.InferenceSession(FORMATS["onnx"].make(model))
    states = ["state_1_h", "state_1_c", "state_2_h", "state_2_c"]
    assert [(each.name, each.type) for each in session.get_inputs()] == [
        ("ids", "tensor(int64)"),
        *((name, "tensor(float)") for name in states),
    ]
    outputs = [each.name for each in session.get_outputs()]
    assert outputs == ["logits", *(f"next_{name}" for name in states)]
    assert session.get_inputs()[1].shape == session.get_outputs()[1].shape == ["batch", 6]
    told = session.get_modelmeta().custom_metadata_map
    assert Vocabulary.from_json(json.loads(told["vocabulary"])) == CHARACTERS
    assert json.loads(told["network"])["cell"] == "lstm"
    assert json.loads(told["charrnn_version"]) == package.__version__


def test_a_model_too_large_for_onnx_is_refused(monkeypatch):
    monkeypatch.setattr(onnx_format, "LARGEST_BYTES", 1000)
    with pytest.raises(ConfigError, match="larger than an ONNX file can be"):
        FORMATS["onnx"].make(model_of({"cell": "lstm"}))


# -- PyTorch -------------------------------------------------------------------------------


def torch_tensors(model: LanguageModel) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The tensors and the facts of an exported file."""
    Path("a.safetensors").write_bytes(FORMATS["torch"].make(model))
    with safe_open("a.safetensors", "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = {name: json.loads(fact) for name, fact in file.metadata().items()}
    return tensors, facts


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(u, v, h, c):
    i, f, g, o = np.split(u + v, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(u, v, h, c):
    (r, z, n), (hr, hz, hn) = np.split(u, 3), np.split(v, 3)
    z, n = sigmoid(z + hz), np.tanh(n + sigmoid(r + hr) * hn)
    return (1 - z) * n + z * h, c


def torch_logits(tensors, facts, ids):
    """Logits [T, V] by the equations in PyTorch's documentation of its layers, in NumPy."""
    network = facts["network"]
    relu = network["activation"] == "relu"
    rnn = lambda u, v, h, c: (np.maximum(u + v, 0) if relu else np.tanh(u + v), c)  # noqa: E731
    step = {"LSTM": lstm, "GRU": gru, "RNN": rnn}[facts["kind"]]
    xs, passed_on = list(tensors["embedding.weight"][ids]), []
    for layer, arguments in enumerate(facts["layers"]):
        w, u, b, d = (
            tensors[f"layers.{layer}.{name}_l0"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = np.zeros(arguments["hidden_size"])
        for time, x in enumerate(xs):
            h, c = step(w @ x + b, u @ h + d, h, c)
            xs[time] = x + h if network["residual"] and layer else h
        passed_on.append(np.stack(xs))
    features = np.concatenate(passed_on, 1) if network["skip_connections"] else passed_on[-1]
    return features @ tensors["output.weight"].T + tensors["output.bias"]


@pytest.mark.parametrize("case", STOCK, ids=told)
def test_the_equations_of_pytorch_give_our_logits(case):
    model, ids = model_of(case), some_ids(50, 1)
    found = torch_logits(*torch_tensors(model), ids[:, 0])
    assert_equal(found, logits_of(model, ids)[:, 0])


@pytest.mark.parametrize("case", STOCK, ids=told)
def test_pytorch_gives_our_logits(case):
    torch = pytest.importorskip("torch")
    model, ids = model_of(case), some_ids(200, 1)
    Path("shakespeare.safetensors").write_bytes(FORMATS["torch"].make(model))
    space = {}
    exec(block("PyTorch"), space)
    assert isinstance(space["layers"][0], getattr(torch.nn, space["facts"]["kind"]))
    found = np.stack([space["step"](int(number)) for number in ids[:, 0]])
    assert_equal(found, logits_of(model, ids)[:, 0])


# -- Keras ---------------------------------------------------------------------------------

BRANCHED = {"residual", "skip_connections"}
STEPPED = {"lstm", "gru", "rnn"}
"""Cells of networks that are read character after character too."""
COMPARING = """
expected, scale = np.load("expected.npz")["logits"], np.load("expected.npz")["scale"]
ids = np.load("expected.npz")["ids"]
found = np.asarray(network(ids.T)).transpose(1, 0, 2)
np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)
if facts["network"]["cell"] in stepped:
    stepped.remove(facts["network"]["cell"])
    found = np.stack([step(number) for number in ids[:, 0]])
    np.testing.assert_allclose(found, expected[:, 0], rtol=0, atol=1e-5 * scale)
"""


def test_keras_alone_gives_our_logits():
    script = ["import os, sys", f"stepped = {STEPPED}"]
    for number, case in enumerate(KERAS):
        model, ids = model_of(case), some_ids(8, 2)
        Path(str(number)).mkdir()
        Path(f"{number}/shakespeare.keras").write_bytes(FORMATS["keras"].make(model))
        logits = logits_of(model, ids)
        scale = max(1, np.abs(logits).max())
        np.savez(f"{number}/expected.npz", ids=ids, logits=logits, scale=scale)
        lines = block("Keras")
        if BRANCHED.intersection(case) and version("keras").startswith("3.10."):
            lines = lines[: lines.index("def stateful")]  # it cannot clone what it wrote
        script += [f"os.chdir({str(Path.cwd() / str(number))!r})", lines, COMPARING]
    script += ["assert not stepped"]
    script += ["assert not [name for name in sys.modules if name.startswith('charrnn')]"]
    run_alone("\n".join([*script, "print('done')"]), says="done")


def test_an_older_keras_finds_no_setting_that_it_does_not_know():
    """Keras refuses names of settings that are newer than itself; those are null."""
    data = FORMATS["keras"].make(model_of({"cell": "lstm"}))
    settings = zipfile.ZipFile(io.BytesIO(data)).read("config.json")
    names = []
    json.loads(settings, object_pairs_hook=lambda pairs: names.extend(pairs) or True)
    assert ("units", 6) in names
    assert [name for name, value in names if value is None] == []


def run_alone(script: str, says: str = "") -> str:
    """What a program prints that runs in a process of its own, far from charrnn."""
    Path("script.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    return done.stdout


# -- The page in docs/ ---------------------------------------------------------------------


def block(heading: str) -> str:
    """The lines of Python below a heading of the page."""
    return re.search(rf"## {heading}\n.*?```python\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize(
    ("name", "heading"), [("onnx", "ONNX"), ("keras", "Keras"), ("torch", "PyTorch")]
)
def test_the_page_shows_the_program_that_is_printed(name, heading):
    format = FORMATS[name]
    program = format.usage(Path(f"shakespeare{format.suffix}"))
    assert program == f"{block(heading)}\n\n{block('Writing with any of them')[:-1]}"


@pytest.mark.parametrize("name", ["onnx", "keras", "torch"])
def test_a_program_s_first_line_names_the_packages_that_it_imports(name):
    program = FORMATS[name].usage(Path("a"))
    nodes = list(ast.walk(ast.parse(program)))
    names = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    needed = {each.split(".")[0] for each in names} - sys.stdlib_module_names - {"keras"}
    told = program.splitlines()[0].removeprefix("# needs: pip install ").split()
    assert needed <= set(told)
    assert name != "keras" or "tensorflow" in told  # which brings Keras


@pytest.mark.parametrize("name", mostly(["onnx", "keras", "torch"], lambda name: name != "keras"))
def test_the_command_says_one_line_and_prints_a_program_that_writes_a_text(name):
    if name == "torch":
        pytest.importorskip("torch")
    untrained()
    command = [*CHARRNN, "export", "fox", "--to", name, "-o", FILES[name]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert re.fullmatch(rf"wrote {FILES[name]}: \d+\.\d kB\n", done.stderr)
    assert done.stdout == FORMATS[name].usage(Path(FILES[name])) + "\n"
    written = run_alone(done.stdout)
    assert 100 < len(written) <= 201
    assert set(written) <= set(TEXT)


@pytest.mark.parametrize("case", [{"direction": "backward"}, {}], ids=["backward", "bytes"])
def test_the_program_knows_how_the_text_is_read(case, monkeypatch, capsys):
    vocabulary = CHARACTERS if case else Vocabulary("\nabcdef\xe9", byte_level=True)
    model = model_of({"cell": "rnn", **case}, vocabulary)
    Path("a.onnx").write_bytes(FORMATS["onnx"].make(model))
    drawn = iter("bad" * 100 if case else "ab" * 100)
    monkeypatch.setattr(np.random, "choice", lambda *_, **__: next(drawn))
    exec(FORMATS["onnx"].usage(Path("a.onnx")), {})
    written = capsys.readouterr().out
    assert written.startswith("abdabd" if case else "abab")


# -- The folder to hand on -----------------------------------------------------------------


def test_the_folder_handed_on_writes_what_the_run_writes():
    untrained()
    outcome = charrnn("export", "fox", "--to", "hub", "-o", FILES["hub"])
    assert outcome.out == "charrnn sample 'handed on'\n"
    assert {path.name for path in Path("handed on").iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
    }
    expected = charrnn("sample", "fox", "--seed", 3).out
    Path("checkpoints").rename("elsewhere")
    for named in ("handed on", "handed on/model.safetensors"):
        assert charrnn("sample", named, "--seed", 3).out == expected
    assert charrnn("info", "handed on", "--verify").status == 0
    assert load("handed on").checkpoint.weights_alone


def test_the_card_has_the_run_s_figures_and_its_sample(monkeypatch):
    run = untrained()
    stored = checkpoints.load(run.best)
    progress = replace(
        stored.progress,
        step=6,
        windows=4,
        best_loss_nats=1.5,
        best_step=6,
        elapsed_seconds=61.2,
        machine="somebody's own",
    )
    checkpoints.save(run.best, replace(stored, progress=progress))
    package.export_model("fox", to="hub", output="out")
    card = Path("out/README.md").read_text(encoding="utf-8")
    for figure in (
        "| loss on the text kept for validation | 1.500 nats = 2.16 bits per character |",
        "| passes over the training text | 1.5 (6 steps) |",
        "| time | 61 s |",
        f"| parameters | {stored.parameters:,} |",
        f"| text learnt | fox.txt, {len(TEXT):,} characters |",
    ):
        assert figure in card
    (command,) = re.findall(r"`charrnn (sample [^`]+)` writes", card)
    monkeypatch.chdir("out")
    assert charrnn(*command.split()).out in card
    assert "somebody's own" not in "".join(map(str, tree(Path()).values()))


def test_the_folder_handed_on_says_what_the_model_is_and_never_what_it_read():
    run = untrained(text="a secret that nobody may read\n" * 40)
    package.export_model(run.folder, to="hub", output="out")
    settings = json.loads(Path("out/config.json").read_text(encoding="utf-8"))
    model = load("fox")
    assert Vocabulary.from_json(settings["vocabulary"]) == model.vocabulary
    assert settings["training"] == json.loads(json.dumps(model.checkpoint.config.to_json()))
    assert settings["parameters"] == model.checkpoint.parameters
    for data in tree(Path("out")).values():
        assert b"secret" not in data
        assert model.vocabulary.encode("a secret").tobytes() not in data


def test_the_card_of_a_strange_run_stays_a_card(monkeypatch):
    name = "a|b`<img src=x>"
    untrained(ROOT / name)
    fences = "\x1b[31m```\n</pre>\x00"
    monkeypatch.setattr(LanguageModel, "generate", lambda *_, **__: fences)
    package.export_model(name, to="hub", output="out")
    card = Path("out/README.md").read_text(encoding="utf-8")
    assert "# a\\|b\\`\\<img src=x\\>\n" in card
    assert "````text\n\ufffd[31m```\n</pre>\ufffd\n````\n" in card


def test_the_card_says_what_a_user_has_to_know(monkeypatch):
    monkeypatch.setattr(CELLS, "_items", {**CELLS.present, "odd": Odd})
    run = untrained()
    model = model_of({"cell": "odd", "units": 4, "direction": "backward"})
    checkpoints.save(run.best, model.checkpoint)
    package.export_model("fox", to="hub", output="out")
    card = Path("out/README.md").read_text(encoding="utf-8")
    assert "reads from the end" in card
    assert "cell odd is not charrnn's own" in card
    assert "| loss on the text kept for validation | not measured |" in card


def test_a_run_comes_before_a_folder_of_the_same_name():
    untrained(ROOT / "fox")
    package.export_model("fox", to="hub", output="fox")
    assert load("fox").path.parent == ROOT / "fox"
    Path(ROOT / "fox").rename("gone")
    assert load("fox").path == Path("fox/model.safetensors")
    Path(ROOT).mkdir(exist_ok=True)
    Path("fox").rename(ROOT / "fox")
    assert load("fox").path == ROOT / "fox/model.safetensors"


def test_training_starts_from_a_folder_handed_on(corpus, train, eagerly):
    untrained(text="the quick brown fox\n" * 90)
    package.export_model("fox", to="hub", output="out")
    train(corpus, init_from="out", steps=2, name="more")
    before, after = (load(name).checkpoint.weights for name in ("out", "more"))
    name = "recurrent_1/recurrent_kernel"
    assert 0 < np.abs(after[name] - before[name]).max() < 0.1


# -- What cannot be exported, and where to -------------------------------------------------


@pytest.mark.parametrize(
    ("to", "case", "why"),
    [
        ("keras", {"cell": "mgu"}, "Keras has no layer for the cell mgu; choose hub or onnx"),
        ("torch", {"cell": "minlstm"}, "PyTorch has no layer for the cell minlstm; choose hub or"),
        ("torch", {"layer_norm": True}, "nn.LSTM has no --layer-norm; choose hub or keras or onnx"),
        ("torch", {"cell": "gru", "layer_norm": True}, "nn.GRU has no --layer-norm; choose"),
        ("torch", {"cell": "rnn", "activation": "leaky_relu"}, "know --activation leaky_relu; "),
        ("keras", {"cell": "gru_classic", "activation": "leaky_relu"}, "for --activation leaky"),
        ("torch", {"recurrent_activation": "hard_sigmoid"}, "know --recurrent-activation hard"),
    ],
)
def test_a_network_that_a_format_cannot_hold_gets_one_line(to, case, why):
    run = untrained()
    checkpoints.save(run.best, model_of(case).checkpoint)
    outcome = charrnn("export", "fox", "--to", to, "-o", FILES[to])
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"charrnn: --to {to}: ")
    assert why in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path(FILES[to]).exists()


def test_every_network_can_be_written_in_some_format():
    for case in [*CASES, *KERAS]:
        config = Config.of(**SIZES | case).model
        assert {name for name in FORMATS if FORMATS[name].holds(config)} >= {"onnx", "hub"}


def test_without_the_package_onnx_a_line_says_how_to_get_it(monkeypatch):
    untrained()
    monkeypatch.setitem(sys.modules, "onnx", None)
    outcome = charrnn("export", "fox", "--to", "onnx", "-o", "fox.onnx")
    assert outcome.status == 1
    assert outcome.err == (
        "charrnn: this needs the package onnx, which is not installed;"
        ' install it with: pip install "onnx>=1.18"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--to", "onnx", "-o", "fox.bin"], 1, "for onnx ends in .onnx; name it fox.onnx"),
        (["--to", "keras", "-o", "."], 1, "for keras ends in .keras"),
        (["--to", "onnx", "-o", "no/fox.onnx"], 1, "no/fox.onnx: No such file or directory"),
        (["--to", "hub", "-o", "no/fox"], 1, "no/fox: No such file or directory"),
        (["--to", "hub", "-o", "fox.txt"], 1, "fox.txt: is a file; name a folder"),
        (["--to", "hub", "-o", "checkpoints/fox"], 1, "is in the folder of a run"),
        (["--to", "hub", "-o", "checkpoints/fox/hub"], 1, "is in the folder of a run"),
        (["--to", "torch", "-o", "checkpoints/fox/best.safetensors"], 1, "the folder of a run"),
        (["--to", "onnix", "-o", "fox.onnx"], 2, "did you mean onnx?"),
        (["-o", "fox.onnx"], 2, "missing option '--to'"),
        (["--to", "onnx"], 2, "missing option '-o'"),
    ],
)
def test_a_wrong_place_or_format_is_refused_and_nothing_written(arguments, status, said):
    untrained()
    before = tree(Path())
    outcome = charrnn("export", "fox", *arguments)
    assert outcome.status == status
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert tree(Path()) == before


def test_a_file_is_replaced_and_a_folder_s_files_are_not():
    untrained()
    Path("fox.onnx").write_text("old")
    Path("out").mkdir()
    Path("out/.gitattributes").write_text("theirs")
    for name, place in (("onnx", "fox.onnx"), ("hub", "out")):
        package.export_model("fox", to=name, output=place)
    assert onnx.load("fox.onnx").graph.name == "step"
    Path("out/model.safetensors").unlink()
    before = tree(Path())
    with pytest.raises(RunError, match=r"^out/config.json: is there already; name another folder$"):
        package.export_model("fox", to="hub", output="out")
    assert tree(Path()) == before


def test_what_a_killed_export_left_goes_with_the_next_one():
    left = Path("model") / f"{HALF_WRITTEN}x"
    left.mkdir(parents=True)
    (left / "config.json").touch()
    write_folder(Path("model"), {"config.json": b"{}"})
    assert tree(Path("model")) == {"config.json": b"{}"}


def test_a_folder_that_cannot_be_filled_is_not_left_half_full(monkeypatch):
    untrained()
    before = tree(Path())
    monkeypatch.setattr(hub, "MODEL", "no/such/place")
    with pytest.raises(FileNotFoundError):
        package.export_model("fox", to="hub", output="out")
    assert tree(Path()) == before


def test_a_damaged_checkpoint_is_not_handed_on():
    run = untrained()
    data = bytearray(run.best.read_bytes())
    data[-5] ^= 1
    run.best.write_bytes(data)
    outcome = charrnn("export", "fox", "--to", "hub", "-o", "out")
    assert (outcome.status, Path("out").exists()) == (1, False)
    assert "damaged checkpoint" in outcome.err


def test_a_model_is_exported_without_tensorflow():
    untrained()
    script = f"""
import sys
from charrnn.cli import main
for name, place in {FILES}.items():
    if name != "keras":
        main(["export", "fox", "--to", name, "-o", place], standalone_mode=False)
assert not {{"tensorflow", "keras", "torch"}} & set(sys.modules)
"""
    run_alone(script, says="charrnn sample 'handed on'")
    assert all(Path(place).exists() for name, place in FILES.items() if name != "keras")


def test_a_format_of_the_user_s_is_offered(monkeypatch):
    from charrnn.exporting.exporting import register

    monkeypatch.setattr(FORMATS, "_items", FORMATS.present)
    register("count", "how many numbers there are", ".txt")(
        lambda model: str(model.checkpoint.parameters).encode()
    )
    run = untrained()
    assert "count  how many numbers there are" in charrnn("export", "--help").out
    assert charrnn("export", "fox", "--to", "count", "-o", "fox.txt").out == ""
    assert int(Path("fox.txt").read_text()) == load(run.folder).checkpoint.parameters
    with pytest.raises(ConfigError, match="`to` 'nothing': must be one of"):
        package.export_model("fox", to="nothing", output="a")
