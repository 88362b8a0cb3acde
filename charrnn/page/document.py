"""Putting a page together: one HTML file that needs nothing beside it."""

import json
import re
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TypedDict

import numpy as np

from charrnn import __version__
from charrnn.errors import ConfigError
from charrnn.models.language_model import LanguageModel
from charrnn.network.recording import Recording, record
from charrnn.page.look import look_inside
from charrnn.page.run_tab import describe_runs
from charrnn.runs.summary import summarize
from charrnn.sampling.engines import damaged


class Contents(TypedDict):
    """`charrnn.data` in the page."""

    name: str
    vocabulary: dict[str, object]
    backward: bool
    recording: Recording
    precision: int
    """Bits of each weight."""
    text: str | None
    """A text to look into."""
    look: dict[str, object] | None
    runs: list[dict[str, object]]


def collect(
    model: LanguageModel, name: str, text: str | None, precision: int, others: Sequence[Path]
) -> Contents:
    """Put together what a page knows.

    Args:
        model: The model that writes.
        name: What the page is called.
        text: A text to look into, or None.
        precision: Bits of each weight.
        others: Checkpoints of other runs, which are compared with that of the model.

    Raises:
        ConfigError: The model's cell cannot be recorded.
    """
    recording = record(model.checkpoint.config.model, model.vocabulary.size)
    return {
        "name": name,
        "vocabulary": model.vocabulary.to_json(),
        "backward": model.backward,
        "recording": recording,
        "precision": precision,
        "text": text,
        "look": look_inside(model, recording, text),
        "runs": describe_runs([model.path, *others]),
    }


PRECISIONS = (16, 32)
"""Bits of a weight: half precision, which halves the file, or single, as models are trained."""


def pack(weights: Mapping[str, np.ndarray], names: Collection[str], precision: int) -> str:
    """The weights one after the other, little-endian, in base64.

    Args:
        weights: Every weight by name.
        names: The order.
        precision: Bits of a number, one of `PRECISIONS`.

    Raises:
        ConfigError: There is no such precision, or a weight is too large for it.
        CheckpointError: A weight is no finite number.
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


SCRIPTS = (
    "start",
    "tensors",
    "noise",
    "filters",
    "vocabulary",
    "arrays",
    "operations",
    "network",
    "writer",
    "sheet",
    "choices",
    "write",
    "charts",
    "words",
    "reading",
    "similar",
    "characters",
    "views",
    "units",
    "card",
    "look",
    "run",
    "main",
)
"""The files of `js/` in the order in which they run."""
STYLES = ("page", "look", "run")
"""The style sheets, in their order."""
LEFT_OPEN = re.compile("[<\ud800-\udfff]")
"""What may not stand in a script element as it is: the start of a tag, and half a character."""
COMMENT = re.compile(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*$", re.MULTILINE | re.DOTALL)
"""A comment of JavaScript or CSS that has its lines for itself."""
CODE = set("{}()_=;")
"""Where all of these occur, the text is taken for code, and shown in letters of equal width."""
TEMPERATURE, LENGTH = 0.8, 1000
"""What the page writes with when it is opened."""


def build_page(
    model: LanguageModel,
    name: str | None = None,
    *,
    text: str | None = None,
    precision: int = 16,
    others: Sequence[Path] = (),
) -> bytes:
    """A page with the model inside.

    Args:
        model: The model that writes in it.
        name: What the page is called; by default like the run.
        text: A text to look into.
        precision: Bits of each weight: 16, or 32 for exactly the text that charrnn writes.
        others: Checkpoints of other runs to compare with the model's.

    Returns:
        The file, UTF-8.

    Raises:
        ConfigError: The cell cannot be recorded, or a weight does not fit the precision.
    """
    title = name or model.path.absolute().parent.name
    contents = collect(model, title, text, precision, others)
    weights = pack(model.checkpoint.weights, contents["recording"]["weights"], precision)
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
        fixed=" checked" if CODE.issubset(model.vocabulary.characters) else "",
        style=style,
        script=script,
        data=as_json(contents),
        weights=weights,
    )
    return page.encode("utf-8", "replace")  # a name may have bytes that are not UTF-8


def read(name: str) -> str:
    return files("charrnn.page").joinpath(name).read_text(encoding="utf-8")


def compact(source: str) -> str:
    """A script or style without indentation and without the comments that stand on lines alone.

    They are for the readers of the sources, and a quarter of them. No text in the sources goes over
    several lines.
    """
    lines = (line.strip() for line in COMMENT.sub("", source).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def policy(style: str, script: str) -> str:
    """The content security policy: these two run, nothing else, and nothing is fetched or sent."""
    return (
        f"default-src 'none'; script-src {fingerprint(script)}; style-src {fingerprint(style)};"
        " base-uri 'none'; form-action 'none'"
    )


def fingerprint(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


def as_json(data: object) -> str:
    """Plain data as JSON that may stand in a script element, whatever texts are in it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return LEFT_OPEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def about(model: LanguageModel) -> str:
    """What the model is, for somebody who has never heard of such a thing."""
    return (
        f"A small neural network has learnt {learnt(model.path)} one character at a time, and"
        " writes more of the kind. It is inside this page and runs on your device: nothing is sent"
        " anywhere."
    )


def learnt(checkpoint: Path) -> str:
    """The text that a model has learnt, as far as its run's folder tells."""
    summary = summarize(checkpoint)
    names = [Path(source).name for source in summary.corpus]
    if not names:
        return "a text"
    more = f" and {len(names) - 1:,} more files" if len(names) > 1 else ""
    return f"{names[0]}{more} ({summary.characters:,} characters)"


def footer(model: LanguageModel, precision: int) -> str:
    """What the network is, how exact the page is, and what made it."""
    config = model.checkpoint.config.model
    units = " + ".join(map(str, config.layer_units))
    network = f"{config.cell}, {units} units, {model.checkpoint.parameters:,} weights"
    exactness = {
        16: "rounded to 16 bits: now and then a letter differs from what charrnn sample writes with"
        " the same seed",
        32: "of 32 bits: the same seed and choices give the same text as charrnn sample",
    }
    return f"{network} {exactness[precision]}. Made by charrnn {__version__}."
