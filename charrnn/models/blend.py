"""Several trained models as one: `charrnn.blend({run: weight, …})`."""

import math
from collections.abc import Mapping, Sequence

from charrnn.config import SamplingConfig
from charrnn.config.settings import checks_names
from charrnn.errors import ConfigError
from charrnn.models.language_model import LanguageModel, load
from charrnn.models.text_model import TextModel
from charrnn.runs.run import DEFAULT_ROOT, WHICH
from charrnn.sampling.engines import BlendedEngine, Engine
from charrnn.sampling.novelty import TrainingText
from charrnn.types import PathLike


class Blend(TextModel):
    """Several models with the same characters, their distributions mixed by weight.

    It writes and scores texts. Only its models one by one can be evaluated on a corpus.
    """

    def __init__(self, models: Sequence[LanguageModel], weights: Sequence[float]) -> None:
        for model in models[1:]:
            check_alike(models[0], model)
        if not all(0 < weight < math.inf for weight in weights):
            raise ConfigError("weights must be above 0 and finite", {"blend": None})
        largest = max(weights)
        self.vocabulary = models[0].vocabulary
        self._models, self._weights = list(models), [weight / largest for weight in weights]

    @property
    def name(self) -> str:
        return " + ".join(model.name for model in self._models)

    @property
    def backward(self) -> bool:
        return self._models[0].backward

    @property
    def identity(self) -> list[object]:
        """What identifies each of the models."""
        return [model.identity for model in self._models]

    def engine(self, name: str, config: SamplingConfig) -> Engine:
        engines = [model.engine(name, config) for model in self._models]
        return BlendedEngine(engines, self._weights)

    def training_texts(self) -> list[TrainingText]:
        return [text for model in self._models for text in model.training_texts()]

    def __repr__(self) -> str:
        weights = [round(weight, 3) for weight in self._weights]
        return f"Blend({self._models!r}, weights={weights!r})"


def check_alike(first: LanguageModel, model: LanguageModel) -> None:
    """Raise ConfigError where two models cannot be blended."""
    if model.backward != first.backward:
        raise ConfigError(f"{model.path} reads the text in the other direction", {"blend": None})
    if model.vocabulary != first.vocabulary:
        only = set(model.vocabulary.characters) ^ set(first.vocabulary.characters)
        shown = " ".join(repr(character) for character in sorted(only)[:5]) or "bytes"
        raise ConfigError(
            f"{first.path} and {model.path} differ in {shown}",
            {"blend": None},
            way_out="models that are blended must know the same characters",
        )


@checks_names
def blend(
    weights: Mapping[str, float],
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> Blend:
    """One model from several, whose probabilities are the weighted mean of theirs.

    Args:
        weights: The weight of each run, by its name or path.
        which: As in `charrnn.load`.
        checkpoints: As in `charrnn.load`.

    Returns:
        A model that writes and scores texts like a trained one.

    Raises:
        ConfigError: A weight is not positive, or the models know different characters.
        RunError: There is no such run.
    """
    models = [load(run, which=which, checkpoints=checkpoints) for run in weights]
    return Blend(models, list(weights.values()))
