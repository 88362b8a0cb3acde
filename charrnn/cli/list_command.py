"""`charrnn list` and `charrnn cells`."""

import json
from pathlib import Path

import click

from charrnn.cells import CELLS, Cell
from charrnn.cli.boundary import error_line, report_and_go_on
from charrnn.cli.options import checkpoints_option, json_option, name_options
from charrnn.cli.output import (
    MISSING,
    corpus_name,
    escape_unprintable,
    format_duration,
    format_time,
    shape,
    table,
)
from charrnn.cli.usage import register
from charrnn.config.settings import in_words
from charrnn.errors import CheckpointError, RunError
from charrnn.runs.run import Run, runs_below
from charrnn.runs.summary import Summary, summarize
from charrnn.sweeps.folder import sweeps_below

HEADING = ("run", "cell", "size", "text", "steps", "time", "bits", "when")
TEXT, NAME = HEADING.index("text"), HEADING.index("run")
Listed = Summary | CheckpointError
"""What is known of a run, or why nothing is."""


@register
@click.command("list")
@checkpoints_option
@json_option
def list_command(checkpoints: Path, as_json: bool) -> None:
    """List the runs, the newest first.

    "size" is layers x units, "time" the time spent in training, "bits" the lowest validation
    loss so far in bits per character, and "when" the time of the last checkpoint.
    """
    found = [(run, read(run)) for run in reversed(runs_below(checkpoints))]
    listed = [(run, what) for run, what in found if what is not None]
    if as_json:
        click.echo(json.dumps([facts(run, what) for run, what in listed]))
        return
    if listed:
        rows = [row(run, what) for run, what in listed]
        click.echo(table([HEADING, *rows], shrinking=(TEXT, NAME)))
    else:
        click.echo(f"no run in {checkpoints}; make one with: charrnn train corpus.txt", err=True)
    for sweep in sweeps_below(checkpoints):
        folder = escape_unprintable(str(sweep.folder))
        click.echo(f"{folder} is a sweep; its runs: charrnn list --checkpoints {folder}", err=True)


def read(run: Run) -> Listed | None:
    """What a run's newest checkpoint tells of it; its best one does if there is no other.

    None, with a note, where the run has been deleted or renamed meanwhile.
    """
    try:
        return summarize(run.checkpoint("last", "best"))
    except CheckpointError as error:
        return error
    except (RunError, OSError) as error:
        if run.exists:
            return CheckpointError(getattr(error, "strerror", "") or str(error), where=run.folder)
        click.echo(f"{escape_unprintable(run.name)}: deleted or renamed meanwhile", err=True)
        return None


def row(run: Run, what: Listed) -> tuple[str, ...]:
    """A run's line."""
    if isinstance(what, CheckpointError):
        return escape_unprintable(run.name), what.why
    progress, bits = what.progress, what.best_bits_per_char
    return (
        escape_unprintable(run.name),
        what.cell,
        shape(what),
        corpus_name(what),
        f"{progress.step:,}",
        format_duration(progress.elapsed_seconds),
        MISSING if bits is None else f"{bits:.3f}",
        format_time(what.written),
    )


def facts(run: Run, what: Listed) -> dict[str, object]:
    """What --json tells of a run."""
    name: dict[str, object] = {"run": run.name}
    if isinstance(what, CheckpointError):
        return name | {"error": error_line(what)}
    return name | {
        "checkpoint": str(what.checkpoint),
        "cell": what.cell,
        "layers": what.layers,
        "units": what.units,
        "parameters": what.parameters,
        "corpus": list(what.corpus),
        "step": what.progress.step,
        "end": what.progress.end,
        "elapsed_seconds": what.progress.elapsed_seconds,
        "best_bits_per_char": what.best_bits_per_char,
        "written": what.written.isoformat(),
        "version": what.version,
    }


@register
@click.command("cells")
def cells_command() -> None:
    """List the recurrent cells that `charrnn train --cell` takes."""
    formatter = click.HelpFormatter()
    formatter.write_dl(
        [(name, described(cell)) for name, cell in sorted(CELLS.working(report_and_go_on).items())]
    )
    click.echo(formatter.getvalue(), nl=False)


def described(cell: type[Cell]) -> str:
    """What a cell is, the defaults that it changes, and the functions it lets a user choose."""
    choices = {"activation": cell.activations, "recurrent_activation": cell.recurrent_activations}
    source = getattr(cell, "source", "")  # which a user's own cell may lack
    parts = [f"{cell.summary} ({source})" if source else cell.summary]
    if cell.defaults:
        parts.append(f"defaults {in_words(cell.defaults)}")
    parts += [f"`{name}` {' or '.join(each)}" for name, each in choices.items() if len(each) > 1]
    return name_options("; ".join(parts))
