"""Training curves drawn by matplotlib, for print: against time, and against passes over the text.

Colour alone distinguishes nothing: runs differ in their markers too, training is dashed, and every
curve has its name at its end. The colours are those of Okabe and Ito (2008), which colour-blind
people can tell apart.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from charrnn.errors import ConfigError, RunError
from charrnn.plugins import need
from charrnn.runs.history import COLUMNS as HISTORY_COLUMNS
from charrnn.runs.history import read_history
from charrnn.runs.outputs import check_output, write_output
from charrnn.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Column = list[float | None]
"""A value for each evaluation; None where there is none."""
FORMATS = ("svg", "png", "pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Nine, so that sixty-three runs differ in colour or marker."""
GREY, INK = "#555555", "#222222"
MOST_MARKERS = 12
"""On a curve, about."""
LONGEST_NAME = 28
SIZE = (9.0, 3.9)
"""In inches, without the names at the right."""
NAMES_AT = 1.05
"""Left end of the curves' names, as a share of the axes' width."""
LINE_HEIGHT = 0.062
"""Distance between names, as a share of the axes' height."""
DASHES = (0, (4, 2))
TIME_UNITS = ((3600, "hours"), (60, "minutes"), (1, "seconds"))
LEAST_UNITS = 3
"""The longest run has at least so many of the unit of time."""
STYLE = {
    "font.size": 9.5,
    "font.family": "sans-serif",
    **dict.fromkeys(["axes.spines.top", "axes.spines.right", "text.parse_math"], False),
    **dict.fromkeys(["axes.edgecolor", "xtick.color", "ytick.color"], GREY),
    **dict.fromkeys(["axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"], INK),
    **{"axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6},
    **{"lines.linewidth": 1.7, "lines.markersize": 4.5},
    **{"figure.constrained_layout.use": True, "figure.constrained_layout.wspace": 0.06},
    **{"svg.fonttype": "none", "svg.hashsalt": "charrnn", "savefig.dpi": 200},
}
"""For matplotlib. Text stays text in an SVG, and the same curves always make the same file."""


@dataclass(frozen=True)
class Curves:
    """Losses, learning rates and gradient norms of a run, a value for each evaluation.

    Losses are in nats per character. A training loss is the mean over the steps since the
    evaluation before, and so is a gradient's norm.
    """

    run: Run
    step: Column
    epoch: Column
    elapsed_seconds: Column
    train_loss_nats: Column
    val_loss_nats: Column
    learning_rate: Column
    gradient_norm: Column
    complete: bool
    """Whether the whole history could be read."""

    @property
    def lowest(self) -> int | None:
        losses = [(loss, n) for n, loss in enumerate(self.val_loss_nats) if loss is not None]
        return min(losses)[1] if losses else None


COLUMNS = tuple(name for name in Curves.__annotations__ if name in HISTORY_COLUMNS)


def read_curves(run: Run) -> Curves:
    """Return the curves of a run; RunError where it has not been evaluated yet."""
    if not run.history.is_file():
        raise RunError(
            "missing: the run has not been evaluated yet",
            where=run.history,
            way_out="train it until its first evaluation",
        )
    rows, complete = read_history(run.history.read_bytes())
    if not rows:
        raise RunError(
            "has no row that can be read",
            where=run.history,
            way_out="train the run until its next evaluation",
        )
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return Curves(run=run, complete=complete, **columns)


def labels(runs: Sequence[Run]) -> list[str]:
    """Return a different name for each run: its own, or its folder where two have one name."""
    names = [run.name for run in runs]
    unique = [run.name if names.count(run.name) == 1 else str(run.folder) for run in runs]
    return [name.encode("utf-8", "replace").decode() for name in unique]  # it may be other bytes


class Line(NamedTuple):
    """A curve of losses. `name` stands at its end, if it has one; without a marker it is dashed."""

    curves: Curves
    losses: Column
    name: str
    colour: str
    marker: str


def plot(curves: Sequence[Curves], output: Path) -> None:
    """Draw the losses of one run, or of several compared, into a file.

    Args:
        curves: The runs; see `charrnn.runs.plot.read_curves`.
        output: A file whose ending names its format: .svg, .png or .pdf.

    Raises:
        MissingPackageError: matplotlib is not installed.
        ConfigError: The file has another ending.
        RunError: The file is one of a run's own.
    """
    kind = output.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        why = "must end in " + ", ".join(f".{each}" for each in FORMATS)
        raise ConfigError(why, {"output": str(output)})
    check_output(output)
    matplotlib = need("matplotlib", "plot")
    data = BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in another script
        figure(curves).savefig(data, format=kind, bbox_inches="tight", metadata=undated)
    write_output(output, data.getvalue())


def figure(curves: Sequence[Curves]) -> "Figure":
    """Return two panels side by side that share their vertical axis."""
    made: Figure = need("matplotlib.figure", "plot").Figure(SIZE)
    by_time, by_epoch = made.subplots(1, 2, sharey=True)
    longest = max((value or 0.0 for each in curves for value in each.elapsed_seconds), default=0.0)
    seconds, unit = next(u for u in TIME_UNITS if longest >= LEAST_UNITS * u[0] or u[0] == 1)
    by_time.set(xlabel=f"{unit} of training", ylabel="loss, nats per character")
    by_epoch.set(xlabel="passes over the text")
    drawn = lines(curves)
    for line in drawn:
        times = [value and value / seconds for value in line.curves.elapsed_seconds]
        draw(by_time, times, line)
        draw(by_epoch, line.curves.epoch, line)
    for axes in (by_time, by_epoch):
        axes.set_xlim(left=0)
    name_lines(by_epoch, [line for line in drawn if line.name])
    if len(curves) > 1:  # a colour is a run, and the legend says what is dashed
        for name, style in (("validation", "-"), ("training", DASHES)):
            by_time.plot([], [], color=GREY, linestyle=style, label=name)
        by_time.legend(frameon=False, loc="upper right")
    return made


def lines(curves: Sequence[Curves]) -> list[Line]:
    """Return the curves of all runs: of each, training before validation, which covers it."""
    drawn = []
    names = labels([each.run for each in curves])
    for number, (each, run_name) in enumerate(zip(curves, names, strict=True)):
        name, training_name = shortened(run_name), ""
        colour, marker = (cycle[number % len(cycle)] for cycle in (COLOURS, MARKERS))
        training_colour = colour
        if len(curves) == 1:
            name, training_name, training_colour = "validation", "training", COLOURS[1]
        if each.lowest is None:  # nothing was validated on
            training_name = training_name or name
        training = Line(each, each.train_loss_nats, training_name, training_colour, "")
        drawn.append(training)
        if each.lowest is not None:
            name = f"{name}, lowest {each.val_loss_nats[each.lowest] or 0.0:.3f}"
            drawn.append(Line(each, each.val_loss_nats, name, colour, marker))
    return drawn


def draw(axes: "Axes", places: Column, line: Line) -> None:
    """Draw a curve, which has a gap where a value is missing; a ring marks the lowest loss."""
    xs, ys = (
        [math.nan if value is None else value for value in column]
        for column in (places, line.losses)
    )
    axes.plot(
        xs,
        ys,
        color=line.colour,
        marker=line.marker or ("x" if len(xs) == 1 else ""),
        markevery=max(1, len(xs) // MOST_MARKERS),
        linestyle="-" if line.marker else DASHES,
        linewidth=None if line.marker else 1.2,
    )
    lowest = line.curves.lowest
    if line.marker and lowest is not None:
        axes.plot(xs[lowest], ys[lowest], "o", ms=10, mfc="none", mec=line.colour)


def name_lines(axes: "Axes", named: Sequence[Line]) -> None:
    """Write each curve's name right of the axes, joined by a stroke to the curve's end."""
    ends = sorted(((last(line.losses), line) for line in named), key=lambda end: end[0])
    low, high = axes.get_ylim()
    heights = spread([end for end, _ in ends], LINE_HEIGHT * (high - low))
    for (end, line), height in zip(ends, heights, strict=True):
        at, colour = (height - low) / (high - low), line.colour
        axes.annotate(
            "",
            (last(line.curves.epoch), end),
            (NAMES_AT, at),
            xycoords="data",
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.7, "shrinkA": 0, "shrinkB": 6},
        )
        in_axes: dict[str, Any] = {"transform": axes.transAxes}
        axes.plot(NAMES_AT, at, line.marker, color=colour, clip_on=False, **in_axes)
        axes.text(NAMES_AT + 0.03, at, line.name, color=INK, va="center", **in_axes)


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Move ascending values apart, until each is at least the gap above the one before."""
    places = list(values)
    for n in range(1, len(places)):
        places[n] = max(places[n], places[n - 1] + gap)
    moved = sum(places) - sum(values)
    return [place - moved / len(places) for place in places]


def last(column: Column) -> float:
    """Return the last value that is not None, or 0."""
    return next((value for value in reversed(column) if value is not None), 0.0)


def shortened(name: str) -> str:
    """Cut a long name in its middle."""
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
