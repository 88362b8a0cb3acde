"""Runs of folders and of several files: what they learn, their names, and that they resume."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT, charrnn

from charrnn.errors import CorpusError
from charrnn.runs import checkpoints
from charrnn.runs.events import Note
from charrnn.text.corpus import open_corpus

pytestmark = pytest.mark.usefixtures("eagerly")

Train = Callable[..., list[Any]]
POEM = "the quick brown fox\n" * 9
ONE = {"steps": 1}


@pytest.fixture
def texts() -> Path:
    """A folder with two texts, and a third below."""
    folder = Path("texts")
    (folder / "more").mkdir(parents=True)
    for name, text in (("a", POEM), ("b", POEM.upper()), ("more/c", POEM[::-1])):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def text_of(run: str) -> str:
    """What a run has learnt."""
    corpus = open_corpus(ROOT / run)
    return corpus.vocabulary.decode(corpus.ids)


def steps(run: str) -> int:
    """How many steps a run has taken."""
    return checkpoints.load(ROOT / run / "last.safetensors").progress.step


def notes(history: list[Any]) -> list[str]:
    return [event.message for event in history if isinstance(event, Note)]


def whole(folder: Path) -> str:
    """All texts of the folder."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.txt")))


@pytest.mark.parametrize("root", ["checkpoints", "texts/runs", "texts/more/runs"])
def test_a_folder_with_its_own_runs_in_it_resumes(root: str, train: Train, texts: Path) -> None:
    expected = whole(texts)
    place = {"checkpoints": Path(root).absolute(), "name": "run"}
    train("texts", **place, **ONE, val_fraction=0)
    corpus = open_corpus(Path(root) / "run")
    assert corpus.vocabulary.decode(corpus.ids) == expected
    (Path(root) / "notes.txt").write_text("not to be learnt")
    train("texts", resume=True, **place, **ONE)
    train("texts", **{**place, "name": "second"}, **ONE)
    second = open_corpus(Path(root) / "second")
    assert second.info.fingerprint == corpus.info.fingerprint


def test_the_working_folder_is_learnt_without_its_runs(
    train: Train, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(texts)
    for _ in range(2):
        train(".", checkpoints="checkpoints", overwrite=True, **ONE)
    train(".", checkpoints="checkpoints", resume=True, **ONE)
    assert steps("texts") == 2
    assert text_of("texts").count("\n") == 27
    history = train("*", checkpoints="checkpoints", name="again", **ONE)
    assert "leaving out the folders of runs: checkpoints" in notes(history)


def test_a_run_of_another_root_is_left_out_too(train: Train, texts: Path) -> None:
    train("texts/a.txt", checkpoints="texts/more/deep", **ONE)
    history = train("texts", **ONE)
    assert "leaving out the folders of runs: texts/more/deep/a" in notes(history)
    assert "corpus" not in text_of("texts")


def test_a_run_is_no_text(train: Train, texts: Path) -> None:
    train("texts/a.txt", **ONE)
    with pytest.raises(CorpusError, match=r"^checkpoints/a: is a run, not a text; .*`resume`"):
        train("checkpoints/a", name="b", **ONE)
    with pytest.raises(CorpusError, match=r"^checkpoints: no text file"):
        train("checkpoints", name="b", **ONE)


def test_several_files_are_called_after_their_folder_and_resume(train: Train, texts: Path) -> None:
    files = ["texts/a.txt", "texts/more/c.txt"]
    train(*files, **ONE)
    train(*files, resume=True, **ONE)
    assert steps("texts") == 2


def test_a_run_s_name_may_look_like_that_of_a_file(train: Train, texts: Path) -> None:
    train("texts/a.txt", name="a.v2", **ONE)
    train("texts/b.txt", name="other", **ONE)
    train("a.v2", resume=True, **ONE)
    assert steps("a.v2") == 2


def test_a_run_may_be_named_by_its_folder(train: Train, texts: Path) -> None:
    train("texts/a.txt", **ONE)
    train("checkpoints/a/", resume=True, **ONE)
    assert steps("a") == 2


def test_a_file_that_cannot_be_decoded_is_named_and_can_be_left_out(
    train: Train, texts: Path
) -> None:
    expected = whole(texts)
    for name in "abcde":
        (texts / f"{name}.latin").write_bytes(b"caf\xe9")
    with pytest.raises(CorpusError, match=r"^texts/a\.latin: byte 0xe9 .*`skip_undecodable`"):
        train("texts", **ONE)
    history = train("texts", skip_undecodable=True, val_fraction=0, **ONE)
    names = ", ".join(f"texts/{name}.latin" for name in "abcde")
    assert f"leaving out files that cannot be decoded: {names}" in notes(history)
    assert text_of("texts") == expected
    train("texts", resume=True, **ONE)


def test_files_that_cannot_be_decoded_are_left_out_by_an_option(texts: Path) -> None:
    (texts / "a.latin").write_bytes(b"caf\xe9")
    outcome = charrnn("train", "texts", "--steps", 1, "--units", 8, "--batch-size", 2)
    assert outcome.status == 1
    assert "--skip-undecodable" in outcome.err
    outcome = charrnn(
        "train", "texts", "--steps", 1, "--units", 8, "--batch-size", 2, "--skip-undecodable"
    )
    assert outcome.status == 0
    assert "cannot be decoded: texts/a.latin\n" in outcome.err


def test_an_empty_name_is_refused_at_once(texts: Path) -> None:
    for more in ([], ["--name", "x"], ["--resume"]):
        outcome = charrnn("train", "", *more)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err.startswith("charrnn: an empty name is no file")
    assert not ROOT.exists()


def test_names_of_odd_bytes_are_learnt_and_resumed(train: Train, texts: Path) -> None:
    path = texts / "caf\udce9\n.txt"
    (texts / "a.txt").rename(path)
    train(path, **ONE)
    train(os.fsencode(path), resume=True, **ONE)
    assert steps("caf__") == 2
