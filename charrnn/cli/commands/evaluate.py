"""`charrnn evaluate`."""

import json
from pathlib import Path

import click

from charrnn.cli.allocator import keep_memory
from charrnn.cli.completion import complete_files
from charrnn.cli.options import checkpoints_option, json_option, run_argument, which_option
from charrnn.cli.registry import register
from charrnn.runs import WHICH


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
@json_option
def evaluate_command(
    run: str | None,
    files: tuple[str, ...],
    checkpoints: Path,
    which: str | None,
    test: bool,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Measure how well a run's model predicts text.

    The text is that of FILES; without them, the part of the run's own text that was kept for
    validation. RUN is a name or a path; without it, the newest run.
    """
    if files and test:
        raise click.UsageError("--test scores a part of the run's own text; leave out FILES")
    keep_memory()
    from charrnn.language_model import load

    model = load(run, which=which or WHICH, checkpoints=checkpoints)
    score = model.evaluate(*files, part="test" if test else "validation", encoding=encoding)
    figures = {
        "characters": score.characters,
        "nats_per_char": score.nats_per_char,
        "bits_per_char": score.bits_per_char,
        "perplexity": score.perplexity,
        "unknown_characters": score.unknown,
    }
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
        click.echo(f"{name:20}{shown}")
