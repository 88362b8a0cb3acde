"""How low the validation loss gets in a given time: mean and spread over several seeds.

    pip install . && python benchmarks/quality.py tinyshakespeare.txt --time 2m

Each run is `charrnn train` with its own defaults, a process of its own, one after the other; the
clock runs from the command's start. The last 10 % of the text are held out, and `charrnn evaluate`
scores all of them with the best checkpoint. Options after `--` go to `charrnn train`, so that two
settings can be compared:

    python benchmarks/quality.py poems.txt --time 2m -- --cell gru
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time

import click

CHARRNN = (sys.executable, "-m", "charrnn")


@click.command(help=__doc__)
@click.argument("corpus", type=click.Path(exists=True, dir_okay=False))
@click.argument("options", nargs=-1)
@click.option("--time", "duration", default="2m", help="How long each run takes.")
@click.option("--seeds", default=3, help="How many runs.")
def main(corpus: str, options: tuple[str, ...], duration: str, seeds: int) -> None:
    """Train once with each seed, and print every loss, their mean and their spread."""
    losses = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as root:
            named = ("--checkpoints", root, "--name", "run", "--seed", str(seed))
            begin = time.perf_counter()
            run("train", corpus, "--time", duration, "--sample-every", "0", *named, *options)
            seconds = time.perf_counter() - begin
            told = json.loads(run("evaluate", "run", "--checkpoints", root, "--json"))
            info = json.loads(run("info", "run", "--checkpoints", root, "--json"))
        losses.append(told["nats_per_char"])
        click.echo(
            f"seed {seed}: {losses[-1]:.4f} nats, {info['epoch']:.1f} passes, {seconds:.0f} s"
        )
    click.echo(spread(losses))


def run(*arguments: str) -> str:
    """What a command writes; its error ends the benchmark."""
    done = subprocess.run([*CHARRNN, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr)
    return done.stdout


def spread(losses: list[float]) -> str:
    """Mean, median and range in a line, in nats and in bits per character."""
    mean, median = statistics.mean(losses), statistics.median(losses)
    return (
        f"{len(losses)} seeds: mean {mean:.3f}, median {median:.3f}, from {min(losses):.3f} to"
        f" {max(losses):.3f} nats; mean {mean / math.log(2):.3f} bits per character"
    )


if __name__ == "__main__":
    main()
