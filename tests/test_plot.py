"""`charrnn plot`: the curves of a run's history, drawn by matplotlib."""

import math
import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import charrnn, tree

from charrnn.errors import MissingPackageError, RunError
from charrnn.plugins import need
from charrnn.runs import history
from charrnn.runs.plot import (
    FORMATS,
    LONGEST_NAME,
    Curves,
    figure,
    labels,
    plot,
    read_curves,
    spread,
)
from charrnn.runs.run import Run

ROOT = Path("checkpoints")
MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def evaluated(name: str = "fox", losses: tuple = (2.5, 1.5, 1.75), root: Path = ROOT) -> Run:
    """A run of which there is a history alone, with these validation losses."""
    run = Run(root / name)
    run.folder.mkdir(parents=True)
    run.last.touch()
    for number, loss in enumerate(losses, 1):
        row: dict[str, float | None] = dict.fromkeys(history.COLUMNS, 0.5)
        row |= {"step": 10 * number, "epoch": number / 4, "elapsed_seconds": 60.0 * number}
        history.write_row(run.history, row | {"train_loss_nats": 2 / number, "val_loss_nats": loss})
    return run


def words(path: Path) -> str:
    """The text in an SVG."""
    return " ".join(ElementTree.parse(path).getroot().itertext())


def test_curves_are_the_columns_of_the_history() -> None:
    curves = read_curves(evaluated(losses=(2.5, None, 1.75)))
    assert curves.step == [10, 20, 30]
    assert curves.epoch == [0.25, 0.5, 0.75]
    assert curves.elapsed_seconds == [60, 120, 180]
    assert curves.train_loss_nats == [2, 1, 2 / 3]
    assert curves.val_loss_nats == [2.5, None, 1.75]
    assert (curves.lowest, curves.complete) == (2, True)


def test_a_run_without_validation_has_no_lowest_loss() -> None:
    assert read_curves(evaluated(losses=(None, None))).lowest is None


def test_what_cannot_be_read_of_a_history_is_left_out_and_told() -> None:
    run = evaluated()
    run.history.write_bytes(run.history.read_bytes() + b"other\n40,nan,inf,x,,0.1,0.1,0,0,9\n")
    with run.history.open("ab") as file:
        file.write(b"50,-1,-2,1e300,1,0.1,0.1,0,0,-9\n")
    curves = read_curves(run)
    assert curves.step == [10, 20, 30, 40, 50]
    assert curves.elapsed_seconds[-1] is curves.epoch[-2] is curves.train_loss_nats[-2] is None
    assert curves.epoch[-1] is curves.train_loss_nats[-1] is curves.val_loss_nats[-1] is None
    assert not curves.complete
    outcome = charrnn("plot")
    assert outcome.status == 0
    assert f"{run.history}: only a part of it could be read\n" in outcome.err


@pytest.mark.parametrize("damage", [None, b"", b"other\n"])
def test_a_run_without_an_evaluation_is_refused_in_a_line(damage: bytes | None) -> None:
    run = evaluated(losses=())
    if damage is not None:
        run.history.write_bytes(damage)
    with pytest.raises(RunError):
        read_curves(run)
    outcome = charrnn("plot")
    assert (outcome.status, outcome.out) == (1, "")
    assert re.fullmatch(rf"charrnn: {run.history}: .+; train .+\n", outcome.err)
    assert not Path("loss.svg").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_the_ending_names_the_format_and_the_same_curves_make_the_same_file(kind: str) -> None:
    evaluated()
    for name in ("one", "two"):
        outcome = charrnn("plot", "fox", "-o", f"{name}.{kind}")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", f"wrote {name}.{kind}\n")
    data = Path(f"one.{kind}").read_bytes()
    assert data.startswith(MAGIC[kind])
    assert Path(f"two.{kind}").read_bytes() == data


def test_another_ending_is_refused_before_anything_is_written() -> None:
    evaluated()
    before = tree(Path())
    outcome = charrnn("plot", "-o", "loss.jpg")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "charrnn: --output loss.jpg: must end in .svg, .png, .pdf\n"
    assert tree(Path()) == before


def test_a_plot_is_not_written_into_a_run() -> None:
    run = evaluated()
    outcome = charrnn("plot", "-o", run.folder / "loss.svg")
    assert outcome.status == 1
    assert "is in the folder of a run" in outcome.err


def test_without_matplotlib_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluated()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = charrnn("plot")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        "charrnn: this needs the package matplotlib, which is not installed;"
        ' install it with: pip install "matplotlib>=3.10.8"\n'
    )


def test_a_package_that_breaks_while_it_is_imported_is_not_called_missing() -> None:
    Path("broken.py").write_text("import no_such_package_at_all\n")
    sys.path.insert(0, str(Path.cwd()))
    try:
        with pytest.raises(ModuleNotFoundError):
            need("broken", "plot")
    finally:
        sys.path.remove(str(Path.cwd()))
    with pytest.raises(MissingPackageError):
        need("no_such_package_at_all.part", "plot")


def test_one_run_s_curves_are_named_at_their_ends() -> None:
    plot([read_curves(evaluated())], Path("loss.svg"))
    text = words(Path("loss.svg"))
    for told in ("validation, lowest 1.500", "training", "minutes of training", "passes over"):
        assert told in text


def test_runs_differ_in_more_than_colour_and_each_is_named() -> None:
    curves = [read_curves(evaluated(name)) for name in ("a$b$c", "_under", "漢字", "x" * 99)]
    validation = [line for line in figure(curves).axes[0].lines if line.get_linestyle() == "-"]
    drawn = {line.get_marker() for line in validation if len(line.get_xdata()) > 1}
    assert len(drawn) == len(curves)
    plot(curves, Path("loss.svg"))
    for name in ("a$b$c", "_under", "漢字"):
        assert f"{name}, lowest 1.500" in words(Path("loss.svg"))
    assert "x" * (LONGEST_NAME + 1) not in words(Path("loss.svg"))


def test_what_is_drawn_is_what_the_history_holds() -> None:
    by_time, by_epoch = figure([read_curves(evaluated(losses=(2.5, None, 1.75)))]).axes
    training, validation = by_epoch.lines[:2]
    assert list(training.get_ydata()) == [2, 1, 2 / 3]
    assert list(validation.get_xdata()) == [0.25, 0.5, 0.75]
    first, missing, third = validation.get_ydata()
    assert (first, math.isnan(missing), third) == (2.5, True, 1.75)
    assert list(by_time.lines[1].get_xdata()) == [1, 2, 3]


@pytest.mark.parametrize("losses", [(None, None), (1.5,), (1.5, 1.5)])
def test_few_values_are_drawn_too(losses: tuple) -> None:
    plot([read_curves(evaluated(losses=losses))], Path("loss.svg"))
    assert "training" in words(Path("loss.svg"))


def test_runs_of_one_name_are_told_apart_by_their_folders() -> None:
    one, two = evaluated(), evaluated(root=Path("elsewhere"))
    assert labels([one, two, Run(Path("c/other"))]) == ["checkpoints/fox", "elsewhere/fox", "other"]


def test_names_that_are_not_utf_8_are_drawn() -> None:
    evaluated("a")
    evaluated(os.fsdecode(b"caf\xe9"))
    assert charrnn("plot", "a", os.fsdecode(b"caf\xe9")).status == 0
    assert "caf?, lowest 1.500" in words(Path("loss.svg"))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0], [0.0, 0.4, 5.0]])
def test_labels_keep_apart_and_stay_in_order(values: list[float]) -> None:
    places = spread(values, 1.0)
    assert all(b - a >= 1 - 1e-9 for a, b in pairwise(places))
    assert sum(places) == pytest.approx(sum(values))


def test_curves_have_a_column_for_each_name() -> None:
    names = set(Curves.__annotations__) - {"run", "complete"}
    assert names <= set(history.COLUMNS)
