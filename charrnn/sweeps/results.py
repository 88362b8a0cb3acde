"""What has come of the trials: the mean over the seeds, and the spread between them."""

import csv
import io
import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from charrnn.config.settings import format_setting

FINISHED, PRUNED, FAILED = "finished", "pruned", "failed"
TRAINING, STOPPED = "training", "stopped"
ORDER = (FINISHED, TRAINING, STOPPED, PRUNED, FAILED)
"""States of trials as they stand in a table: stopped ones are taken up by the next process."""


@dataclass(frozen=True)
class Result:
    """A trial: one way to train, and what came of it.

    Args:
        trial: Its number.
        settings: What it has of the settings that are varied, by name.
        state: One of `ORDER`.
        losses_nats: The lowest validation loss of each run, by seed, in nats per character. Of a
            run that was not carried out, the lowest by then.
        parameters: The network's weights; None where none was built.
        why: Why it has failed.
    """

    trial: int
    settings: Mapping[str, object]
    state: str
    losses_nats: Mapping[int, float]
    parameters: int | None = None
    why: str = ""

    @property
    def mean_nats(self) -> float | None:
        return statistics.fmean(self.losses_nats.values()) if self.losses_nats else None

    @property
    def spread_nats(self) -> float | None:
        """Standard deviation between the seeds (of a sample: n - 1); None for fewer than two."""
        return statistics.stdev(self.losses_nats.values()) if len(self.losses_nats) > 1 else None

    @property
    def bits_per_char(self) -> float | None:
        return None if self.mean_nats is None else self.mean_nats / math.log(2)


def trial_run_name(trial: int, seed: int) -> str:
    """The name of a run in the sweep's folder: 007-seed0."""
    return f"{trial:03d}-seed{seed}"


def ranked(results: Iterable[Result]) -> tuple[Result, ...]:
    return tuple(sorted(results, key=rank))


def rank(result: Result) -> tuple[int, float, int]:
    mean = math.inf if result.mean_nats is None else result.mean_nats
    return ORDER.index(result.state), mean, result.trial


def best_runs(results: Sequence[Result], most: int) -> list[str]:
    finished = [each for each in results if each.state == FINISHED][:most]
    return [trial_run_name(each.trial, lowest(each.losses_nats)) for each in finished]


def lowest(losses_nats: Mapping[int, float]) -> int:
    return min(losses_nats, key=lambda seed: losses_nats[seed])


Rows = list[list[str]]
NOTHING = "-"
MARKED = re.compile(r"([\\`*_\[\]<>|&~])")
"""Characters that mean something to Markdown within a line, and stand after a backslash."""
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    **{each: f"\\{each}" for each in "&%$#_{}"},
}


def table(results: Sequence[Result], form: str = "text") -> str:
    return FORMS[form](results)


def heading(results: Sequence[Result]) -> list[str]:
    return ["trial", *varied(results), "weights", "seeds", "nats", "bits", "state"]


def varied(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(name for each in results for name in each.settings))


def row(result: Result, names: Sequence[str]) -> list[str]:
    """A trial's cells."""
    return [
        f"{result.trial:03d}",
        *(format_setting(result.settings.get(name, NOTHING)) for name in names),
        NOTHING if result.parameters is None else f"{result.parameters:,}",
        str(len(result.losses_nats)),
        loss(result),
        NOTHING if result.bits_per_char is None else f"{result.bits_per_char:.3f}",
        f"{result.state}: {result.why}" if result.why else result.state,
    ]


def loss(result: Result) -> str:
    """Mean and spread, in nats per character."""
    if result.mean_nats is None:
        return NOTHING
    spread = result.spread_nats
    return f"{result.mean_nats:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def cells(results: Sequence[Result]) -> Rows:
    return [heading(results), *(row(each, varied(results)) for each in results)]


def as_text(results: Sequence[Result]) -> str:
    rows = cells(results)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, each, widths)).rstrip() for each in rows)


def as_csv(results: Sequence[Result]) -> str:
    """Every number with all its digits, and the loss of each seed."""
    names, seeds = varied(results), sorted({seed for each in results for seed in each.losses_nats})
    columns = ["trial", "state", *names, "parameters", "mean_nats", "spread_nats", "bits_per_char"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *(f"seed_{seed}_nats" for seed in seeds), "why"])
    for each in results:
        own = [each.parameters, each.mean_nats, each.spread_nats, each.bits_per_char]
        ways = [each.settings.get(name) for name in names]
        losses = [each.losses_nats.get(seed) for seed in seeds]
        writer.writerow([each.trial, each.state, *ways, *own, *losses, each.why])
    return text.getvalue().rstrip("\n")


def as_markdown(results: Sequence[Result]) -> str:
    first, *rest = ([marked(cell) for cell in each] for each in cells(results))
    return "\n".join(map(piped, [first, ["---"] * len(first), *rest]))


def piped(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"


def marked(text: str) -> str:
    return MARKED.sub(r"\\\1", text.replace("\n", " "))


def as_latex(results: Sequence[Result]) -> str:
    """A tabular environment that needs no package."""
    first, *rest = ([latex(cell) for cell in each] for each in cells(results))
    lines = [f"{' & '.join(each)} \\\\" for each in rest]
    return "\n".join(
        [
            f"\\begin{{tabular}}{{{'l' * len(first)}}}",
            "\\hline",
            f"{' & '.join(first)} \\\\",
            "\\hline",
            *lines,
            "\\hline",
            "\\end{tabular}",
        ]
    )


def latex(text: str) -> str:
    return "".join(LATEX.get(each, each) for each in text.replace("\n", " "))


FORMS: Mapping[str, Callable[[Sequence[Result]], str]] = {
    "text": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}
"""The forms of a table by name."""
