"""What is done with a run by its name: load its model, write with it, score a text with it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from charrnn.config import SamplingConfig
from charrnn.config.settings import checks_names
from charrnn.config.signatures import documented
from charrnn.errors import ConfigError
from charrnn.models.language_model import LanguageModel
from charrnn.models.text_model import TextModel
from charrnn.runs.checkpoints import open_weights
from charrnn.runs.run import DEFAULT_ROOT, WHICH, find_checkpoint
from charrnn.types import PathLike

if TYPE_CHECKING:
    from charrnn.types import Score


@checks_names
def load(
    run: PathLike | None = None,
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> LanguageModel:
    """The trained model of a run. TensorFlow is not imported.

    Args:
        run: The run's name below `checkpoints`, the path of its folder or of a checkpoint
            file; by default the newest run.
        which: "best" (lowest validation loss) or "last"; of several the first that is there.
        checkpoints: The folder of the runs.

    Returns:
        The model, which writes and scores texts.

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


@documented(SamplingConfig, like=TextModel.write)
def generate(
    run: PathLike | None = None,
    prompt: str = "",
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
    count: int | None = None,
    **settings: Any,
) -> str | list[str]:
    """Text from a run's model: `load(run).generate(prompt, …)`; with a `count`, a list.

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
    """How well a run's model predicts a text.

    Args:
        run: As in `load`.
        files: Text to score; by default a part of the run's own text.
        which: As in `load`.
        checkpoints: As in `load`.
        part: Which part, if no files are given: train, validation or test.
        encoding: The files' encoding; by default the training text's.
        cold: Score random windows of this length, each from the zero state, and not the whole text
            with its state carried on. So other programs evaluate, nanoGPT with 256.
        dynamic: Let the weights go on learning from the text while they are scored (see
            `charrnn.tf.dynamic`); the model itself does not change. The run's text must be there.

    Returns:
        The mean loss in nats and bits per character, and the perplexity.

    Raises:
        RunError: There is no such run, or it has no validation part.
        CorpusError: A file cannot be read.
    """
    model = load(run, which=which, checkpoints=checkpoints)
    return model.evaluate(*files, part=part, encoding=encoding, cold=cold, dynamic=dynamic)
