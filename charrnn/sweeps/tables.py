"""A sweep's results as a table: text, CSV, Markdown or LaTeX."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence

from charrnn.config.settings import shown
from charrnn.sweeps.results import Result

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
    """The results in one of `FORMS`, without a line break at the end."""
    return FORMS[form](results)


def heading(results: Sequence[Result]) -> list[str]:
    """The names of the columns."""
    return ["trial", *varied(results), "weights", "seeds", "nats", "bits", "state"]


def varied(results: Sequence[Result]) -> list[str]:
    """The settings that the trials have."""
    return list(dict.fromkeys(name for each in results for name in each.settings))


def row(result: Result, names: Sequence[str]) -> list[str]:
    """A trial's cells."""
    return [
        f"{result.trial:03d}",
        *(shown(result.settings.get(name, NOTHING)) for name in names),
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
    """The heading, and a row for each trial."""
    return [heading(results), *(row(each, varied(results)) for each in results)]


def as_text(results: Sequence[Result]) -> str:
    """Columns for the screen."""
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
    """A table as GitHub and others show it."""
    first, *rest = ([marked(cell) for cell in each] for each in cells(results))
    return "\n".join(map(piped, [first, ["---"] * len(first), *rest]))


def piped(row: Sequence[str]) -> str:
    """A row of Markdown."""
    return f"| {' | '.join(row)} |"


def marked(text: str) -> str:
    """A text that Markdown shows as it is."""
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
    """A text that LaTeX sets as it is."""
    return "".join(LATEX.get(each, each) for each in text.replace("\n", " "))


FORMS: Mapping[str, Callable[[Sequence[Result]], str]] = {
    "text": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}
"""The forms of a table by name."""
