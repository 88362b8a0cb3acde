"""What the page knows beforehand for looking inside the model."""

from charrnn.language_model import LanguageModel


def look_inside(model: LanguageModel) -> dict[str, object] | None:
    """What the section "Look inside" needs beside the model itself; None leaves it out."""
    return None
