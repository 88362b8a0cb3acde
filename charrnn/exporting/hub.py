"""A folder ready for upload to a hub of models: the weights, what they are, and a model card.

`model.safetensors` is a checkpoint like any other, without an optimizer, so that charrnn writes
with whoever has the folder. The text that was learnt is not in it.
"""

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files

from charrnn import __version__
from charrnn.cells import CELLS
from charrnn.config import ModelConfig
from charrnn.config.settings import format_setting
from charrnn.exporting.exporting import facts, register
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import add_prefix
from charrnn.runs.checkpoints import Checkpoint, pack
from charrnn.runs.outputs import size_in_words
from charrnn.runs.progress import Progress
from charrnn.runs.run import CARD, CONFIG, MODEL
from charrnn.runs.summary import Summary, summarize

SEED, TEMPERATURE, LENGTH = 1, 0.8, 500
"""Of the sample, which the command in the card writes again."""
OPTIONS = ("layer_norm", "residual", "skip_connections", "tie_embeddings")

TEMPLATE = "card.md"
"""The card with places for what differs, beside this file."""


def card(model: LanguageModel, summary: Summary, size: int) -> str:
    """The card of a model.

    Args:
        model: The model, which writes the sample.
        summary: What is known of its run.
        size: Bytes of the file with the weights.
    """
    written = model.generate(seed=SEED, temperature=TEMPERATURE, length=LENGTH, engine="numpy")
    rows = figures(model, summary, size)
    template = files("charrnn.exporting").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return template.format(
        cell=json.dumps(summary.cell),
        name=escaped(model.path.resolve().parent.name),
        version=__version__,
        trainer=trainer(summary),
        seed=SEED,
        temperature=TEMPERATURE,
        length=LENGTH,
        sample=fenced(written),
        remarks="".join(f"\n{each}\n" for each in remarks(model)),
        figures="\n".join(f"| {name} | {value} |" for name, value in rows),
    )


def figures(model: LanguageModel, summary: Summary, size: int) -> Iterator[tuple[str, str]]:
    """The rows of the table of figures: names and values."""
    config, progress = model.checkpoint.config, summary.progress
    yield "network", network(config.model)
    yield "parameters", f"{summary.parameters:,}"
    yield "size", size_in_words(size)
    yield "characters known", f"{len(model.vocabulary.characters):,}"
    if summary.text_name is not None:
        yield "text learnt", f"{escaped(summary.text_name)}, {summary.characters:,} characters"
    if summary.origin is not None:
        yield "came from", f"{escaped(summary.origin.file)}, SHA-256 {summary.origin.sha256}"
        return
    yield "loss on the text kept for validation", loss(progress)
    yield "passes over the training text", f"{progress.epoch:.1f} ({progress.step:,} steps)"
    yield "time", f"{progress.elapsed_seconds:,.0f} s"


def trainer(summary: Summary) -> str:
    if summary.origin is None:
        return f"charrnn {__version__}"
    return f"{escaped(summary.origin.tool)} and imported by charrnn {__version__}"


def network(config: ModelConfig) -> str:
    units = "×".join(map(str, config.layer_units[:1]))
    sizes = (
        f"{config.layers}×{units}"
        if isinstance(config.units, int)
        else format_setting(config.units)
    )
    reads = f"embeddings of {config.embedding}" if config.embedding else "one-hot"
    options = [name.replace("_", " ") for name in OPTIONS if getattr(config, name)]
    return ", ".join([f"{escaped(config.cell)} {sizes} units", reads, *options])


def loss(progress: Progress) -> str:
    """The lowest validation loss in nats and bits, and where it is another step's, at which."""
    nats = progress.best_loss_nats
    if nats is None:
        return "not measured"
    later = "" if progress.best_step == progress.step else f", at step {progress.best_step:,}"
    return f"{nats:.3f} nats = {nats / math.log(2):.2f} bits per character{later}"


def remarks(model: LanguageModel) -> Iterator[str]:
    """What somebody has to know who was handed the model."""
    if model.backward:
        yield "The network reads from the end: it writes what comes before a prompt."
    if model.vocabulary.byte_level:
        yield "Its characters are the bytes of UTF-8."
    cell = model.checkpoint.config.model.cell
    if CELLS[cell].__module__.split(".")[0] != "charrnn":
        yield f"Its cell {escaped(cell)} is not charrnn's own: the package that has it is needed."


def fenced(text: str) -> str:
    """A text as Markdown shows it unchanged; what has no sign is shown as U+FFFD."""
    plain = "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)
    fence = "`" * (1 + max([2, *map(len, re.findall("`+", plain))]))
    return f"{fence}text\n{plain}\n{fence}"


def escaped(text: str) -> str:
    """A name in one line, in which Markdown and HTML mean nothing."""
    plain = "".join(each if each.isprintable() else "\ufffd" for each in text)
    return re.sub(r"([\\`*_{}\[\]<>#|&~$])", r"\\\1", plain)


@register(
    "hub",
    "a folder for upload: weights, settings and a model card; charrnn reads it as it is",
    usage=lambda path: f"charrnn sample {shlex.quote(str(path))}",
)
def to_hub(model: LanguageModel) -> Mapping[str, bytes]:
    """The folder's files."""
    checkpoint, weights = model.checkpoint, pack(handed_on(model.checkpoint))
    settings = {
        "model_type": "charrnn",
        "architectures": [checkpoint.config.model.cell],
        "parameters": checkpoint.parameters,
        **facts(model),
        "training": checkpoint.config.to_json(),
    }
    return {
        MODEL: weights,
        CONFIG: f"{json.dumps(settings, indent=2)}\n".encode(),
        CARD: card(model, summarize(model.path), len(weights)).encode("utf-8", "replace"),
    }


def handed_on(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint for others: without the optimizer, and without the name of the machine."""
    return replace(
        checkpoint,
        progress=replace(checkpoint.progress, machine=""),
        tensors=add_prefix("weights", checkpoint.weights),
    )
