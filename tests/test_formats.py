"""Runs of every format that there has been: they load, write what they wrote, and resume."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import charrnn
from charrnn.errors import CheckpointError, CorpusError
from charrnn.runs import checkpoints
from charrnn.runs.events import Evaluated, Event, Note
from charrnn.runs.run import Run
from charrnn.text.corpus import encode_corpus
from charrnn.text.sources import Source

KEPT = Path(__file__).parent / "checkpoints"
FORMATS = [f"format{number}" for number in range(1, checkpoints.FORMAT + 1)]
NEWEST = FORMATS[-1]
ROOT = Path("checkpoints")


def texts(name: str) -> dict[str, str]:
    """What the run's checkpoints wrote when they were made."""
    written: dict[str, str] = json.loads((KEPT / name / "texts.json").read_text("utf-8"))
    return written


def write(folder: Path, which: str) -> str:
    """What a checkpoint writes now."""
    return charrnn.load(folder, which=which).generate("abc", seed=5, length=40)


def copied(name: str) -> Run:
    """A copy of the run, to be resumed."""
    return Run(Path(shutil.copytree(KEPT / name, ROOT / name)))


def resume(run: Run, **settings: object) -> list[Event]:
    """Train to the end of the plan."""
    return list(charrnn.train(name=run.name, checkpoints=ROOT, resume=True, **settings))


@pytest.mark.parametrize("which", ["best", "last"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_checkpoint_of_each_format_writes_what_it_wrote(name: str, which: str) -> None:
    path = KEPT / name / f"{which}.safetensors"
    assert f'"format\\": {name[-1]}'.encode() in path.read_bytes()
    assert write(KEPT / name, which) == texts(name)[which]
    assert checkpoints.load(path).weights_alone == (which == "best")


@pytest.mark.compiled
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", FORMATS)
def test_a_run_of_each_format_resumes(name: str) -> None:
    """Compiled, since that draws other dropout masks."""
    run = copied(name)
    evaluated = [event.step for event in resume(run) if isinstance(event, Evaluated)]
    assert evaluated == [8, 12]
    assert checkpoints.load(run.last).progress.step == 12
    assert write(run.folder, "last") == texts(name)["resumed"]


@pytest.mark.usefixtures("eagerly")
def test_a_run_resumes_from_weights_alone_and_says_so() -> None:
    """As after copying `best` over a `last` that was damaged."""
    run = copied(NEWEST)
    shutil.copy(run.best, run.last)
    notes = [event.message for event in resume(run) if isinstance(event, Note)]
    assert f"{run.last} has weights only: the optimizer starts from zero, as in a new run" in notes
    resumed = checkpoints.load(run.last)
    assert (resumed.progress.step, resumed.weights_alone) == (12, False)


def change(run: Run, **tensors: np.ndarray | None) -> None:
    """Put other tensors into the optimizer of a run's `last`, or take some out."""
    kept = checkpoints.load(run.last)
    changed = kept.tensors | {f"optimizer/{name}": tensor for name, tensor in tensors.items()}
    left = {name: tensor for name, tensor in changed.items() if tensor is not None}
    checkpoints.save(run.last, replace(kept, tensors=left))


OPTIMIZERS: dict[str, tuple[dict[str, np.ndarray | None], str]] = {
    "a slot missing": ({"adamw/iteration": None}, "lack 'adamw/iteration'"),
    "a slot too many": ({"adamw/more": np.zeros(2)}, "have 'adamw/more', which"),
    "another shape": ({"adamw/iteration": np.zeros(2, int)}, r"as int64 \[2\], where .* \[\]"),
    "no number": ({"adamw/learning_rate": np.array(np.nan, np.float32)}, "not finite"),
}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("wrong", OPTIMIZERS)
def test_an_optimizer_that_is_not_the_run_s_is_refused(wrong: str) -> None:
    run = copied(NEWEST)
    tensors, why = OPTIMIZERS[wrong]
    change(run, **tensors)
    before = run.last.read_bytes()
    with pytest.raises(CheckpointError, match=f"damaged checkpoint: its optimizer's .*{why}"):
        resume(run)
    assert run.last.read_bytes() == before


def test_a_text_that_is_not_the_checkpoint_s_is_refused() -> None:
    run, other = copied(NEWEST), ROOT / "other"
    config = checkpoints.load(run.last).config.text
    for text in ("abcab\n" * 20, "abcd \n" * 50):
        other.mkdir(parents=True, exist_ok=True)
        (other / "text").write_text(text)
        encode_corpus((Source(other / "text"),), config, run.folder)
        with pytest.raises(CorpusError, match=r"corpus\.json: not the text that last\.safet"):
            resume(run)
