"""Several trained models as one: `charrnn.blend({run: weight, …})`."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.language_model import LanguageModel, load
from charrnn.runs import DEFAULT_ROOT, WHICH
from charrnn.sampling.blending import BlendedEngine
from charrnn.sampling.engines import Engine
from charrnn.sampling.novelty import Novelty
from charrnn.text.sources import PathLike

if TYPE_CHECKING:
    from charrnn.evaluation import Score


class Blend(LanguageModel):
    """Several models with the same characters, their distributions mixed by weight."""

    def __init__(self, models: Sequence[LanguageModel], weights: Sequence[float]) -> None:
        first = models[0]
        super().__init__(first.checkpoint, first.path)
        for model in models[1:]:
            self._check_same(model)
        if not all(0 < weight < math.inf for weight in weights):
            raise ConfigError("--blend: weights must be above 0 and finite")
        largest = max(weights)
        self._models, self._weights = list(models), [weight / largest for weight in weights]

    def _check_same(self, model: LanguageModel) -> None:
        if model.backward != self.backward:
            raise ConfigError(f"--blend: {model.path} reads in the other direction")
        if model.vocabulary != self.vocabulary:
            only = set(model.vocabulary.characters) ^ set(self.vocabulary.characters)
            shown = " ".join(repr(character) for character in sorted(only)[:5]) or "bytes"
            raise ConfigError(
                f"--blend: {self.path} and {model.path} differ in {shown};"
                " models that are blended must know the same characters"
            )

    def evaluate(self, *files: PathLike, **options: Any) -> "Score":
        """Not to be had: a text is scored by one model."""
        raise ConfigError("a blend cannot be evaluated; evaluate its models one by one")

    def engine(self, name: str, config: SamplingConfig) -> Engine:
        engines = [model.engine(name, config) for model in self._models]
        return BlendedEngine(engines, self._weights)

    @property
    def name(self) -> str:
        """The runs' folders."""
        return " + ".join(model.name for model in self._models)

    def novelty(self, text: str) -> Novelty:
        """The most that is copied from the training text of any of the models."""
        found = [model.novelty(text) for model in self._models]
        return max(found, key=lambda each: (len(each.longest), each.copied_share))

    @property
    def identity(self) -> list[Any]:
        return [model.identity for model in self._models]


def blend(
    weights: Mapping[str, float],
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> Blend:
    """One model from several runs, with the weight of each."""
    models = [load(run, which=which, checkpoints=checkpoints) for run in weights]
    return Blend(models, list(weights.values()))
