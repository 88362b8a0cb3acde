"""`charrnn`: the group of commands."""

import click

from charrnn import __version__
from charrnn.cli.boundary import ReportingGroup
from charrnn.cli.evaluate import evaluate_command
from charrnn.cli.info import info_command
from charrnn.cli.sample import sample_command
from charrnn.cli.train import train_command


@click.group(cls=ReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="charrnn")
def main() -> None:
    """Learn a text character by character, then write in its voice.

    \b
    charrnn train corpus.txt            learn a text
    charrnn sample --temperature 0.8    write in its voice
    charrnn train --resume              go on exactly where it stopped
    """


for command in (train_command, sample_command, evaluate_command, info_command):
    main.add_command(command)
