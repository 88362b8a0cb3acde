"""`look_inside`: what a page has for looking inside its model."""

from inspect import cleandoc

from charrnn.cells import CELLS
from charrnn.errors import CorpusError, RunError
from charrnn.models.language_model import LanguageModel
from charrnn.models.units import FEATURES, SHORTEST, Watch
from charrnn.network.recording import Recording

MEASURED = 20_000
"""Characters on which the units' correlations are measured."""
SHOWN = 3
"""Units that are listed for each feature."""


def look_inside(
    model: LanguageModel,
    recording: Recording,
    text: str | None = None,
    *,
    measured: bool = True,
    watch: Watch = iter,
) -> dict[str, object]:
    """Return what the section "Look inside" needs beside the model itself.

    Args:
        model: The model in the page.
        recording: Its recorded step.
        text: A text to measure the units on where the run's own text is missing.
        measured: Whether to measure the units at all.
        watch: Passes on the numbers of the time steps for it.

    Returns:
        `units`, the units worth looking at; `measured` and `length`, on which text ("validation",
        "text" or None) and how many of its characters; `features`, what they could follow;
        `gates`, the numbers of their values in the recording; `equations`, those of the cell.
        Nothing of the run's text is in it.
    """
    source, sample = None, ""
    texts = {"validation": validation_text(model), "text": text or ""} if measured else {}
    for name, each in texts.items():
        if len(each) >= SHORTEST:
            source, sample = name, each[:MEASURED]
            break
    units = []
    for unit in model.units_worth_looking_at(sample, most=SHOWN, watch=watch):
        part = layer_and_name(unit.state)
        units.append(
            {
                "state": f"{part['layer']}/{part['name']}",
                "layer": part["layer"],
                "unit": unit.unit,
                "feature": unit.feature,
                "strength": round(unit.correlation, 3),
            }
        )
    gates = recording["gates"].items()
    cell = CELLS[model.checkpoint.config.model.cell]
    return {
        "units": units,
        "measured": source,
        "length": len(sample),
        "features": list(FEATURES),
        "gates": [{**layer_and_name(name), "value": value} for name, value in gates],
        # The beginning of the cell's docstring: its source and its equations.
        "equations": "\n\n".join(cleandoc(cell.__doc__ or "").split("\n\n")[:2]),
    }


def validation_text(model: LanguageModel) -> str:
    """Return the beginning of the run's validation part; "" where the run's text is missing."""
    try:
        ids = model.corpus().validation[:MEASURED]
    except (RunError, CorpusError):
        return ""
    text = model.vocabulary.decode(ids)
    if not model.vocabulary.byte_level:
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def layer_and_name(state: str) -> dict[str, object]:
    """Return layer, from 1, and part from a name of `LanguageModel.states`: `layers.1.h`."""
    _, layer, part = state.split(".", 2)
    return {"layer": int(layer), "name": part}
