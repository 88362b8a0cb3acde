"""Every cell on the same text for the same time: parameters, speed, validation loss.

    python benchmarks/cells.py tinyshakespeare.txt --time 2m

trains the cells one after the other, each with its defaults and in a process of its own, and
prints a table, the best first. Options after -- go to every `charrnn train`.
Characters per second include evaluations, of which there are up to 20.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import click

from charrnn.cells import CELLS


class Result(NamedTuple):
    """What came of one cell."""

    cell: str
    parameters: int
    chars_per_second: float
    val_loss_nats: float
    clipped_share: float


def charrnn(*arguments: str) -> str:
    """Run a command and return its output."""
    command = [sys.executable, "-m", "charrnn", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(cell: str, corpus: str, time: str, root: str, options: tuple[str, ...]) -> Result:
    """Train one cell."""
    where = ("--name", cell, "--checkpoints", root)
    charrnn(
        "train", corpus, "--cell", cell, "--time", time, "--sample-every", "0", *where, *options
    )
    info = json.loads(charrnn("info", cell, "--json", "--checkpoints", root))
    with (Path(root) / cell / "history.csv").open() as file:
        *rows, last = csv.DictReader(file)
    first = rows[0] if rows else {"step": 0, "elapsed_seconds": 0}
    training = info["config"]["training"]
    steps = int(last["step"]) - int(first["step"])
    seconds = float(last["elapsed_seconds"]) - float(first["elapsed_seconds"])
    speed = steps * training["batch_size"] * training["seq_length"] / seconds
    clipped = float(last["clipped_share"])
    return Result(cell, info["parameters"], speed, info["best_loss_nats"], clipped)


def table(results: list[Result]) -> str:
    """The results in Markdown, the best first."""
    lines = [
        "| cell | parameters | characters/s | validation, nats per character |",
        "|---|---|---|---|",
    ]
    for each in sorted(results, key=lambda result: result.val_loss_nats):
        lines.append(
            f"| `{each.cell}` | {each.parameters:,} | {each.chars_per_second:,.0f}"
            f" | {each.val_loss_nats:.3f} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__)
@click.argument("corpus", type=click.Path(exists=True))
@click.option("--time", default="2m", show_default=True, help="For each cell.")
@click.option("--cells", default=",".join(CELLS), help="Their names, with commas between them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(corpus: str, time: str, cells: str, as_json: bool, options: tuple[str, ...]) -> None:
    results = []
    with tempfile.TemporaryDirectory() as root:
        for cell in cells.split(","):
            try:
                results.append(measure(cell, corpus, time, root, options))
                click.echo(str(results[-1]), err=True)
            except subprocess.CalledProcessError as error:
                click.echo(f"{cell}: failed with status {error.returncode}", err=True)
    click.echo(json.dumps([each._asdict() for each in results]) if as_json else table(results))


if __name__ == "__main__":
    main()
