"""`charrnn export` and `charrnn import`: models handed to other tools, and taken from them."""

import math
import shlex
from pathlib import Path

import click

from charrnn.cli.options import checkpoints_option, run_argument, which_option
from charrnn.cli.output import escape_unprintable
from charrnn.cli.usage import NamedChoice, register
from charrnn.runs.outputs import size_in_words
from charrnn.runs.run import WHICH

TOOLS = ("torch-rnn", "char-rnn", "char-rnn-tensorflow", "ml5", "pytorch", "keras")
FUNCTIONS = ("tanh", "relu"), ("sigmoid", "hard_sigmoid")


class ExportCommand(click.Command):
    """A command whose formats are looked up when it runs, since users may add some."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from charrnn.exporting.exporting import FORMATS

        kind = NamedChoice(tuple(FORMATS))
        chosen = click.Option(["--to"], type=kind, required=True, help="Format.")
        return [chosen, *super().get_params(ctx)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from charrnn.cli.boundary import report_and_go_on
        from charrnn.exporting.exporting import FORMATS

        with formatter.section("Formats"):
            formatter.write_dl(
                [(n, f.summary) for n, f in FORMATS.working(report_and_go_on).items()]
            )


@register
@click.command("export", cls=ExportCommand)
@run_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write, or for hub the folder.",
)
@checkpoints_option
@which_option
def export_command(
    run: str | None, to: str, output: Path, checkpoints: Path, which: str | None
) -> None:
    """Write a run's model for programs without charrnn.

    RUN is a name or a path; without it, the newest run. A short program that reads the file and
    writes a text goes to standard output: add "> write.py" to keep it.
    """
    from charrnn.exporting.exporting import export_model

    done = export_model(run, to=to, output=output, which=which or WHICH, checkpoints=checkpoints)
    click.echo(f"wrote {done.path}: {size_in_words(done.size)}", err=True)
    if done.usage:
        click.echo(done.usage)


@register
@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the run.  [default: that of the file or folder]")
@click.option(
    "--from",
    "tool",
    type=NamedChoice(TOOLS),
    help="The tool that trained the model.  [default: by what is in the file]",
)
@click.option(
    "--vocabulary",
    type=click.Path(path_type=Path),
    help="The tool's own file of characters, or the text that the model has learnt.",
)
@click.option(
    "--order",
    type=NamedChoice(("sorted", "first", "frequency")),
    help="How the tool numbered the characters of that text: sorted, by first appearance, or the"
    " most frequent first.  [default: as the tool does]",
)
@click.option(
    "--forget-bias",
    type=float,
    help="What TensorFlow 1 added to the forget gate when it ran.  [default: as the tool does]",
)
@click.option("--activation", type=NamedChoice(FUNCTIONS[0]), help="Function of the cells.")
@click.option(
    "--recurrent-activation", type=NamedChoice(FUNCTIONS[1]), help="Function of the gates."
)
@checkpoints_option
def import_command(path: Path, checkpoints: Path, **options: object) -> None:
    """Make a run of a model that another tool has trained.

    PATH is a file of torch-rnn, char-rnn, PyTorch or Keras, or a folder of char-rnn-tensorflow
    or ml5. The last two functions are for files that do not tell them. Nothing in a file is run.
    """
    from charrnn.importing.importing import import_model

    done = import_model(path, checkpoints=checkpoints, **options)  # type: ignore[arg-type]
    config = done.checkpoint.config.model
    units = ",".join(map(str, config.layer_units))
    folder = escape_unprintable(str(done.run.folder))
    click.echo(
        f"wrote {folder}: {done.origin.tool}'s {config.cell} of {units}"
        f" units, {done.checkpoint.vocabulary.size - 1} characters",
        err=True,
    )
    for each in done.origin.assumed:
        click.echo(f"  {each}", err=True)
    if done.loss_nats is not None:
        click.echo(f"loss on the beginning of the text: {done.loss_nats:.3f} nats", err=True)
    click.echo(f"write with: charrnn sample {shlex.quote(done.run.name)}", err=True)
    if done.looks_ciphered:
        chance = math.log(done.checkpoint.vocabulary.size)
        click.echo(
            f"charrnn: that is more than the {chance:.2f} of pure chance: the characters have"
            " wrong numbers; give the text that the model learnt, the tool's own file, or another"
            " --order",
            err=True,
        )
