"""A trained model, as `charrnn.load` returns it, and blends of several."""

import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.config.settings import checks_names, document_settings
from charrnn.errors import ConfigError, CorpusError, RunError
from charrnn.files import name_place
from charrnn.models.text_model import TextModel, refuse_other_than_text
from charrnn.models.units import (
    SHORTEST,
    Following,
    Watch,
    features_in_reading_order,
    find_units,
    read_states,
)
from charrnn.network.instant import activity
from charrnn.network.weights import state_names, state_widths
from charrnn.runs.checkpoints import Checkpoint, open_weights
from charrnn.runs.run import DEFAULT_ROOT, WHICH, find_checkpoint
from charrnn.sampling.engines import BlendedEngine, Engine, SharedEngine, damaged, make_engine
from charrnn.sampling.search import TrainingText
from charrnn.sampling.writing import first_ids
from charrnn.text.batches import in_direction
from charrnn.text.corpus import INFO_FILE, Corpus, Part, encode_corpus, open_corpus
from charrnn.text.sources import BINARY, select
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import PathLike, Tensors

if TYPE_CHECKING:
    import keras

    from charrnn.tf.evaluation import DynamicEvaluator, Evaluator, Measured
    from charrnn.types import Score

    T = TypeVar("T", Evaluator, DynamicEvaluator)

PARTS = ("train", "validation", "test")
"""Of a run's text."""


class LanguageModel(TextModel):
    """A checkpoint's model. Only `network`, its engine and `evaluate` import TensorFlow.

    `path` is the checkpoint's file. The training text lies beside it in the run's folder.
    """

    def __init__(self, checkpoint: Checkpoint, path: Path) -> None:
        self.checkpoint, self.path = checkpoint, path
        self.vocabulary = checkpoint.vocabulary

    @property
    def name(self) -> str:
        return str(self.path.parent)

    @cached_property
    def network(self) -> "keras.Model":
        """The Keras model: `logits, state = network((ids, state, seed))`, any batch size."""
        from charrnn.tf.network import build_network

        config = self.checkpoint.config.model
        return build_network(config, self.vocabulary.size, self.checkpoint.weights)

    @property
    def backward(self) -> bool:
        return self.checkpoint.config.model.direction == "backward"

    @property
    def identity(self) -> list[object]:
        """The settings of the network, its characters and the checksum of its weights."""
        model = asdict(self.checkpoint.config.model)
        return [model, self.vocabulary.to_json(), self.checkpoint.checksum]

    def engine(self, name: str, config: SamplingConfig) -> Engine:
        return make_engine(self.checkpoint, name, config.count * config.best_of, config.length)

    def training_texts(self) -> list[TrainingText]:
        return [self._training_text]

    @cached_property
    def _training_text(self) -> TrainingText:
        return TrainingText(self.corpus(), self.path.parent)

    def states(self, text: str) -> Tensors:
        """Return the hidden states and gates of each layer after each character of a text.

        Args:
            text: N characters, at byte level N bytes. As in `score`, they follow a line's end, and
                a backward model reads them from the last to the first.

        Returns:
            Arrays float32 [N, U] by name: the parts of a layer's state, as in `layers.1.h` and
            `layers.1.c`, and its gates, as in `layers.1.i`. The letters are those of the cell's
            equations; gates without a name are `gate_0`, `gate_1`, … Layer 0 has the weights
            `recurrent_1/…`.

        Raises:
            ConfigError: The text is not a `str`.
        """
        refuse_other_than_text(text=text)
        ids = first_ids(self.vocabulary, text, self.backward)
        seen = activity(self.checkpoint.config.model, self.checkpoint.weights, ids)
        order = "backward" if self.backward else "forward"
        return {name: in_direction(values[1:], order) for name, values in seen.items()}

    def units_worth_looking_at(
        self, text: str, most: int = 5, watch: Watch = iter
    ) -> list[Following]:
        """Return the interpretable units: those that follow a visible feature, strongest first.

        `charrnn.models.units` has the features: inside quotes or brackets, the position in the
        line, and more. A unit is named if its correlation is at least 0.4 in both halves of the
        text and stronger than chance.

        Args:
            text: What the network reads, as in `states`; 20,000 characters suffice.
            most: How many units to name for each feature.
            watch: Passes on the numbers of time steps, as tqdm does to show progress.

        Returns:
            The units; none for a text of less than 1,000 characters.

        Raises:
            ConfigError: The text is not a `str`.
        """
        refuse_other_than_text(text=text)
        if len(text) < SHORTEST:
            return []
        config = self.checkpoint.config.model
        parts = (name.split("/") for name in state_names(config))
        names = [f"layers.{layer}.{part}" for layer, part in parts]
        widths = dict(zip(names, state_widths(config), strict=True))
        ids = first_ids(self.vocabulary, text, self.backward)
        states = read_states(self.engine("numpy", SamplingConfig()), ids, watch)
        features = features_in_reading_order(self.vocabulary, text, self.backward)
        return find_units(states, widths, features, most)

    def __repr__(self) -> str:
        config, progress = self.checkpoint.config.model, self.checkpoint.progress
        best = progress.best_loss_nats
        facts = {
            "cell": config.cell,
            "layers": config.layers,
            "units": config.units,
            "vocabulary": self.vocabulary.size,
            "step": progress.step,
            "best_bits_per_char": None if best is None else round(best / math.log(2), 3),
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in facts.items())
        return f"LanguageModel({str(self.path)!r}, {shown})"

    @checks_names
    def evaluate(
        self,
        *files: PathLike,
        part: str = "validation",
        encoding: str | None = None,
        cold: int | None = None,
        dynamic: bool = False,
    ) -> "Score":
        """Score the files, or a part of the model's own text; see `charrnn.evaluate`."""
        if dynamic and cold is not None:
            why = "a network that learns on the way does not read random windows"
            raise ConfigError(why, {"dynamic": True, "cold": cold}, way_out="choose one of them")
        if part not in PARTS:
            raise ConfigError(f"must be one of {', '.join(PARTS)}", {"part": part})
        if not files:
            known = self.corpus().part(part, self.checkpoint.config.model.direction)
            return self._score(known, part, cold, dynamic)
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
            config = self.checkpoint.config.text
            config = replace(config, encoding=encoding or config.encoding, skip_undecodable=False)
            config = replace(config, val_fraction=0.0, test_fraction=0.0)  # all in one part
            selection = select(files, config)
            for name in selection.skipped.get(BINARY, ()):
                raise CorpusError(
                    "looks like a binary file", where=name, way_out="name the text files"
                )
            with name_place(folder):
                corpus = encode_corpus(selection.sources, config, Path(folder), self.vocabulary)
            text = corpus.part("train", self.checkpoint.config.model.direction)
            return self._score(text, None, cold, dynamic)

    def corpus(self) -> Corpus:
        """Return the run's text; RunError where it is not beside the checkpoint."""
        folder = self.path.parent
        if not (folder / INFO_FILE).exists():
            raise RunError(
                "the text of its run is not in the same folder",
                where=self.path,
                way_out="name a run, or a file to evaluate",
            )
        return open_corpus(folder)

    def _with_weights(self, shared: "Callable[..., T]") -> "T":
        """An evaluator that all models of this shape share, with this model's weights."""
        from charrnn.tf.network import set_weights

        evaluator = shared(self.checkpoint.config.model, self.vocabulary.size)
        set_weights(evaluator.model, self.checkpoint.weights)
        return evaluator

    @cached_property
    def _measured(self) -> "Measured":
        from charrnn.tf.evaluation import shared_dynamic_evaluator

        trained_on = self.corpus().part("train", self.checkpoint.config.model.direction).ids
        return self._with_weights(shared_dynamic_evaluator).measure(trained_on)

    def _score(self, text: Part, part: str | None, cold: int | None, dynamic: bool) -> "Score":
        ids, edges = text
        if len(ids) < 2:
            raise RunError(
                f"the run has no {part} part", where=self.path, way_out="name a file to evaluate"
            )
        from charrnn.tf.evaluation import shared_dynamic_evaluator, shared_evaluator

        unknown = self.vocabulary.unknown
        if dynamic:
            measured = self._measured
            score = self._with_weights(shared_dynamic_evaluator).score(ids, measured, unknown)
        elif cold is None:
            score = self._with_weights(shared_evaluator).score(ids, edges, unknown)
        elif isinstance(cold, bool) or not isinstance(cold, (int, np.integer)):
            raise ConfigError("must be a whole number of characters", {"cold": cold})
        elif not 0 < cold < len(ids):
            why = f"the text has {len(ids):,} characters, and a window is at least 1 and shorter"
            raise ConfigError(why, {"window": cold})
        else:
            score = self._with_weights(shared_evaluator).score_cold(ids, cold, unknown)
        if not math.isfinite(score.nats_per_char):
            raise damaged()
        return score


@checks_names
def load(
    run: PathLike | None = None,
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> LanguageModel:
    """Return the trained model of a run, without importing TensorFlow.

    Args:
        run: The run's name below `checkpoints`, the path of its folder or of a checkpoint
            file; by default the newest run.
        which: "best" (lowest validation loss) or "last"; of several the first that exists.
        checkpoints: The folder of the runs.

    Raises:
        RunError: There is no such run.
        CheckpointError: The file is damaged, or of a newer format.
        ConfigError: `run` is neither a name nor a path.
    """
    if run is not None and not isinstance(run, (str, os.PathLike)):
        raise ConfigError("must be a name or a path", {"run": run})
    path = find_checkpoint(run, Path(checkpoints), which)
    return LanguageModel(open_weights(path), path)


@overload
def generate(
    run: PathLike | None = None,
    prompt: str = "",
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
    count: None = None,
    **settings: Any,
) -> str: ...


@overload
def generate(
    run: PathLike | None = None,
    prompt: str = "",
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
    count: int,
    **settings: Any,
) -> list[str]: ...


@document_settings(SamplingConfig, like=TextModel.write)
def generate(
    run: PathLike | None = None,
    prompt: str = "",
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
    count: int | None = None,
    **settings: Any,
) -> str | list[str]:
    """Return a text by a run's model, or a list of `count` texts.

    `run`, `which` and `checkpoints` are those of `load`, the others those of `LanguageModel.write`.
    """
    model = load(run, which=which, checkpoints=checkpoints)
    return model.generate(prompt, count=count, **settings)


@checks_names
def evaluate(
    run: PathLike | None = None,
    *files: PathLike,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
    part: str = "validation",
    encoding: str | None = None,
    cold: int | None = None,
    dynamic: bool = False,
) -> "Score":
    """Return how well a run's model predicts a text.

    Args:
        run: As in `load`.
        files: Text to score; by default a part of the run's own text.
        which: As in `load`.
        checkpoints: As in `load`.
        part: Without files, the part to score: train, validation or test.
        encoding: The files' encoding; by default the training text's.
        cold: Score random windows of this length, each from the zero state, as nanoGPT does with
            256; by default the whole text, with its state carried on.
        dynamic: Let the weights learn from the text while it is scored (`charrnn.tf.evaluation`);
            the model itself does not change. The run's own text must be there.

    Returns:
        The mean loss in nats and bits per character, and the perplexity.

    Raises:
        RunError: There is no such run, or it has no validation part.
        CorpusError: A file cannot be read.
    """
    model = load(run, which=which, checkpoints=checkpoints)
    return model.evaluate(*files, part=part, encoding=encoding, cold=cold, dynamic=dynamic)


class Blend(TextModel):
    """Several models, their distributions over the characters that all know mixed by weight.

    It writes and scores texts; `evaluate` is for its models one by one.
    """

    left_out: str
    """The characters that only some of the models know, which are never written."""

    def __init__(self, models: Sequence[LanguageModel], weights: Sequence[float]) -> None:
        first = models[0]
        for model in models[1:]:
            if model.backward != first.backward:
                why = f"{model.path} reads the text in the other direction"
                raise ConfigError(why, {"blend": None})
            if model.vocabulary.byte_level != first.vocabulary.byte_level:
                why = f"of {first.path} and {model.path}, one writes bytes and one characters"
                raise ConfigError(why, {"blend": None})
        known = [set(model.vocabulary.characters) for model in models]
        shared = set.intersection(*known)
        if not shared:
            raise ConfigError("there is no character that all of them know", {"blend": None})
        if not all(0 < weight < math.inf for weight in weights):
            raise ConfigError("weights must be above 0 and finite", {"blend": None})
        largest = max(weights)
        self.vocabulary = Vocabulary.of(shared, first.vocabulary.byte_level)
        self.left_out = "".join(sorted(set.union(*known) - shared))
        self._models, self._weights = list(models), [weight / largest for weight in weights]

    @property
    def name(self) -> str:
        return " + ".join(model.name for model in self._models)

    @property
    def backward(self) -> bool:
        return self._models[0].backward

    @property
    def identity(self) -> list[object]:
        return [model.identity for model in self._models]

    def engine(self, name: str, config: SamplingConfig) -> Engine:
        engines = [
            SharedEngine.of(model.engine(name, config), model.vocabulary, self.vocabulary)
            for model in self._models
        ]
        return BlendedEngine(engines, self._weights)

    def training_texts(self) -> list[TrainingText]:
        return [text for model in self._models for text in model.training_texts()]

    def __repr__(self) -> str:
        weights = [round(weight, 3) for weight in self._weights]
        return f"Blend({self._models!r}, weights={weights!r})"


@checks_names
def blend(
    weights: Mapping[str, float],
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> Blend:
    """Return one model whose probabilities are the weighted mean of several models'.

    It writes the characters that all of them know.

    `which` and `checkpoints` are those of `load`.

    Args:
        weights: The weight of each run, by its name or path.

    Raises:
        ConfigError: A weight is not positive, or the models share no character.
        RunError: There is no such run.
    """
    models = [load(run, which=which, checkpoints=checkpoints) for run in weights]
    return Blend(models, list(weights.values()))
