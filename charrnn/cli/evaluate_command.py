"""`charrnn evaluate`."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli.options import (
    checkpoints_option,
    complete_files,
    json_option,
    run_argument,
    which_option,
)
from charrnn.cli.process import keep_memory
from charrnn.cli.usage import register
from charrnn.runs.run import WHICH

if TYPE_CHECKING:
    from charrnn.types import Score

WINDOW = 256
"""nanoGPT's, so that the figures compare."""
LOSSES = ("nats_per_char", "bits_per_char", "perplexity")
"""The figures that dynamic evaluation changes."""


@register
@click.command("evaluate")
@run_argument
@click.argument("files", nargs=-1, shell_complete=complete_files)
@checkpoints_option
@which_option
@click.option(
    "--test", is_flag=True, help="Use the run's test part instead of its validation part."
)
@click.option(
    "--encoding", help="Character encoding of FILES.  [default: that of the training text]"
)
@click.option(
    "--cold",
    is_flag=True,
    help="Score random windows, each from the zero state, as nanoGPT does; without it the whole"
    " text is read, and the state carried on.",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    help="Characters of a window of --cold.  [default: 256]",
)
@click.option(
    "--dynamic",
    is_flag=True,
    help="Show beside it the loss where the weights go on learning from the text that is scored"
    " (dynamic evaluation). The run itself does not change.",
)
@json_option
def evaluate_command(
    run: str | None,
    files: tuple[str, ...],
    checkpoints: Path,
    which: str | None,
    test: bool,
    encoding: str | None,
    cold: bool,
    window: int | None,
    dynamic: bool,
    as_json: bool,
) -> None:
    """Measure how well a run's model predicts text.

    The text is that of FILES; without them, the part of the run's own text that was kept for
    validation. RUN is a name or a path; without it, the newest run.
    """
    if files and test:
        raise click.UsageError("--test scores a part of the run's own text; leave out FILES")
    if window is not None and not cold:
        raise click.UsageError("--window is the length of the windows of --cold; add --cold")
    if cold and dynamic:
        raise click.UsageError("--dynamic reads the whole text; leave out --cold")
    keep_memory()
    from charrnn.models.language_model import load

    model = load(run, which=which or WHICH, checkpoints=checkpoints)
    score = partial(
        model.evaluate, *files, part="test" if test else "validation", encoding=encoding
    )
    window = (window or WINDOW) if cold else None
    figures = figures_of(score(cold=window)) | ({"window": window} if window else {})
    if dynamic:
        beside = figures_of(score(dynamic=True))
        figures |= {f"dynamic_{name}": beside[name] for name in LOSSES}
    if as_json:
        click.echo(json.dumps(figures))
        return
    width = 2 + max(map(len, figures))
    for name, value in figures.items():
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
        click.echo(f"{name:{width}}{shown}")


def figures_of(score: "Score") -> dict[str, float]:
    """A score as it is shown, by name."""
    return {
        "characters": score.characters,
        "nats_per_char": score.nats_per_char,
        "bits_per_char": score.bits_per_char,
        "perplexity": score.perplexity,
        "unknown_characters": score.unknown,
    }
