"""Results of trials, and tables of them: the mean over the seeds, and the spread between them."""

import csv
import io
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from charrnn.config.settings import format_setting

FINISHED, PRUNED, FAILED = "finished", "pruned", "failed"
TRAINING, STOPPED = "training", "stopped"
ORDER = (FINISHED, TRAINING, STOPPED, PRUNED, FAILED)
"""States of trials as they stand in a table: stopped ones are taken up by the next process."""
FORMS = ("text", "csv", "markdown", "latex")
"""What a table can be written in."""
NOTHING = "-"
MARKDOWN = re.compile(r"([\\`*_\[\]<>|&~])")
"""Characters that Markdown obeys within a line, and takes as they are after a backslash."""
LATEX = str.maketrans(
    {
        "\n": " ",
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        **{each: f"\\{each}" for each in "&%$#_{}"},
    }
)


@dataclass(frozen=True)
class Result:
    """What came of a trial, which is one way to train.

    Args:
        trial: Its number.
        settings: Its values of the settings that are varied, by name.
        state: One of `ORDER`.
        losses_nats: The lowest validation loss of each run, by seed, in nats per character. Of a
            run that was not finished, the lowest so far.
        parameters: The network's weights; None where none was built.
        why: Why it failed.
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
    """Return the name of a run in the sweep's folder: 007-seed0."""
    return f"{trial:03d}-seed{seed}"


def ranked(results: Iterable[Result]) -> tuple[Result, ...]:
    """Return the results by state, and the lowest mean loss first."""

    def rank(result: Result) -> tuple[int, float, int]:
        mean = math.inf if result.mean_nats is None else result.mean_nats
        return ORDER.index(result.state), mean, result.trial

    return tuple(sorted(results, key=rank))


def as_good_as_the_best(results: Sequence[Result]) -> int:
    """How many trials are behind the best one by no more than the seeds of either differ."""
    finished = [each for each in results if each.state == FINISHED and each.mean_nats is not None]
    alike = 0
    for each in finished[1:]:
        spreads = [one.spread_nats for one in (finished[0], each) if one.spread_nats is not None]
        behind = (each.mean_nats or 0.0) - (finished[0].mean_nats or 0.0)
        alike += bool(spreads) and behind <= max(spreads)
    return alike


def best_runs(results: Sequence[Result], most: int) -> list[str]:
    """Return the best run of each of the best trials, by name."""
    finished = [each for each in results if each.state == FINISHED][:most]
    return [
        trial_run_name(each.trial, min(each.losses_nats, key=each.losses_nats.__getitem__))
        for each in finished
    ]


def table(results: Sequence[Result], form: str = "text") -> str:
    """Return a table of results, a row for each.

    Args:
        results: In the order of the rows.
        form: One of `FORMS`. "csv" has every number with all its digits, and the loss of each seed;
            "latex" is a tabular environment that needs no package.
    """
    names = list(dict.fromkeys(name for each in results for name in each.settings))
    if form == "csv":
        return as_csv(results, names)
    rows = [["trial", *names, "weights", "seeds", "nats", "bits", "state"]]
    for each in results:
        rows.append(
            [
                f"{each.trial:03d}",
                *(format_setting(each.settings.get(name, NOTHING)) for name in names),
                NOTHING if each.parameters is None else f"{each.parameters:,}",
                str(len(each.losses_nats)),
                loss(each),
                NOTHING if each.bits_per_char is None else f"{each.bits_per_char:.3f}",
                f"{each.state}: {each.why}" if each.why else each.state,
            ]
        )
    if form == "latex":
        head, *body = (" & ".join(cell.translate(LATEX) for cell in row) + r" \\" for row in rows)
        begin = f"\\begin{{tabular}}{{{'l' * len(rows[0])}}}"
        lines = [begin, r"\hline", head, r"\hline", *body, r"\hline", r"\end{tabular}"]
    elif form == "markdown":
        marked = [[MARKDOWN.sub(r"\\\1", c.replace("\n", " ")) for c in row] for row in rows]
        marked.insert(1, ["---"] * len(rows[0]))
        lines = [f"| {' | '.join(row)} |" for row in marked]
    else:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def loss(result: Result) -> str:
    """Return mean and spread, in nats per character."""
    if result.mean_nats is None:
        return NOTHING
    spread = result.spread_nats
    return f"{result.mean_nats:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def as_csv(results: Sequence[Result], names: Sequence[str]) -> str:
    seeds = sorted({seed for each in results for seed in each.losses_nats})
    columns = ["trial", "state", *names, "parameters", "mean_nats", "spread_nats", "bits_per_char"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *(f"seed_{seed}_nats" for seed in seeds), "why"])
    for each in results:
        numbers = [each.parameters, each.mean_nats, each.spread_nats, each.bits_per_char]
        settings = [each.settings.get(name) for name in names]
        losses = [each.losses_nats.get(seed) for seed in seeds]
        writer.writerow([each.trial, each.state, *settings, *numbers, *losses, each.why])
    return text.getvalue().rstrip("\n")
