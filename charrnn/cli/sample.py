"""`charrnn sample`."""

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
from charrnn.cli.page import Page, print_stream, print_texts
from charrnn.cli.prompt import read_prompt
from charrnn.config import SamplingConfig
from charrnn.runs import WHICH

ENGINES = ("auto", "numpy", "tensorflow")


@click.command("sample")
@run_argument
@checkpoints_option
@which_option
@click.option(
    "--prompt",
    help="Text to go on from (- reads it from standard input); a run trained"
    " backward leads up to it.",
)
@click.option("--prompt-file", type=click.File("rb"), help="Read the prompt from a file.")
@click.option("--echo/--no-echo", default=True, help="Write the prompt too.  [default: echo]")
@settings_options([SamplingConfig])
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Write the same text again.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each text.")
@click.option("--raw", is_flag=True, help="Write a byte-level model's bytes as they are.")
@click.option("--state-out", type=click.Path(path_type=Path), help="Keep where the text ends.")
@click.option(
    "--state-in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Go on where a text of --state-out ended.",
)
@click.option(
    "--blend",
    multiple=True,
    metavar="RUN=WEIGHT",
    help="Mix the models of several runs; repeat it for each, in place of RUN.",
)
@click.option("--interactive", is_flag=True, help="Write by turns with the model.")
@click.option("--novelty", is_flag=True, help="Tell how much is copied from the training text.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What computes.",
)
def sample_command(
    run: str | None,
    checkpoints: Path,
    which: str | None,
    prompt: str | None,
    prompt_file: Any,
    echo: bool,
    seed: int | None,
    output: Path | None,
    as_json: bool,
    raw: bool,
    state_out: Path | None,
    state_in: Path | None,
    blend: tuple[str, ...],
    interactive: bool,
    novelty: bool,
    engine: str,
    **settings: Any,
) -> None:
    """Write text with a run's model: a name below --checkpoints, a path, or the newest run.

    The text goes to standard output, everything else to standard error.
    """
    settings = given(settings)
    config = SamplingConfig(**settings)
    if state_in and (prompt or prompt_file):
        raise click.UsageError("--state-in: the text that goes on has its beginning already")
    if state_out and config.searched:
        raise click.UsageError("--state-out: keeps where a text ends, not where a search does")
    prompt = read_prompt(prompt, prompt_file)
    model = open_model(run, blend, checkpoints, which)
    if interactive:
        from charrnn.cli.interactive import interact

        interact(model, prompt, seed, engine=engine, **settings)
        return
    writing = model.write(
        prompt, seed=seed, engine=engine, raw=raw, scored=as_json, state=state_in, **settings
    )
    click.echo(f"{model.path.parent}, --seed {writing.seed}", err=True)
    warn_of_missing(model.missing(prompt))
    shown = prompt if echo else ""
    with Page(output, raw) as page:
        if config.count == 1 and not (config.searched or as_json or model.backward or novelty):
            print_stream(page, shown, writing)
        else:
            texts = model.finish(writing, prompt)
            print_texts(page, model, shown, texts, as_json=as_json, novelty=novelty)
    if state_out is not None:
        model.save_state(state_out, writing)
    if not writing.complete():
        click.echo("--match: the text ends before it matches; allow a greater --length", err=True)


def open_model(
    run: str | None, blended: tuple[str, ...], checkpoints: Path, which: str | None
) -> Any:
    """The run's model, or the blend of several."""
    from charrnn.language_model import load
    from charrnn.mixing import blend

    if not blended:
        return load(run, which=which or WHICH, checkpoints=checkpoints)
    if run is not None:
        raise click.UsageError(f"--blend names all runs: --blend {run}=1 in place of {run}")
    weights = dict(map(parse_weight, blended))
    return blend(weights, which=which or WHICH, checkpoints=checkpoints)


def parse_weight(text: str) -> tuple[str, float]:
    """Run and weight of a --blend."""
    run, _, weight = text.rpartition("=")
    try:
        return run or weight, float(weight) if run else 1.0
    except ValueError:
        raise click.UsageError(f"--blend {text}: write it as RUN=WEIGHT, as in poems=0.5") from None


def warn_of_missing(characters: str) -> None:
    """Name the prompt's characters that the model does not know."""
    if characters:
        shown = " ".join(repr(character) for character in characters)
        click.echo(f"the model does not know {shown}; read as the unknown symbol", err=True)
