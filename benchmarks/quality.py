"""The lowest validation loss for a time: the table of docs/speed.md, from the command line.

    pip install '.[bench]'
    python benchmarks/quality.py run RESULTS.json tinyshakespeare.txt --time 2m --seeds 3
    python benchmarks/quality.py run RESULTS.json tinyshakespeare.txt --time 2m --gpt
    python benchmarks/quality.py report RESULTS.json --out benchmarks/RESULTS.md --plot loss.svg

`run` trains with no flag but `--time` (and a seed), in a process of its own for each seed, and
evaluates on the whole validation part, the last tenth of the text. It adds to the file of
results, so that a table can be made in several sittings. The seconds are those from the command's
start to its end. `--options` tries other settings, which the table then names. `--gpt` trains
the small GPT of benchmarks/gpt.py for the same time.
"""

import csv
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import click

GPT = Path(__file__).with_name("gpt.py")


def machine() -> str:
    """The processor, and the number of cores."""
    from charrnn.tf.limits import cores
    from charrnn.training.machine import processor

    return f"{processor().replace('avx512f', 'AVX-512').replace('avx2', 'AVX2')}, {cores()} cores"


def charrnn(*arguments: str) -> str:
    """Run a command and return its output."""
    command = [sys.executable, "-m", "charrnn", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def curve_of(run: Path) -> list[tuple[float, float]]:
    """Seconds and validation loss of each evaluation."""
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [(float(row["elapsed_seconds"]), float(row["val_loss_nats"])) for row in rows]


def train(text: str, plan: str, options: str, seed: int, measures: tuple[str, ...]) -> dict:
    """Train once and evaluate."""
    with tempfile.TemporaryDirectory() as root:
        where = ("--checkpoints", root)
        given = [*plan.split(), "--seed", str(seed), *shlex.split(options)]
        begin = time.perf_counter()
        charrnn("train", text, *given, "--name", "run", *where)
        seconds = time.perf_counter() - begin
        info = json.loads(charrnn("info", "run", *where, "--json"))
        score = json.loads(charrnn("evaluate", "run", *where, "--json"))
        found = {
            "side": "charrnn",
            "options": options,
            "seed": seed,
            "seconds": seconds,
            "loss_nats": score["nats_per_char"],
            "characters": score["characters"],
            "parameters": info["parameters"],
            "info": info,
            "curve": curve_of(Path(root) / "run"),
        }
        if "cold" in measures:
            cold = charrnn("evaluate", "run", *where, "--cold", "--window", "256", "--json")
            found["cold_nats"] = json.loads(cold)["nats_per_char"]
        if "dynamic" in measures:
            dynamic = charrnn("evaluate", "run", *where, "--dynamic", "--json")
            found["dynamic_nats"] = json.loads(dynamic)["dynamic_nats_per_char"]
    return found


def train_gpt(text: str, seconds: float, seed: int) -> dict:
    """The GPT, trained for so many seconds."""
    command = [sys.executable, str(GPT), text, "--time", str(seconds), "--seed", str(seed)]
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    taken = time.perf_counter() - begin
    return {"side": "gpt", "options": "", "seed": seed, "seconds": taken, **json.loads(done.stdout)}


def versions() -> str:
    """Of the packages that matter."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("charrnn-keras", "tensorflow", "keras", "numpy", "torch"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("text", type=click.Path(exists=True))
@click.option("--time", "duration", default="2m", show_default=True)
@click.option("--steps", help="So many steps in place of a time, for a machine that is busy.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--first-seed", default=0, show_default=True)
@click.option("--options", default="", help="Other settings of `charrnn train`.")
@click.option("--measure", "measures", multiple=True, type=click.Choice(["cold", "dynamic"]))
@click.option("--gpt", is_flag=True, help="Train the small GPT instead.")
def run(
    results: Path,
    text: str,
    duration: str,
    steps: str | None,
    seeds: int,
    first_seed: int,
    options: str,
    measures: tuple[str, ...],
    gpt: bool,
) -> None:
    """Train, evaluate, and add a line for each seed to a file of results."""
    from charrnn.config.training import parse_duration

    plan = f"--steps {steps}" if steps else f"--time {duration}"
    for seed in range(first_seed, first_seed + seeds):
        if gpt:
            found = train_gpt(text, parse_duration(duration), seed)
        else:
            found = train(text, plan, options, seed, measures)
        found |= {"text": Path(text).name, "time": plan if steps else duration}
        found |= {"machine": machine(), "versions": versions()}
        with results.open("a") as file:
            file.write(json.dumps(found) + "\n")
        click.echo(
            f"seed {seed}: {found['loss_nats']:.4f} nats, {found['seconds']:.1f} s", err=True
        )


def speed_of(result: dict) -> tuple[float, float]:
    """Passes over the text, and characters a second over the whole command."""
    info, training = result["info"], result["info"]["config"]["training"]
    characters = info["step"] * training["batch_size"] * training["seq_length"]
    return info["epoch"], characters / result["seconds"]


def shape_of(result: dict) -> str:
    """The network in a few words."""
    model = result["info"]["config"]["model"]
    return f"{model['cell']} {model['layers']}×{model['units']}, dropout {model['dropout']:g}"


def row(results: list[dict]) -> str:
    """A line of the table, for the seeds of one text and time."""
    first, losses = results[0], [each["loss_nats"] for each in results]
    timed = not first["time"].startswith("--steps")
    plan = f"--time {first['time']}" if timed else first["time"]
    name = f"`{plan} {first['options']}`".replace(" `", "`")
    seconds = f"{statistics.median(each['seconds'] for each in results):.0f}" if timed else "–"
    spread = f" ± {statistics.stdev(losses):.3f}" if len(losses) > 1 else ""
    if first["side"] == "gpt":
        what, passes = f"GPT, {first['parameters']:,} parameters", "–"
        name, rate = f"GPT, {first['time']}", "–"
    else:
        what = shape_of(first)
        passes = f"{statistics.median(speed_of(each)[0] for each in results):.2g}"
        rate = f"{statistics.median(speed_of(each)[1] for each in results):,.0f}" if timed else "–"
    beside = [
        f"{statistics.median(each[name] for each in results):.3f}" if name in first else "–"
        for name in ("cold_nats", "dynamic_nats")
    ]
    if first["side"] == "gpt":
        beside[0], loss = f"{statistics.median(losses):.3f} (64)", "–"
    else:
        loss = f"**{statistics.median(losses):.3f}**{spread}"
    cells = [name, what, str(len(losses)), loss, *beside, seconds, passes, rate]
    return "| " + " | ".join([first["text"], *cells]) + " |"


COLUMNS = (
    *("text", "command", "network", "seeds", "validation, nats", "cold windows of 256", "dynamic"),
    *("seconds", "passes", "characters/s"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
INTRODUCTION = """# The lowest loss for a time

Made by `benchmarks/quality.py`. The validation part is the last tenth of each text, all of it, the
state carried on; the median of the seeds with their standard deviation. Seconds are those from the
command's start to its end. Cold windows start from the zero state, as nanoGPT's figures do; the
GPT's are of 64 characters, all that it can read. Dynamic: the weights go on learning from the text
that is scored (`charrnn evaluate --dynamic`).
"""


@main.command()
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the curves of a text as SVG.")
@click.option("--of", "text", help="The text whose curves are drawn; the first by default.")
@click.option("--plotted-time", help="The time whose curves are drawn; the first by default.")
def report(
    results: Path, out: Path, plot: Path | None, text: str | None, plotted_time: str | None
) -> None:
    """Make the table and the plot from a file of results."""
    lines = [json.loads(line) for line in results.read_text().splitlines() if line]
    groups = defaultdict(list)
    for each in lines:
        groups[each["machine"], each["text"], each["time"], each["side"], each["options"]].append(
            each
        )
    parts = [INTRODUCTION]
    for machine in dict.fromkeys(each["machine"] for each in lines):
        rows = [row(group) for key, group in groups.items() if key[0] == machine]
        used = dict.fromkeys(each["versions"] for each in lines if each["machine"] == machine)
        about = f"## {machine}\n\n{'; '.join(used)}.\n"
        parts.append("\n".join([about, HEAD, *rows, ""]))
    out.write_text("\n".join(parts), encoding="utf-8")
    if plot is not None:
        text, wanted = text or lines[0]["text"], plotted_time or lines[0]["time"]
        draw([x for x in lines if (x["text"], x["time"], x["options"]) == (text, wanted, "")], plot)


def draw(lines: list[dict], path: Path) -> None:
    """Validation loss against seconds, a curve for each seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "charrnn"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6))
    colors = {"charrnn": "#1f6fb4", "gpt": "#c0504d"}
    names = {"charrnn": "charrnn", "gpt": "GPT at nanoGPT's CPU settings"}
    for each in lines:
        seconds, losses = zip(*each["curve"], strict=True)
        label = names.pop(each["side"], None)
        axes.plot(seconds, losses, color=colors[each["side"]], label=label, marker=".", lw=1.2)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("validation loss, nats per character")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.set_title(f"{lines[0]['text']}, {lines[0]['machine']}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
