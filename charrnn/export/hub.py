"""A folder ready for upload to a hub of models: the weights, what they are, and a model card.

`model.safetensors` is a checkpoint like any other, without an optimizer, so that charrnn writes
with whoever has the folder. The text that was learnt is not in it.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace

from charrnn.export.card import card
from charrnn.export.formats import facts, register
from charrnn.models.language_model import LanguageModel
from charrnn.network.weights import prefixed
from charrnn.runs.checkpoints import Checkpoint, packed
from charrnn.runs.run import CARD, CONFIG, MODEL
from charrnn.runs.summary import summarize


@register(
    "hub",
    "a folder for upload: weights, settings and a model card; charrnn reads it as it is",
    usage=lambda path: f"charrnn sample {shlex.quote(str(path))}",
)
def to_hub(model: LanguageModel) -> Mapping[str, bytes]:
    """The folder's files."""
    checkpoint, weights = model.checkpoint, packed(handed_on(model.checkpoint))
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
        tensors=prefixed("weights", checkpoint.weights),
    )
