"""`build_page`: one HTML file with a model inside, which needs nothing beside it."""

import json
import re
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from charrnn import __version__
from charrnn.errors import ConfigError
from charrnn.models.language_model import LanguageModel
from charrnn.models.units import Watch
from charrnn.network.recording import record
from charrnn.page.look import look_inside
from charrnn.page.run_tab import describe_runs
from charrnn.runs.summary import summarize
from charrnn.sampling.engines import damaged

PRECISIONS = (16, 32)
"""Bits of a weight: half precision, which halves the file, or single, as models are trained."""
SCRIPTS = (
    *("start", "tensors", "noise", "filters", "vocabulary", "arrays", "operations", "network"),
    *("writer", "sheet", "choices", "write", "charts", "words", "reading", "similar"),
    *("characters", "views", "units", "card", "look", "run", "main"),
)
"""The files of `js/` in the order in which they run."""
STYLES = ("page", "look", "run")
"""The style sheets, in their order."""
LEFT_OPEN = re.compile("[<\ud800-\udfff]")
"""What a script element must not contain: the start of a tag, and half a surrogate pair."""
COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*$", re.MULTILINE | re.DOTALL)
"""A comment of JavaScript or CSS on lines of its own."""
WEIGHTS = '<script type="text/plain" class="weights">{}</script>'
TEMPERATURE, LENGTH = 0.8, 1000
"""The page's settings when it is opened."""


def pack(weights: Mapping[str, np.ndarray], names: Collection[str], precision: int) -> str:
    """Return the weights one after the other, little-endian, in base64.

    Args:
        weights: Every weight by name.
        names: The order.
        precision: Bits of a number, one of `PRECISIONS`.

    Raises:
        ConfigError: There is no such precision, or a weight is too large for it.
        CheckpointError: A weight is not finite.
    """
    if precision not in PRECISIONS:
        raise ConfigError("must be 16 or 32", {"precision": precision})
    if not all(np.isfinite(weights[name]).all() for name in names):
        raise damaged()
    with np.errstate(over="ignore"):  # refused below
        numbers = [weights[name].astype(f"<f{precision // 8}").ravel() for name in names]
    if not all(np.isfinite(each).all() for each in numbers):
        why = "a weight of this model is too large for 16 bits"
        raise ConfigError(why, {"precision": precision}, way_out="give `precision 32`")
    return b64encode(np.concatenate(numbers).tobytes()).decode("ascii")


def build_page(
    model: LanguageModel,
    name: str | None = None,
    *,
    text: str | None = None,
    precision: int = 16,
    others: Sequence[LanguageModel] = (),
    measured: bool = True,
    watch: Watch = iter,
) -> bytes:
    """Return a page with the model inside.

    Args:
        model: The model that writes in it first.
        name: The page's title; by default the names of all runs.
        text: A text to look into.
        precision: Bits of each weight: 16, or 32 for exactly the text that charrnn writes.
        others: Models of other runs, which can write in its place and are compared with it.
        measured: Whether to find the units that follow something in the run's text.
        watch: Passes on the numbers of time steps for that, as tqdm does to show progress.

    Returns:
        The file, UTF-8.

    Raises:
        ConfigError: The cell cannot be recorded, or a weight does not fit the precision.
    """
    models = [model, *others]
    runs = describe_runs([each.path for each in models])
    title = name or ", ".join(str(run["name"]) for run in runs)
    recordings = [record(each.checkpoint.config.model, each.vocabulary.size) for each in models]
    contents = {  # `charrnn.data` in the page
        "name": title,
        "precision": precision,
        "text": text,
        "runs": runs,
        "models": [
            {
                "vocabulary": each.vocabulary.to_json(),
                "backward": each.backward,
                "recording": recording,
                "look": look_inside(each, recording, text, measured=measured, watch=watch),
                "about": about(each),
                "footer": footer(each, precision),
            }
            for each, recording in zip(models, recordings, strict=True)
        ],
    }
    weights = [
        pack(each.checkpoint.weights, recording["weights"], precision)
        for each, recording in zip(models, recordings, strict=True)
    ]
    style = "".join(compact(read(f"{each}.css")) for each in STYLES)
    script = "".join(compact(read(f"js/{each}.js")) for each in SCRIPTS)
    page = Template(read("page.html")).substitute(
        policy=escape(policy(style, script)),
        version=__version__,
        title=escape(title),
        about=escape(about(model)),
        footer=escape(footer(model, precision)),
        temperature=TEMPERATURE,
        length=LENGTH,
        style=style,
        script=script,
        data=as_json(contents),
        weights="\n".join(map(WEIGHTS.format, weights)),
    )
    return page.encode("utf-8", "replace")  # a name may have bytes that are not UTF-8


def read(name: str) -> str:
    return files("charrnn.page").joinpath(name).read_text(encoding="utf-8")


def compact(source: str) -> str:
    """Strip indentation and comments on lines of their own, a quarter of a script or style.

    No string in the sources goes over several lines.
    """
    lines = (line.strip() for line in COMMENT.sub("", source).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def policy(style: str, script: str) -> str:
    """Return the content security policy: these two run, nothing else is fetched or sent."""
    style_hash, script_hash = (
        f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in (style, script)
    )
    return (
        f"default-src 'none'; script-src {script_hash}; style-src {style_hash};"
        " base-uri 'none'; form-action 'none'"
    )


def as_json(data: object) -> str:
    """Return JSON that is safe in a script element, whatever texts are in it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return LEFT_OPEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def about(model: LanguageModel) -> str:
    """Say what the model is, for somebody who has never heard of such a thing."""
    summary = summarize(model.path)
    names = [Path(source).name for source in summary.corpus]
    text = "a text"
    if names:
        more = f" and {len(names) - 1:,} more files" if len(names) > 1 else ""
        text = f"{names[0]}{more} ({summary.characters:,} characters)"
    return (
        f"A small neural network has learnt {text} one character at a time, and"
        " writes more of the kind. It is inside this page and runs on your device: nothing is sent"
        " anywhere."
    )


def footer(model: LanguageModel, precision: int) -> str:
    """Say what the network is, how exact the page is, and what made it."""
    config = model.checkpoint.config.model
    units = " + ".join(map(str, config.layer_units))
    network = f"{config.cell}, {units} units, {model.checkpoint.parameters:,} weights"
    exactness = {
        16: "rounded to 16 bits: now and then a letter differs from what charrnn sample writes with"
        " the same seed",
        32: "of 32 bits: the same seed and choices give the same text as charrnn sample",
    }
    return f"{network} {exactness[precision]}. Made by charrnn {__version__}."
