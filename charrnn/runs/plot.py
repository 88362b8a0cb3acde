"""Training curves drawn by matplotlib, for print: against time, and against passes over the text.

Nothing is told by colour alone: runs differ in their markers too, training is dashed, and every
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
    """The curves of a run; RunError where it has not been evaluated yet."""
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
    """A name for each run by which it can be told from the others."""
    names = [run.name for run in runs]
    told = [
        name if names.count(name) == 1 else str(run.folder)
        for name, run in zip(names, runs, strict=True)
    ]
    return [name.encode("utf-8", "replace").decode() for name in told]  # it may be other bytes


FORMATS = ("svg", "png", "pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Nine, so that sixty-three runs differ in colour or marker."""
GREY, INK = "#555555", "#222222"
MOST_MARKERS = 12
"""About so many markers stand on a curve."""
LONGEST_NAME = 28
SIZE = (9.0, 3.9)
"""In inches, without the names at the right."""
NAMES_AT = 1.05
"""Where the names begin, as a share of the axes' width."""
LINE_HEIGHT = 0.062
"""How far labels keep apart, as a share of the axis."""
DASHES = (0, (4, 2))
TIME_UNITS = ((3600, "hours"), (60, "minutes"), (1, "seconds"))
LEAST_UNITS = 3
"""A unit of time is taken where the longest run has so many of them."""
STYLE = {
    "font.size": 9.5,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.wspace": 0.06,
    "svg.fonttype": "none",
    "svg.hashsalt": "charrnn",
    "savefig.dpi": 200,
}
"""For matplotlib. Text stays text in an SVG, and the same curves always make the same file."""


class Look(NamedTuple):
    """The colour and the marker of a curve; without a marker it is dashed."""

    colour: str
    marker: str


class Line(NamedTuple):
    """A curve of losses, named at its end; "" where another curve's name serves."""

    curves: Curves
    losses: Column
    name: str
    look: Look

    @property
    def dashed(self) -> bool:
        return not self.look.marker


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
    write_output(output, drawn(curves, kind))


def drawn(curves: Sequence[Curves], kind: str) -> bytes:
    """The plot as a file of that kind has it."""
    matplotlib = need("matplotlib", "plot")
    data = BytesIO()
    undated = {"Date": None} if kind == "svg" else {"CreationDate": None} if kind == "pdf" else {}
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in another script
        figure(curves).savefig(data, format=kind, bbox_inches="tight", metadata=undated)
    return data.getvalue()


def figure(curves: Sequence[Curves]) -> "Figure":
    """Two panels side by side that share their vertical axis."""
    made: Figure = need("matplotlib.figure", "plot").Figure(SIZE)
    by_time, by_epoch = made.subplots(1, 2, sharey=True)
    seconds, unit = time_unit(curves)
    by_time.set(xlabel=f"{unit} of training", ylabel="loss, nats per character")
    by_epoch.set(xlabel="passes over the text")
    drawn = lines(curves)
    for line in drawn:
        times = [value and value / seconds for value in line.curves.elapsed_seconds]
        draw(by_time, times, line)
        draw(by_epoch, line.curves.epoch, line)
    for axes in (by_time, by_epoch):
        axes.set_xlim(left=0)
    name_lines(by_epoch, drawn)
    if len(curves) > 1:
        tell_dashes(by_time)
    return made


def lines(curves: Sequence[Curves]) -> list[Line]:
    """The curves of all runs: of each, training before validation, which is drawn over it."""
    if len(curves) == 1:
        training, validation = (Look(COLOURS[1], ""), Look(COLOURS[0], MARKERS[0]))
        return lines_of(curves[0], {"training": training, "validation": validation})
    names = labels([each.run for each in curves])
    drawn: list[Line] = []
    for number, (each, name) in enumerate(zip(curves, names, strict=True)):
        colour, marker = (cycle[number % len(cycle)] for cycle in (COLOURS, MARKERS))
        looks = {"": Look(colour, ""), shortened(name): Look(colour, marker)}
        drawn += lines_of(each, looks)
    return drawn


def lines_of(curves: Curves, looks: dict[str, Look]) -> list[Line]:
    """The training and the validation curve of a run, named and drawn like this."""
    (below, training), (name, validation) = looks.items()
    lowest = curves.lowest
    if lowest is None:  # nothing was validated on
        return [Line(curves, curves.train_loss_nats, below or name, training)]
    loss = curves.val_loss_nats[lowest] or 0.0
    told = f"{name}, lowest {loss:.3f}"
    return [
        Line(curves, curves.train_loss_nats, below, training),
        Line(curves, curves.val_loss_nats, told, validation),
    ]


def draw(axes: "Axes", places: Column, line: Line) -> None:
    """Draw a curve, which has a gap where a value is missing; a ring marks the lowest loss."""
    xs, ys = numbers(places), numbers(line.losses)
    axes.plot(
        xs,
        ys,
        color=line.look.colour,
        marker=line.look.marker or ("x" if len(xs) == 1 else ""),
        markevery=max(1, len(xs) // MOST_MARKERS),
        linestyle=DASHES if line.dashed else "-",
        linewidth=1.2 if line.dashed else None,
    )
    lowest = line.curves.lowest
    if not line.dashed and lowest is not None:
        ring: dict[str, Any] = {
            "markersize": 10,
            "markerfacecolor": "none",
            "markeredgecolor": line.look.colour,
        }
        axes.plot(xs[lowest], ys[lowest], marker="o", **ring)


def name_lines(axes: "Axes", drawn: Sequence[Line]) -> None:
    """Write each curve's name to the right of the axes, at the height where it ends."""
    named = [(last(line.losses), line) for line in drawn if line.name]
    ends = sorted(named, key=lambda end_and_line: end_and_line[0])
    low, high = axes.get_ylim()
    heights = spread([end for end, _ in ends], LINE_HEIGHT * (high - low))
    for (end, line), height in zip(ends, heights, strict=True):
        at = (height - low) / (high - low)
        name_line(axes, line, (last(line.curves.epoch), end), at)


def name_line(axes: "Axes", line: Line, end: tuple[float, float], height: float) -> None:
    """Write one name, after a stroke from the curve's end and the curve's marker.

    Args:
        end: Where the curve ends, in the units of the axes.
        height: Where the name stands, as a share of the axes' height.
    """
    colour, marker = line.look
    stroke = {"arrowstyle": "-", "color": colour, "lw": 0.7, "shrinkA": 0, "shrinkB": 6}
    beside: dict[str, Any] = {
        "xycoords": "data",
        "textcoords": "axes fraction",
        "annotation_clip": False,
    }
    axes.annotate("", end, (NAMES_AT, height), arrowprops=stroke, **beside)
    axes.plot(NAMES_AT, height, marker, color=colour, transform=axes.transAxes, clip_on=False)
    axes.text(NAMES_AT + 0.03, height, line.name, color=INK, va="center", transform=axes.transAxes)


def tell_dashes(axes: "Axes") -> None:
    """Say which curves are of validation and which of training, where runs have one colour each."""
    for name, style in (("validation", "-"), ("training", DASHES)):
        axes.plot([], [], color=GREY, linestyle=style, label=name)
    axes.legend(frameon=False, loc="upper right")


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Ascending values moved apart, so that none is nearer to the next one than the gap."""
    places = list(values)
    for n in range(1, len(places)):
        places[n] = max(places[n], places[n - 1] + gap)
    moved = sum(places) - sum(values)
    return [place - moved / len(places) for place in places]


def time_unit(curves: Sequence[Curves]) -> tuple[int, str]:
    longest = max((value or 0.0 for each in curves for value in each.elapsed_seconds), default=0.0)
    return next(unit for unit in TIME_UNITS if longest >= LEAST_UNITS * unit[0] or unit[0] == 1)


def numbers(column: Column) -> list[float]:
    return [math.nan if value is None else value for value in column]


def last(column: Column) -> float:
    """The last value that there is, or 0."""
    return next((value for value in reversed(column) if value is not None), 0.0)


def shortened(name: str) -> str:
    """A name of bearable length, cut in its middle."""
    if len(name) <= LONGEST_NAME:
        return name
    half = (LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
