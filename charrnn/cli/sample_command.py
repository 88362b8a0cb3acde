"""`charrnn sample`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import Field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli.boundary import report_and_go_on
from charrnn.cli.options import (
    PlainOption,
    SettingsCommand,
    checkpoints_option,
    complete_runs,
    given_options,
    run_argument,
    which_option,
)
from charrnn.cli.output import Layout, Page, print_stream, print_texts
from charrnn.cli.prompt import check_standard_input, read_prompt, unescape, unknown_characters
from charrnn.cli.usage import register
from charrnn.config import SamplingConfig
from charrnn.config.sampling import ENGINES, SEEDS
from charrnn.runs.outputs import check_output, is_device, resolve_links
from charrnn.runs.run import WHICH

if TYPE_CHECKING:
    from charrnn.models.text_model import TextModel
    from charrnn.sampling.writing import Writing

SECTIONS = {
    "Model": ("checkpoints", "which", "blend", "engine"),
    "Start": ("prompt", "prompt_file", "echo", "state_in", "seed"),
    "Choice": (),
    "End": (),
    "Search": (),
    "Output": ("output", "separator", "as_json", "raw", "state_out", "interactive", "novelty"),
}
"""The headings of the help, with the options that are not settings."""
HOT = 2.0
"""Above this temperature a text is noise."""


def added_settings(everywhere: bool) -> Iterable[Field]:
    """The settings of the filters that a user has added."""
    from charrnn.sampling.filters import FILTERS, OWN

    filters = FILTERS.working(report_and_go_on) if everywhere else FILTERS.present
    return [each.setting for name, each in filters.items() if name not in OWN]


@register
@click.command(
    "sample",
    cls=SettingsCommand,
    groups=[SamplingConfig],
    added=added_settings,
    sections=SECTIONS,
)
@run_argument
@checkpoints_option
@which_option
@click.option(
    "-p",
    "--prompt",
    help="Text to continue (- reads it from standard input); a run trained backward writes"
    " what comes before it. \\n, \\t, \\0 and \\\\ are understood, as in --stop and --separator.",
)
@click.option(
    "--prompt-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Read the prompt from a file.",
)
@click.option("--echo/--no-echo", default=True, help="Write the prompt too.  [default: echo]")
@click.option(
    "--separator",
    metavar="TEXT",
    help="Text to write between texts.  [default: an empty line; with --lines 1 a line break; on a"
    " terminal a heading]",
)
@click.option(
    "-s",
    "--seed",
    cls=PlainOption,
    type=click.IntRange(0, SEEDS - 1),
    metavar="INTEGER",
    help="Random seed: the same seed gives the same text.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file, not to standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a line of JSON for each text.")
@click.option("--raw", is_flag=True, help="Write a byte-level model's bytes as they are.")
@click.option(
    "--state-out",
    type=click.Path(path_type=Path),
    help="Save the state at the end of the text; --state-in continues from there. What ended the"
    " text (as with --stop or --lines) counts as written.",
)
@click.option(
    "--state-in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Continue from a state that --state-out saved; a prompt is added to that text.",
)
@click.option(
    "--blend",
    multiple=True,
    metavar="RUN=WEIGHT",
    shell_complete=complete_runs,
    help="Mix the models of several runs: give it once for each run, and leave out RUN.",
)
@click.option("--interactive", is_flag=True, help="Write a text together with the model, in turns.")
@click.option("--novelty", is_flag=True, help="Report how much is copied from the training text.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="Backend: auto takes the one that will be faster.",
)
def sample_command(
    run: str | None,
    checkpoints: Path,
    which: str | None,
    prompt: str | None,
    prompt_file: Path | None,
    echo: bool,
    seed: int | None,
    output: Path | None,
    separator: str | None,
    as_json: bool,
    raw: bool,
    state_out: Path | None,
    state_in: Path | None,
    blend: tuple[str, ...],
    interactive: bool,
    novelty: bool,
    engine: str,
    **settings: object,
) -> None:
    """Write text with a run's model. RUN is a name or a path; without it, the newest run.

    The text goes to standard output, everything else to standard error.
    """
    from charrnn.sampling.filters import sampling_config
    from charrnn.sampling.track import repeats_itself

    chosen, options = given_options(settings), click.get_current_context().params
    if "stop" in chosen:
        chosen["stop"] = tuple(unescape(str(each)) for each in chosen["stop"])
    config = sampling_config(chosen)
    check_together(options, config)
    prompt = read_prompt(prompt, prompt_file)
    model = open_model(run, blend, checkpoints, which)
    if "\r" not in model.vocabulary.characters:
        prompt = prompt.replace("\r\n", "\n")
    for line in advice(config, model):
        click.echo(line, err=True)
    page = Page(output, raw)
    if interactive:
        check_standard_input("--interactive reads your turns from it")
        from charrnn.cli.interactive import interact

        interact(model, prompt, seed, page, engine=engine, **chosen)
        return
    writing = model.write(
        prompt, seed=seed, engine=engine, raw=raw, scored=as_json, state=state_in, **chosen
    )
    click.echo(f"{model.name}, --seed {writing.seed}", err=True)
    unknown = unknown_characters("".join([prompt, *config.stop, config.allow or ""]), model)
    if unknown:
        click.echo(unknown, err=True)
    shown = (model.vocabulary.from_user(prompt) if raw else prompt) if echo else ""
    with page, saved_state(model, writing, state_out):
        if model.backward or printed_whole(config, as_json, novelty):
            texts, incomplete, ends = model.finish(writing, prompt), [], []
            count = len(texts) if isinstance(texts, list) else config.count
            copied = (lambda text: model.novelty(text.text, prompt)) if novelty else None
            layout = Layout(as_json, *between(separator, config, page), model.backward)
            for text in print_texts(page, shown, texts, count, copied, layout):
                incomplete += [] if text.complete else [text.wanted]
                ends.append(text.text)
        else:
            ends = [print_stream(page, shown, writing)]
            incomplete = [] if writing.complete() else [writing.tracks[0].wanted]
    if incomplete:
        click.echo(unfinished("".join(incomplete)), err=True)
    if not config.no_repeat and any(map(repeats_itself, ends)):
        click.echo(
            "the text repeats itself; --no-repeat 8 or a higher --temperature helps", err=True
        )


def advice(config: SamplingConfig, model: "TextModel") -> Iterator[str]:
    """Messages on choices that lead nowhere."""
    hottest = max(config.temperatures)
    if hottest > HOT:
        yield f"--temperature {hottest:g} writes noise; 0.5 to 1.2 write best"
    if config.lines and "\n" not in model.vocabulary.characters:
        yield "the model knows no line breaks: --lines ends no text, --length does"


def unfinished(wanted: str) -> str:
    """The message on texts that do not match, some of which would need these characters."""
    from charrnn.sampling.rules import either

    if wanted:
        needed = either("".join(dict.fromkeys(wanted)))
        return f"--match: a text ends too early: next comes {needed}, which may not be written"
    return "--match: a text does not match yet: --length or a stop cut it off"


def between(separator: str | None, config: SamplingConfig, page: Page) -> tuple[str, bool]:
    """The separator of texts, and whether each has a heading instead."""
    if separator is not None:
        return page.in_its_characters(unescape(separator)), False
    return ("\n", False) if config.lines == 1 else ("\n\n", page.watched)


def check_together(options: Mapping[str, object], config: SamplingConfig) -> None:
    """A usage error for options that do not go together, from all of them by name."""
    as_json, raw, novelty = (bool(options[name]) for name in ("as_json", "raw", "novelty"))
    state_in, state_out = options["state_in"], options["state_out"]
    if options["interactive"]:
        alone = {"--json": as_json, "--raw": raw, "--novelty": novelty}
        alone |= {"--state-out": bool(state_out), "--state-in": bool(state_in)}
        many = config.chosen or config.count > 1
        refuse("--interactive", many, "--count, --best-of, --beam, --new")
        refuse("--interactive", any(alone.values()), ", ".join(alone))
    refuse("--json", as_json and options["separator"] is not None, "--separator")
    refuse("--raw", raw and (as_json or novelty), "--json and --novelty")
    without_end = config.endless and not config.ends
    whole = printed_whole(config, as_json, novelty)
    refuse("--length -1", without_end and whole, "--json, --novelty and --new")
    if isinstance(state_out, Path):
        check_state_out(state_out, config)
    paths = [path for path in (options["output"], state_out) if isinstance(path, Path)]
    for path in paths:
        check_output(path)
    same = len(paths) == 2 and len(set(map(resolve_links, paths))) == 1
    refuse("--output", same and not is_device(paths[0]), "--state-out to the same file")


def printed_whole(config: SamplingConfig, as_json: bool, novelty: bool) -> bool:
    """Whether a text is printed only when it is at its end."""
    return as_json or novelty or config.chosen or config.count > 1


def refuse(option: str, given_options: object, others: str) -> None:
    if given_options:
        raise click.UsageError(f"{option} does not go together with {others}")


def check_state_out(path: Path, config: SamplingConfig) -> None:
    """A usage error where no state can be kept."""
    refuse("--state-out", config.chosen, "--best-of, --beam and --new")
    refuse("--state-out", config.count > 1 and config.ends, "--count and an end before --length")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise click.UsageError(f"--state-out {path}: name a file in a folder that exists")


@contextmanager
def saved_state(model: "TextModel", writing: "Writing", path: Path | None) -> Iterator[None]:
    """Save the state at the end of the block, even after an error or Ctrl-C."""
    if path is not None:
        writing.at_once()
    try:
        yield
    finally:
        if path is not None:
            model.save_state(path, writing)


def open_model(
    run: str | None, blended: tuple[str, ...], checkpoints: Path, which: str | None
) -> "TextModel":
    """The run's model, or the blend of several."""
    from charrnn.models.language_model import blend, load

    if not blended:
        return load(run, which=which or WHICH, checkpoints=checkpoints)
    if run is not None:
        raise click.UsageError(f"--blend names all runs: --blend {run}=1 in place of {run}")
    weights: dict[str, float] = {}
    for name, weight in map(parse_weight, blended):
        if name in weights:
            raise click.UsageError(f"--blend names {name} twice; give it one weight")
        weights[name] = weight
    model = blend(weights, which=which or WHICH, checkpoints=checkpoints)
    if model.left_out:
        written, left_out = len(model.vocabulary.characters), len(model.left_out)
        click.echo(
            f"the blend writes the {written} characters that all of its models know; {left_out}"
            f" that only some know {'is' if left_out == 1 else 'are'} left out",
            err=True,
        )
    return model


def parse_weight(text: str) -> tuple[str, float]:
    """Run and weight of a --blend."""
    run, equals, weight = text.rpartition("=")
    try:
        if equals and not run:
            raise ValueError
        return run or weight, float(weight) if run else 1.0
    except ValueError:
        raise click.UsageError(f"--blend {text}: write it as RUN=WEIGHT, as in poems=0.5") from None
