"""What the shell completes: names of runs. Options and choices are completed by click itself."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from charrnn.runs.run import DEFAULT_ROOT, runs_below


def complete_runs(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The runs whose names begin so; where there are none, files and folders."""
    root = Path(ctx.params.get("checkpoints") or DEFAULT_ROOT)
    names = (run.name for run in reversed(runs_below(root)))
    items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return items or complete_files(ctx, param, incomplete)


def complete_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Whatever files and folders the shell finds."""
    return [CompletionItem(incomplete, type="file")]
