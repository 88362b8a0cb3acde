"""Damaged files: refused with one line, never a traceback; blind damage is never overlooked."""

import os
from pathlib import Path
from random import Random

import damage
import numpy as np
import pytest
from commands import ROOT, charrnn, untrained
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import randoms

import charrnn as library
from charrnn.config import Config
from charrnn.errors import CharrnnError, CheckpointError, CorpusError
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import add_prefix, initial_weights, state_layout
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.text.corpus import IDS_FILE, INFO_FILE, open_corpus
from charrnn.text.vocabulary import Vocabulary

FOLDER = Path(__file__).parent / "checkpoints"
PATH = Path("some.safetensors")
STATE = Path("some.state")
REFUSED = "damaged checkpoint|not a charrnn checkpoint"


def quickly(examples: int) -> settings:
    """So many examples, the same every time, in whatever folder the test works."""
    ignored = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=ignored,
    )


chances = randoms(use_true_random=False)


def example(**settings: object) -> Checkpoint:
    """A small `last` checkpoint, made without TensorFlow."""
    config = Config.of(**{"units": 2, "embedding": 2, "batch_size": 2, "seq_length": 3, **settings})
    vocabulary = Vocabulary.of("\n ab")
    weights = initial_weights(config.model, vocabulary.size, 0)
    layout = state_layout(config.model, config.training.batch_size)
    return Checkpoint(
        config,
        vocabulary,
        Progress(step=7, end=9, windows=4, best_loss_nats=0.5, best_step=6),
        add_prefix("weights", weights)
        | add_prefix("optimizer", {"adamw/iteration": np.array(7)})
        | add_prefix("state", {name: np.zeros(*each) for name, each in layout.items()}),
    )


def example_bytes() -> bytes:
    """The same as a file."""
    checkpoints.save(PATH, example())
    return PATH.read_bytes()


def one_line(error: CharrnnError) -> None:
    """An error's message is a line that a terminal can show, and not endless."""
    line = str(error)
    assert line.isprintable(), line
    assert len(line) < 600


def read(data: bytes) -> CheckpointError | None:
    """What is wrong with a checkpoint; where it is accepted, it can write, and tell of itself."""
    PATH.write_bytes(data)
    try:
        model = library.load(PATH)
    except CheckpointError as error:
        one_line(error)
        return error
    assert isinstance(model.generate("ab", length=3, seed=1), str)
    assert charrnn("info", PATH).status == charrnn("info", PATH, "--json").status == 0
    return None


@pytest.fixture(autouse=True)
def at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are made at the same time always, so that the same bytes are altered."""
    monkeypatch.setattr(checkpoints, "now", lambda: "2026-01-01T00:00:00+00:00")


def small_model() -> LanguageModel:
    """A small model with weights at random."""
    return LanguageModel(example(), Path("checkpoints/toy/best"))


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """The same for all tests."""
    return small_model()


def test_what_is_not_damaged_is_accepted(model: LanguageModel) -> None:
    assert read(example_bytes()) is None
    assert continued(model, state_bytes(model)) is None
    assert open_corpus(untrained_folder())


@pytest.mark.parametrize("whole", [True, False], ids=["read whole", "memory-mapped"])
@given(random=chances)
@quickly(60)
def test_blind_damage_of_a_checkpoint_is_refused(whole: bool, random: Random) -> None:
    blindly(random, whole)


def blindly(random: Random, whole: bool) -> None:
    """Damage a checkpoint, read whole or memory-mapped, and see that it is noticed."""
    data = example_bytes()
    damaged = damage.blind(data, random)
    if damaged == data:
        return
    PATH.write_bytes(damaged)
    header = data[: damage.LENGTH + int.from_bytes(data[: damage.LENGTH], "little")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoints, "READ_WHOLE", len(data) if whole else 0)
        if not whole and damaged.startswith(header) and len(damaged) == len(data):
            library.load(PATH)  # only the numbers are altered, which nobody has read yet
        else:
            with pytest.raises(CheckpointError, match=REFUSED) as caught:
                library.load(PATH)
            one_line(caught.value)
    with pytest.raises(CheckpointError, match=REFUSED):
        checkpoints.load(PATH)
    assert charrnn("info", PATH, "--verify").status == 1


@given(random=chances)
@quickly(120)
def test_a_hostile_checkpoint_is_refused_or_serves(random: Random) -> None:
    read(damage.tensors_file(example_bytes(), random))


def continued(model: LanguageModel, data: bytes) -> CheckpointError | None:
    """What is wrong with the state of a text; where it is accepted, the text goes on."""
    STATE.write_bytes(data)
    try:
        writing = model.write(state=STATE, count=2, length=3, repetition_penalty=1.5)
    except CheckpointError as error:
        one_line(error)
        return error
    assert [len(text.text) for text in writing.texts()] == [3, 3]
    return None


def state_bytes(model: LanguageModel) -> bytes:
    """The state of two texts, as a file."""
    writing = model.write("ab", count=2, length=4, seed=5, repetition_penalty=1.5)
    writing.texts()
    model.save_state(STATE, writing)
    return STATE.read_bytes()


@given(random=chances)
@quickly(80)
def test_blind_damage_of_a_state_is_refused(model: LanguageModel, random: Random) -> None:
    data = state_bytes(model)
    damaged = damage.blind(data, random)
    assert damaged == data or continued(model, damaged) is not None


@given(random=chances)
@quickly(120)
def test_a_hostile_state_is_refused_or_serves(model: LanguageModel, random: Random) -> None:
    continued(model, damage.tensors_file(state_bytes(model), random))


@given(random=chances)
@quickly(120)
def test_a_hostile_record_of_a_corpus_is_refused_or_serves(random: Random) -> None:
    hostile_record(random)


def hostile_record(random: Random) -> None:
    """Alter a corpus's record; where it is accepted, the corpus is read as it says."""
    info = untrained_folder() / INFO_FILE
    good = info.read_bytes()
    info.write_bytes(damage.record(good, random))
    try:
        corpus = open_corpus(info.parent)
    except CorpusError as error:
        one_line(error)
    else:
        others = [corpus.train, corpus.part("test").ids]
        text = corpus.vocabulary.decode(np.concatenate(others).tolist())
        assert len(text) + len(corpus.validation) == corpus.info.length
    finally:
        info.write_bytes(good)


@pytest.mark.parametrize("name", [INFO_FILE, IDS_FILE])
@given(random=chances)
@quickly(40)
def test_blind_damage_of_a_corpus_is_refused(name: str, random: Random) -> None:
    path = untrained_folder() / name
    good = path.read_bytes()
    path.write_bytes(damage.blind(good, random))
    try:
        if path.read_bytes() != good:
            with pytest.raises(CorpusError) as caught:
                open_corpus(path.parent)
            one_line(caught.value)
    finally:
        path.write_bytes(good)


def untrained_folder() -> Path:
    """The folder of a run, made once in a test."""
    return ROOT / "fox" if (ROOT / "fox").exists() else untrained().folder


# -- Files from strangers: bounded before they are read --------------------------------------


@pytest.mark.parametrize(
    ("bound", "said"),
    [("LONGEST_HEADER", "its header promises"), ("MOST_TENSORS", "more than any checkpoint")],
)
def test_what_a_header_may_promise_is_bounded(bound: str, said: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Under a low bound an ordinary checkpoint is refused, in `list` with the run's name."""
    untrained()
    monkeypatch.setattr(checkpoints, bound, 5)
    done = charrnn("info", "fox")
    assert done.status == 1
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "fox  damaged checkpoint" in charrnn("list").out


def test_a_layout_that_does_not_fit_the_file_is_refused_unread(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    run = untrained()
    with run.best.open("ab") as file:
        file.write(b"more")
    monkeypatch.setattr(checkpoints, "read_rest", lambda file: pytest.fail("the tensors were read"))
    with pytest.raises(CheckpointError, match="damaged checkpoint: it is cut short or altered"):
        checkpoints.load(run.best)


@pytest.mark.parametrize("command", [["list"], ["info", "fox"], ["sample", "fox", "-l", "3"]])
def test_a_pipe_in_place_of_a_checkpoint_is_not_waited_for(command: list[str]) -> None:
    run = untrained()
    for file in (run.best, run.last):
        file.unlink()
        os.mkfifo(file)
    done = charrnn(*command)
    assert "no regular file" in done.out + done.err
    assert done.err.count("\n") <= 1


def test_a_link_in_place_of_a_lock_empties_no_file() -> None:
    run, file = untrained(), Path("diary.txt")
    file.write_text("mine", encoding="utf-8")
    run.lock_file.unlink()
    run.lock_file.symlink_to(file.resolve())
    done = charrnn("train", "--resume", "--name", "fox", "--steps", "1")
    assert done.status == 1
    assert str(run.lock_file) in done.err
    assert file.read_text(encoding="utf-8") == "mine"
