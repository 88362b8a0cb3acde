"""Every package that charrnn needs is met once: what `.ci/run` tries with the lowest versions."""

import sys
from pathlib import Path

import numpy as np
import pytest
from apart import run_apart
from commands import Outcome, charrnn, options

from charrnn.exporting.exporting import FORMATS
from charrnn.runs.run import Run

NETWORK = options(cell="lstm", layers=1, embedding=3)
SMALL = [*NETWORK, *options(batch_size=4, seq_length=10), "--no-skip-connections"]
TWO_RANKS = """
import subprocess, sys
from pathlib import Path
launcher = Path(sys.executable).parent / "mpiexec"
sys.exit(subprocess.call([launcher, "-n", "2", sys.executable, "-m", "charrnn", *sys.argv[1:]]))
"""
pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.graphs]


def succeed(*arguments: object) -> Outcome:
    outcome = charrnn(*arguments)
    assert outcome.status == 0, outcome
    return outcome


@pytest.fixture
def trained(corpus: Path) -> Run:
    """Trained with TensorFlow, and logged; saved with safetensors; locked with filelock."""
    succeed("train", corpus, *SMALL, "--units", 6, "--steps", 4, "--log", "tensorboard")
    return Run(Path("checkpoints") / "corpus")


def test_a_run_goes_on_writes_scores_and_is_shown(trained: Run) -> None:
    """Click, regex and tqdm; matplotlib draws the curves."""
    assert "100%|" in succeed("train", "--resume", "--steps", 2).err
    assert len(succeed("sample", "--match", "[a-z ]{4,9}", "--length", 9).out) > 4
    assert "nats" in succeed("evaluate", "--dynamic").out
    succeed("page", "-o", "page.html")
    succeed("plot", "-o", "curves.png")
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")
    assert "corpus" in succeed("list").out
    assert "did you mean --temperature?" in charrnn("sample", "--temperatur", 1).err


@pytest.mark.filterwarnings("ignore")
def test_other_programs_read_a_run_and_it_comes_back(
    trained: Run, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ONNX and its runtime; Keras and h5py, on the way out and in."""
    for name in ("onnx", "keras", "torch"):
        succeed("export", "--to", name, "-o", f"model{FORMATS[name].suffix}")
    for name in ("onnx", "keras"):
        program = FORMATS[name].usage(Path(f"model{FORMATS[name].suffix}"))
        exec(program.replace("range(500)", "range(9)").replace("range(300)", "range(9)"), {})
        assert capsys.readouterr().out.strip()
    succeed("import", "model.keras", "--name", "back", "--vocabulary", corpus)
    assert succeed("sample", "back", "--seed", 1, "--length", 20).out


def test_a_sweep_tries_its_settings(corpus: Path) -> None:
    """Optuna keeps the journal and draws what is tried."""
    made = succeed("sweep", corpus, *SMALL, "--units", "4,6", "--seeds", 1, "--steps", 2)
    assert made.out.count("finished") == 2
    assert succeed("sweep", "--show", "corpus-sweep").out == made.out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's, with NumPy 2
def test_a_layer_is_fitted_and_saved() -> None:
    from charrnn.layers import LSTM
    from charrnn.tf.start import keras

    model = keras.Sequential([keras.Input((5, 2)), LSTM(4), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = np.ones((6, 5, 2), np.float32), np.ones((6, 1), np.float32)
    model.fit(x, y, verbose=0)
    model.save("model.keras")
    again = keras.saving.load_model("model.keras")
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)


def test_two_ranks_train_together(corpus: Path) -> None:
    if not (Path(sys.executable).parent / "mpiexec").exists():
        pytest.skip("no MPI is installed")
    run_apart(TWO_RANKS, "train", corpus, *SMALL, "--units", 6, "--steps", 2).check_returncode()
    assert Run(Path("checkpoints") / "corpus").exists
