"""`charrnn info`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from charrnn.cells import CELLS
from charrnn.cli.options import checkpoints_option, complete_runs, json_option
from charrnn.cli.output import (
    MISSING,
    corpus_name,
    cut,
    escape_unprintable,
    format_duration,
    format_time,
    format_value,
    width,
)
from charrnn.cli.usage import NamedChoice, register
from charrnn.errors import PluginError
from charrnn.runs import checkpoints as files
from charrnn.runs.run import WHICH, Run, find_checkpoint
from charrnn.runs.summary import Summary, summarize

NAMES = 26
"""Width of the column of names."""
Facts = dict[str, object]
WORDS = {
    "corpus": "text",
    "version": "charrnn",
    "parameters": "weights",
    "vocabulary_size": "distinct characters",
    "step": "steps done",
    "end": "steps planned",
    "epoch": "passes",
    "best_loss_nats": "lowest loss, nats",
    "best_bits_per_char": "bits per character",
    "best_step": "at step",
    "elapsed_seconds": "time",
    "config": "settings",
}
"""What facts are called; others by their keys."""


@register
@click.command("info")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@checkpoints_option
@click.option(
    "--which",
    type=NamedChoice(WHICH),
    help="Checkpoint to read: best has the lowest validation loss, last is the newest."
    "  [default: last]",
)
@click.option(
    "--verify", is_flag=True, help="Read all of the run's files, too, and check them for damage."
)
@json_option
def info_command(
    runs: tuple[str, ...], checkpoints: Path, which: str | None, verify: bool, as_json: bool
) -> None:
    """Show a run: its text, settings and progress.

    RUN is a name or a path; without it, the newest run. Several are shown side by side, with
    what differs between them.
    """
    paths = [find_checkpoint(run, checkpoints, which or ("last", "best")) for run in runs or [None]]
    summaries = [summarize(path) for path in paths]
    told = [describe(each, settings(each)) for each in summaries]
    if verify:
        told = [
            facts | {"verified": list(verify_files(path))}
            for facts, path in zip(told, paths, strict=True)
        ]
    if as_json:
        click.echo(json.dumps(told if len(told) > 1 else told[0]))
        return
    shown = [dict(lines(facts_in_words(*each))) for each in zip(summaries, told, strict=True)]
    if len(shown) > 1:
        names = [{"checkpoint": run_of(path)} for path in paths]
        print_differences([each | name for each, name in zip(shown, names, strict=True)])
    else:
        for name, value in shown[0].items():
            click.echo(f"{name:{NAMES}} {value}".rstrip())


def settings(summary: Summary) -> Mapping[str, object]:
    """The settings of a verified checkpoint; as the file has them if its cell is not known."""
    if not is_known(summary.cell):
        click.echo(
            f"{summary.checkpoint}: its cell '{summary.cell}' is not installed; the weights are"
            " not verified",
            err=True,
        )
        return summary.config
    return files.open_weights(summary.checkpoint).config.to_json()


def is_known(cell: str) -> bool:
    """Whether the cell is there to compute with: it may belong to a package that is not."""
    try:
        return CELLS.get(cell) is not None
    except PluginError:
        return False


def describe(summary: Summary, config: Mapping[str, object]) -> Facts:
    """A checkpoint's facts, as plain data."""
    progress = summary.progress
    return {
        "checkpoint": str(summary.checkpoint),
        "corpus": list(summary.corpus),
        "characters": summary.characters,
        "started": summary.started and summary.started.isoformat(),
        "written": summary.written.isoformat(),
        "version": summary.version,
        "parameters": summary.parameters,
        "vocabulary_size": summary.vocabulary_size,
        "step": progress.step,
        "end": progress.end,
        "epoch": progress.epoch,
        "best_loss_nats": progress.best_loss_nats,
        "best_bits_per_char": summary.best_bits_per_char,
        "best_step": progress.best_step,
        "elapsed_seconds": progress.elapsed_seconds,
        **({"origin": asdict(summary.origin)} if summary.origin else {}),
        "config": config,
    }


def facts_in_words(summary: Summary, facts: Facts) -> Facts:
    """The same facts, with names and times as people write them."""
    origin = summary.origin and asdict(summary.origin)
    return facts | {
        **({"origin": origin | {"assumed": "; ".join(origin["assumed"])}} if origin else {}),
        "corpus": corpus_name(summary),
        "started": format_time(summary.started),
        "written": format_time(summary.written),
        "elapsed_seconds": format_duration(summary.progress.elapsed_seconds),
    }


def lines(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each fact's name and value for reading; settings are indented below their group."""
    for key, value in facts.items():
        name = WORDS.get(key, key.replace("_", " "))
        if isinstance(value, Mapping):
            yield f"{name}:", ""
            yield from ((f"  {inner}", text) for inner, text in lines(value))
        else:
            yield name, format_value(value)


def verify_files(path: Path) -> Iterator[str]:
    """Verify every number of a checkpoint, and of its run's other files; yield their names."""
    from charrnn.text.corpus import IDS_FILE, INFO_FILE, open_corpus

    run = Run(path.parent)
    for each in dict.fromkeys((path, run.best, run.last)):
        if each.exists():
            files.load(each)
            yield each.name
    if (run.folder / INFO_FILE).exists():
        open_corpus(run.folder)
        yield IDS_FILE


def run_of(checkpoint: Path) -> str:
    """The name of a checkpoint's run and of its own file, as in `fox/last`."""
    return escape_unprintable(f"{checkpoint.parent.name}/{checkpoint.stem}")


def print_differences(shown: Sequence[Mapping[str, str]]) -> None:
    """A line for each fact that is not the same in all of the runs, a column for each run."""
    names = dict.fromkeys(name for facts in shown for name in facts)
    rows = {name: [facts.get(name, MISSING) for facts in shown] for name in names}
    different = {name: row for name, row in rows.items() if len(set(row)) > 1}
    longest = max((len(value) for row in different.values() for value in row), default=0)
    size = min(longest, max(12, (width() - NAMES) // len(shown) - 1))
    for name, row in different.items():
        cells = " ".join(f"{cut(value, size):{size}}" for value in row)
        click.echo(f"{name.strip():{NAMES}} {cells}".rstrip())
    same = sum(1 for row in rows.values() if row[0]) - len(different)
    click.echo(f"{same} more facts and settings are the same")
