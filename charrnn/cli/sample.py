"""`charrnn sample`."""

import sys
from pathlib import Path
from typing import Any

import click

from charrnn.cli.options import (
    checkpoints_option,
    given,
    run_argument,
    settings_options,
    which_option,
)
from charrnn.config import SamplingConfig
from charrnn.runs import WHICH


@click.command("sample")
@run_argument
@checkpoints_option
@which_option
@settings_options([SamplingConfig])
@click.option(
    "--prompt",
    default=None,
    help="Text to go on from; with a run trained backward, to lead up to.",
)
@click.option(
    "--prompt-file", type=click.File("r", encoding="utf-8-sig"), help="Read the prompt from a file."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Write the same text again.")
def sample_command(
    run: str | None,
    checkpoints: Path,
    which: str | None,
    prompt: str | None,
    prompt_file: Any,
    seed: int | None,
    **settings: Any,
) -> None:
    """Write text with a run's model: a name below --checkpoints, a path, or the newest run.

    The text goes to standard output, everything else to standard error.
    """
    from charrnn.language_model import load
    from charrnn.sampling.noise import random_seed

    prompt = read_prompt(prompt, prompt_file)
    config = SamplingConfig(**given(settings))
    model = load(run, which=which or WHICH, checkpoints=checkpoints)
    seed = random_seed() if seed is None else seed
    click.echo(f"{model.path.parent}, --seed {seed}", err=True)
    warn_of_missing(model.missing(prompt))
    pieces = model.stream(prompt, seed=seed, **given(settings))
    before, after = ("", prompt) if model.backward else (prompt, "")
    if config.count == 1:
        print_stream(before, (piece for (piece,) in pieces), after)
    else:
        print_texts(before, pieces, after, config.count)


def read_prompt(prompt: str | None, file: Any) -> str:
    """The prompt of --prompt or --prompt-file; a usage error where it is not UTF-8."""
    if prompt is not None and file is not None:
        raise click.UsageError("give --prompt or --prompt-file, not both")
    try:
        text: str = file.read() if file is not None else prompt or ""
        text.encode()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{file.name}: byte 0x{error.object[error.start]:02x} at offset {error.start}"
            " is not utf-8; convert the file"
        ) from error
    except UnicodeEncodeError as error:
        raise click.UsageError("--prompt: is not utf-8; convert it") from error
    return text


def warn_of_missing(characters: str) -> None:
    """Name the prompt's characters that the model does not know."""
    if characters:
        shown = " ".join(repr(character) for character in characters)
        click.echo(f"the model does not know {shown}; read as the unknown symbol", err=True)


def print_stream(before: str, pieces: Any, after: str) -> None:
    """The text as it comes, between two others."""
    sys.stdout.write(before)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write(f"{after}\n")


def print_texts(before: str, pieces: Any, after: str, count: int) -> None:
    """Several texts, one after the other, each after a line that numbers it."""
    from charrnn.sampling.writing import join

    for number, text in enumerate(join(pieces, count), start=1):
        sys.stdout.write(f"--- {number} ---\n{before}{text}{after}\n")
