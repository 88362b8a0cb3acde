"""`charrnn page`."""

import sys
from functools import partial
from pathlib import Path

import click

from charrnn.cli.options import checkpoints_option, complete_runs, which_option
from charrnn.cli.output import Drawing
from charrnn.cli.prompt import decode
from charrnn.cli.usage import register
from charrnn.runs.outputs import check_output, size_in_words, write_output
from charrnn.runs.run import WHICH, find_checkpoint

PRECISIONS = ("16", "32")


@register
@click.command("page")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
@checkpoints_option
@which_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: the run's name, with .html]",
)
@click.option("--title", help="What the page is called.  [default: the run's name]")
@click.option(
    "--text",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text (UTF-8) to look into; the page holds it.",
)
@click.option(
    "--look-inside/--no-look-inside",
    default=True,
    help="Find units that follow something in the run's text, for the section Look inside.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=PRECISIONS[0],
    show_default=True,
    help="Bits of each weight: with 32 the page writes exactly what `charrnn sample` writes, and"
    " is twice as large.",
)
def page_command(
    runs: tuple[str, ...],
    checkpoints: Path,
    which: str | None,
    output: Path | None,
    title: str | None,
    text: Path | None,
    look_inside: bool,
    precision: str,
) -> None:
    """Make one HTML file in which a run's model writes.

    Anyone with a browser can open it: it needs no server and no network. RUN is a name or a path;
    without it, the newest run. Of several, each can write, the first one first, and all are
    compared.
    """
    from charrnn.models.language_model import load
    from charrnn.page.document import build_page

    first, *others = (find_checkpoint(run, checkpoints, which or WHICH) for run in runs or (None,))
    path = output or Path(f"{first.absolute().parent.name}.html")
    check_output(path)
    from tqdm import tqdm  # which no error waits for

    seen = sys.stderr.isatty()
    watch = partial(tqdm, file=Drawing(sys.stderr), desc="looking inside", leave=False)
    page = build_page(
        load(first),
        title,
        measured=look_inside,
        watch=partial(watch, disable=not seen, delay=0.5),
        text=None if text is None else decode(str(text), text.read_bytes()).replace("\r\n", "\n"),
        precision=int(precision),
        others=[load(other) for other in others],
    )
    write_output(path, page)
    click.echo(f"wrote {path}: {size_in_words(len(page))}, weights of {precision} bits", err=True)
