"""What the page knows beforehand for looking inside the model."""

from inspect import cleandoc

from charrnn.cells import CELLS
from charrnn.errors import CorpusError, RunError
from charrnn.models.language_model import LanguageModel
from charrnn.models.units import FEATURES, SHORTEST, Following
from charrnn.network.recording import Recording

MEASURED = 20_000
"""Characters on which the page's maker finds out what the units follow."""
SHOWN = 3
"""Units that are listed for each feature."""


def look_inside(
    model: LanguageModel, recording: Recording, text: str | None = None
) -> dict[str, object]:
    """What the section "Look inside" needs beside the model itself.

    Args:
        model: The model in the page.
        recording: Its recorded step.
        text: A text to measure the units on where the run's own text is not there.

    Returns:
        `units`, the units worth looking at; `measured` and `length`, on which text ("validation",
        "text" or None) and how many of its characters; `features`, what they could follow;
        `gates`, the numbers of their values in the recording; `equations`, those of the cell.
        Nothing of the run's text is in it.
    """
    measured, sample = sample_of(model, text)
    units = model.units_worth_looking_at(sample, most=SHOWN)
    return {
        "units": [described(unit) for unit in units],
        "measured": measured,
        "length": len(sample),
        "features": list(FEATURES),
        "gates": [{**placed(name), "value": value} for name, value in recording["gates"].items()],
        "equations": equations(model.checkpoint.config.model.cell),
    }


def sample_of(model: LanguageModel, text: str | None) -> tuple[str | None, str]:
    """A text to measure on, and which it is: the run's validation part, else the text given."""
    for name, sample in (("validation", validation_text(model)), ("text", text or "")):
        if len(sample) >= SHORTEST:
            return name, sample[:MEASURED]
    return None, ""


def validation_text(model: LanguageModel) -> str:
    """The beginning of the run's validation part; empty where the run's text is not there."""
    try:
        ids = model.corpus().validation[:MEASURED]
    except (RunError, CorpusError):
        return ""
    text = model.vocabulary.decode(ids)
    if not model.vocabulary.byte_level:
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def described(unit: Following) -> dict[str, object]:
    """A unit as the page names it."""
    place = placed(unit.state)
    return {
        "state": f"{place['layer']}/{place['name']}",
        "layer": place["layer"],
        "unit": unit.unit,
        "feature": unit.feature,
        "strength": round(unit.correlation, 3),
    }


def placed(name: str) -> dict[str, object]:
    """Layer, from 1, and part from a name of `LanguageModel.states`: `layers.0.h`."""
    _, layer, part = name.split(".", 2)
    return {"layer": int(layer) + 1, "name": part}


def equations(cell: str) -> str:
    """The beginning of the cell's own words: its source and its equations."""
    return "\n\n".join(cleandoc(CELLS[cell].__doc__ or "").split("\n\n")[:2])
