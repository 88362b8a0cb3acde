"""`charrnn info`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli.options import checkpoints_option, json_option, run_argument
from charrnn.cli.registry import register
from charrnn.runs import WHICH, find_checkpoint

if TYPE_CHECKING:
    from charrnn.checkpoints import Checkpoint


@register
@click.command("info")
@run_argument
@checkpoints_option
@click.option("--which", type=click.Choice(WHICH), help="Which checkpoint  [default: last].")
@json_option
def info_command(run: str | None, checkpoints: Path, which: str | None, as_json: bool) -> None:
    """Tell what a run is: settings, size, progress, best loss."""
    from charrnn.checkpoints import load

    path = find_checkpoint(run, checkpoints, which or ("last", "best"))
    facts = describe(path, load(path))
    if as_json:
        click.echo(json.dumps(facts))
    else:
        print_facts(facts)


def describe(path: Path, checkpoint: "Checkpoint") -> dict[str, object]:
    """The checkpoint's facts, as plain data."""
    progress = checkpoint.progress
    return {
        "checkpoint": str(path),
        "parameters": checkpoint.parameters,
        "vocabulary_size": checkpoint.vocabulary.size,
        "step": progress.step,
        "end": progress.end,
        "epoch": progress.epoch,
        "best_loss_nats": progress.best_loss_nats,
        "best_step": progress.best_step,
        "elapsed_seconds": progress.elapsed_seconds,
        "config": checkpoint.config.to_json(),
    }


def print_facts(facts: dict[str, object], indent: str = "") -> None:
    """A line for each fact, groups indented."""
    for name, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{indent}{name}:")
            print_facts(value, indent + "  ")
        else:
            click.echo(f"{indent}{name:{23 - len(indent)}} {readable(value)}")


def readable(value: object) -> str:
    """A value for reading."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
