"""`log="tensorboard"`: event files as TensorFlow reads them, which leave training alone."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import charrnn as command
from conftest import SMALL, TEXT
from graphs import without_xla

import charrnn
from charrnn.errors import ConfigError
from charrnn.runs import checkpoints, events
from charrnn.runs.events import Evaluated, RolledBack, Sampled, Stepped
from charrnn.runs.run import Run
from charrnn.tf.start import tf
from charrnn.training import tensorboard
from charrnn.training.loggers import LOGGERS
from charrnn.training.tensorboard import EventFiles

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.graphs]

PLAN = {"steps": 12, "eval_every": 4, "checkpoint_every": 2, "sample_every": 3}
RUN = Run(Path("checkpoints/corpus"))
FOLDER = RUN.folder / "tensorboard"


def logged(folder: Path = FOLDER) -> dict[str, list[tuple[int, Any]]]:
    """What TensorBoard shows of a folder: by name, steps and values in their order."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*tfevents*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:  # its server drops what stands from a step on
                points = [each for each in found[value.tag] if each[0] < event.step]
                found[value.tag] = [*points, (event.step, plain(tf.make_ndarray(value.tensor)))]
    return dict(found)


def plain(array: np.ndarray) -> Any:
    """An array's numbers, or its text."""
    value = array.tolist()
    return value.decode() if isinstance(value, bytes) else value


def begin(corpus: Path, **options: Any) -> Any:
    """Training that logs."""
    given = {"checkpoints": "checkpoints", "log": "tensorboard", **SMALL, **PLAN, **options}
    return charrnn.train(corpus, **given)


def only(kind: type, stream: list) -> list:
    """The events of one kind."""
    return [event for event in stream if isinstance(event, kind)]


def test_losses_rates_norms_samples_and_weights_are_logged(corpus: Path) -> None:
    told = list(begin(corpus))
    found = logged()
    for each in only(Evaluated, told):
        for name, value in tensorboard.scalars(each).items():
            assert (each.step, pytest.approx(value)) in found[name]
    assert [step for step, _ in found["loss/validation_nats"]] == [4, 8, 12]
    assert [step for step, _ in found["loss/step_nats"]] == list(range(1, 13))
    texts = [(each.step, indented(each.text)) for each in only(Sampled, told)]
    assert found["sample"] == texts
    weights = checkpoints.load(RUN.last).weights
    for name, weight in weights.items():
        step, buckets = found[f"weights/{name}"][-1]
        assert step == 12
        assert sum(count for _, _, count in buckets) == weight.size
        assert buckets[0][0] == pytest.approx(weight.min())
        assert buckets[-1][1] == pytest.approx(weight.max())


def indented(text: str) -> str:
    """A text as Markdown shows it unchanged."""
    return "".join(f"    {line}\n" for line in text.split("\n"))


def test_logging_changes_no_bit_of_training(corpus: Path) -> None:
    list(begin(corpus))
    list(begin(corpus, name="silent", log=()))
    silent = Run(RUN.folder.with_name("silent"))
    one, other = checkpoints.load(RUN.last), checkpoints.load(silent.last)
    assert one.tensors.keys() == other.tensors.keys()
    for name in one.tensors:
        np.testing.assert_array_equal(one.tensors[name], other.tensors[name])
    assert RUN.samples.read_bytes() == silent.samples.read_bytes()
    assert not (silent.folder / "tensorboard").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What a run logs that is not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "corpus.txt").write_text(TEXT, encoding="utf-8")
    with without_xla():
        list(begin(folder / "corpus.txt", checkpoints=folder))
    return logged(folder / "corpus/tensorboard")


@pytest.mark.parametrize("stop_at", [4, 7])
def test_a_run_stopped_and_resumed_logs_nothing_twice_and_loses_nothing(
    corpus: Path, whole: dict, stop_at: int
) -> None:
    for event in begin(corpus):
        if isinstance(event, Stepped) and event.step == stop_at:
            break
    list(charrnn.train("corpus", resume=True))  # it goes on with its log unasked
    assert logged() == whole


def no_weights() -> dict:
    return {}


def test_what_was_logged_after_a_rollback_s_step_goes() -> None:
    files = EventFiles(Path("logs"), 0)
    for step in (1, 2, 3):
        files.log(Stepped(step, 9, float(step), 1), no_weights)
    files.log(RolledBack(1, 0.5), no_weights)
    files.log(Stepped(2, 9, 20.0, 1), no_weights)
    files.close()
    assert logged(Path("logs")) == {"loss/step_nats": [(1, 1.0), (2, 20.0)]}


def test_long_plans_log_a_bounded_number_of_steps() -> None:
    files = EventFiles(Path("logs"), 0)
    end = 3 * tensorboard.POINTS
    for step in range(end - 9, end + 1):
        files.log(Stepped(step, end, 1.0, 1), no_weights)
    files.close()
    assert [step % 3 for step, _ in logged(Path("logs"))["loss/step_nats"]] == [0] * 4


def test_a_log_that_cannot_be_written_does_not_end_training(corpus: Path) -> None:
    stream = begin(corpus)
    while not isinstance(next(stream), events.Started):
        pass
    FOLDER.rename("elsewhere")
    FOLDER.touch()
    assert list(stream)[-1].step == 12


def test_a_logger_that_fails_is_given_up_with_a_note(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, folder: Path, step: int) -> None:
            self.events = 0

        def log(self, event: events.Event, weights: Any) -> None:
            self.events += 1
            if isinstance(event, Evaluated):
                raise OSError("no space\nleft")

        def close(self) -> None:
            raise OSError("nor here")

    monkeypatch.setattr(LOGGERS, "_items", {**LOGGERS.present, "full": Full})
    told = list(begin(corpus, log="full"))
    notes = [note.message for note in only(events.Note, told)]
    (note,) = [note for note in notes if "logged" in note]
    words = "training goes on, but is not logged there any longer: OSError: no space left"
    assert note == f"{RUN.folder / 'full'}: {words}"
    assert told[-1].step == 12


def test_an_unknown_logger_is_refused_before_anything_is_made(corpus: Path) -> None:
    with pytest.raises(ConfigError, match="`log` 'wall': must be one of tensorboard"):
        begin(corpus, log="wall")
    outcome = command("train", corpus, "--log", "wall")
    assert outcome.err == "charrnn: --log wall: must be one of tensorboard\n"
    assert not Path("checkpoints").exists()


def test_overwriting_a_run_removes_its_logs(corpus: Path) -> None:
    list(begin(corpus))
    list(begin(corpus, log=(), overwrite=True))
    assert not FOLDER.exists()


def test_the_command_line_logs(corpus: Path) -> None:
    outcome = command(
        "train", corpus, "--log", "tensorboard", "--steps", 2, "--units", 8, "--sample-every", 0
    )
    assert outcome.status == 0
    assert "logged" not in outcome.err
    assert logged()["loss/step_nats"]
