"""Reading backward is reading the reversed text forward, in training, scoring and sampling."""

import numpy as np
import pytest
from commands import charrnn as command
from conftest import TEXT

import charrnn
from charrnn.errors import ConfigError
from charrnn.runs import checkpoints
from charrnn.text.batches import in_direction

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def runs(train, tmp_path):
    """The same training, of a text backward and of the reversed text forward."""
    for name, text, direction in (("left", TEXT, "backward"), ("right", TEXT[::-1], "forward")):
        path = tmp_path / f"{name}.txt"
        path.write_text(text, encoding="utf-8")
        train(path, steps=3, val_fraction=0, direction=direction, learning_rate=0.05)
    return [charrnn.load(name, checkpoints=tmp_path / "checkpoints") for name in ("left", "right")]


def test_a_direction_is_a_view():
    ids = np.arange(5)
    assert in_direction(ids, "forward") is ids
    assert in_direction(ids, "backward").tolist() == [4, 3, 2, 1, 0]
    assert np.shares_memory(in_direction(ids, "backward"), ids)


def test_backward_is_forward_on_the_reversed_text(runs, tmp_path):
    left, right = runs
    for name, weight in left.checkpoint.weights.items():
        np.testing.assert_array_equal(weight, right.checkpoint.weights[name])
    written = left.generate("fox", seed=1, length=70, count=2)
    mirrored = right.generate("xof", seed=1, length=70, count=2)
    assert [text[::-1] for text in written] == mirrored
    for name, text in (("one", "a lazy dog"), ("two", "god yzal a")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert left.evaluate(tmp_path / "one") == right.evaluate(tmp_path / "two")


def test_the_prompt_ends_the_text(runs):
    shown = command("sample", "left", "--prompt", "lazy dog.", "--length", 20, "--seed", 1)
    assert shown.out.endswith("lazy dog.\n")
    assert len(shown.out) == 20 + len("lazy dog.\n")
    assert shown.out[:20] == runs[0].generate("lazy dog.", length=20, seed=1)
    several = command("sample", "left", "--prompt", "dog.", "--length", 9, "--count", 2)
    assert several.out.count("dog.\n") == 2
    assert "backward" in command("info", "left").out


def test_bytes_of_a_character_are_put_back_in_order(train, tmp_path):
    path = tmp_path / "verse.txt"
    path.write_text("床前明月光" * 60, encoding="utf-8")
    train(path, steps=1, bytes=True, direction="backward")
    model = charrnn.load("verse", checkpoints=tmp_path / "checkpoints")
    shown = model.generate("月光", length=12, seed=0)
    raw = model.generate("月光", length=12, seed=0, raw=True)
    assert shown == raw.encode("latin-1").decode("utf-8", "replace")
    for text, as_bytes in ((shown, False), (raw, True)):
        writing = model.write("月光", length=12, seed=0, raw=as_bytes)
        assert text == "".join(piece for (piece,) in writing)[::-1]


def test_nothing_to_write_is_an_empty_text(runs):
    assert runs[0].generate("fox", length=0) == ""


def test_both_directions_validate_on_the_same_characters(train, corpus, tmp_path):
    for direction in ("forward", "backward"):
        train(corpus, name=direction, steps=1, direction=direction)
    scores = [
        charrnn.evaluate(name, checkpoints=tmp_path / "checkpoints")
        for name in ("forward", "backward")
    ]
    assert scores[0].characters == scores[1].characters


def test_a_run_keeps_its_direction(train, corpus, tmp_path):
    train(corpus, steps=1, direction="backward")
    with pytest.raises(ConfigError, match=r"^`direction` 'forward': the run has backward"):
        train(corpus, resume=True, direction="forward")
    train(corpus, name="warm", steps=1, init_from="corpus", **{"units": 8, "embedding": 4})
    warm = checkpoints.load(tmp_path / "checkpoints" / "warm" / "last.safetensors")
    assert warm.config.model.direction == "backward"
