"""Several ways to train on the same text for the same time: mean and spread over seeds.

    python benchmarks/compare.py tinyshakespeare.txt --time 2m --seeds 5 \\
        "" "--cell gru" "--units 512" "--batch-size 64 --lr 0.003"

trains each way once with each seed, one run after the other in a process of its own, and prints
a table. A way is the options that it gives to `charrnn train`; "" is the defaults. The seeds take
turns with the ways, so that a machine that becomes slower meanwhile is fair to all of them.

The spread is the standard deviation between seeds (the sample's, n - 1). Two ways whose means
are closer than that are not told apart.
"""

import json
import math
import shlex
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

import click


class Way(NamedTuple):
    """What came of one way to train: a loss for each seed."""

    options: str
    parameters: int
    losses_nats: list[float]

    @property
    def mean(self) -> float:
        """Mean validation loss, in nats per character."""
        return statistics.mean(self.losses_nats)

    @property
    def spread(self) -> float:
        """Standard deviation between the seeds; 0 for a single one."""
        return statistics.stdev(self.losses_nats) if len(self.losses_nats) > 1 else 0.0


def charrnn(*arguments: str) -> str:
    """Run a command and return its output."""
    command = [sys.executable, "-m", "charrnn", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(corpus: str, time: str, options: str, seed: int, root: str) -> dict[str, float]:
    """Train once; what `charrnn info` tells of the run."""
    where = ("--name", "run", "--checkpoints", root, "--overwrite")
    given = ("--time", time, "--seed", str(seed), "--sample-every", "0", *shlex.split(options))
    charrnn("train", corpus, *given, *where)
    facts: dict[str, float] = json.loads(charrnn("info", "run", "--checkpoints", root, "--json"))
    return facts


def compare(corpus: str, time: str, ways: tuple[str, ...], seeds: int) -> list[Way]:
    """Train every way with every seed."""
    found = [Way(options, 0, []) for options in ways]
    with tempfile.TemporaryDirectory() as root:
        for seed in range(seeds):
            for place, way in enumerate(found):
                facts = train(corpus, time, way.options, seed, root)
                way.losses_nats.append(facts["best_loss_nats"])
                found[place] = way._replace(parameters=int(facts["parameters"]))
                click.echo(f"seed {seed}, {named(way)}: {facts['best_loss_nats']:.4f}", err=True)
    return found


def named(way: Way) -> str:
    """The way in words."""
    return way.options or "defaults"


def table(ways: list[Way]) -> str:
    """The results in Markdown, the best first."""
    lines = [
        "| options | parameters | validation, nats per character | lowest and highest"
        " | bits per character |",
        "|---|---|---|---|---|",
    ]
    for way in sorted(ways, key=lambda way: way.mean):
        low, high = min(way.losses_nats), max(way.losses_nats)
        bits = way.mean / math.log(2)
        lines.append(
            f"| `{named(way)}` | {way.parameters:,} | {way.mean:.3f} ± {way.spread:.3f}"
            f" | {low:.3f} to {high:.3f} | {bits:.2f} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__, context_settings={"ignore_unknown_options": True})
@click.argument("corpus", type=click.Path(exists=True))
@click.argument("ways", nargs=-1, type=click.UNPROCESSED)
@click.option("--time", default="2m", show_default=True, help="For each training.")
@click.option("--seeds", default=5, show_default=True, help="How often each way is trained.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(corpus: str, ways: tuple[str, ...], time: str, seeds: int, as_json: bool) -> None:
    results = compare(corpus, time, ways or ("",), seeds)
    click.echo(json.dumps([each._asdict() for each in results]) if as_json else table(results))


if __name__ == "__main__":
    main()
