"""A trained model in hand: `charrnn.load(run)`."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.checkpoints import Checkpoint
from charrnn.checkpoints import load as read_checkpoint
from charrnn.config import SamplingConfig
from charrnn.errors import CorpusError, RunError
from charrnn.files import placed
from charrnn.runs import DEFAULT_ROOT, WHICH, find_checkpoint
from charrnn.sampling.noise import random_seed
from charrnn.sampling.writing import join, write
from charrnn.text.corpus import INFO_FILE, Corpus, encode_corpus, open_corpus
from charrnn.text.sources import PathLike, select
from charrnn.text.streams import directed

if TYPE_CHECKING:
    from charrnn.evaluation import Score


class LanguageModel:
    """A checkpoint's model. TensorFlow is imported when it first writes or scores."""

    def __init__(self, checkpoint: Checkpoint, path: Path) -> None:
        self.checkpoint, self.path = checkpoint, path
        self.vocabulary = checkpoint.vocabulary
        self._network: Any = None

    @property
    def network(self) -> Any:
        """The Keras model: `logits, state = network((ids, state, seed))`, any batch size."""
        if self._network is None:
            from charrnn.model.network import build_network
            from charrnn.model.weights import set_weights

            self._network = build_network(self.checkpoint.config.model, self.vocabulary.size)
            set_weights(self._network, self.checkpoint.weights)
        return self._network

    @property
    def backward(self) -> bool:
        """Whether the model writes what comes before a prompt, not after."""
        return self.checkpoint.config.model.direction == "backward"

    def missing(self, text: str) -> str:
        """The characters of the text that the model does not know."""
        return self.vocabulary.missing(self.vocabulary.from_user(text))

    def stream(
        self, prompt: str = "", *, seed: int | None = None, **settings: Any
    ) -> Iterator[list[str]]:
        """Pieces of the new texts as they come, one string for each text.

        Args:
            prompt: What the texts go on from, or with a backward model lead up to; unknown
                characters become the unknown symbol.
            seed: Fixes the texts; without one they differ each time.
            settings: Fields of `SamplingConfig`: temperature, length, count.
        """
        from charrnn.sampling.graph import GraphSampler

        config = SamplingConfig(**settings)
        model = self.checkpoint.config.model
        sampler = GraphSampler(self.network, model, self.vocabulary.size, config.count)
        seed = random_seed() if seed is None else seed
        return write(sampler, self.vocabulary, prompt, config, seed, model.direction)

    def generate(
        self, prompt: str = "", *, seed: int | None = None, count: int = 1, **settings: Any
    ) -> str | list[str]:
        """The new text, without the prompt; a list where `count` is above 1. See `stream`."""
        texts = join(self.stream(prompt, seed=seed, count=count, **settings), count)
        return texts[0] if count == 1 else texts

    def evaluate(
        self, *files: PathLike, part: str = "validation", encoding: str | None = None
    ) -> "Score":
        """How well the model predicts the files, or a part of the text that it was trained on.

        `part` is train, validation or test; the files' `encoding` is the training text's.
        """
        if not files:
            return self.score(self.corpus(), part)
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
            config = self.checkpoint.config.text
            config = replace(config, encoding=encoding or config.encoding)
            selection = select(files, config)
            if selection.skipped:
                raise CorpusError(f"{selection.skipped[0]}: looks binary; name the text files")
            with placed(folder):
                corpus = encode_corpus(selection.sources, config, Path(folder), self.vocabulary)
            return self.score(corpus, None)

    def corpus(self) -> Corpus:
        """The text that the run learns; RunError where the checkpoint stands alone."""
        folder = self.path.parent
        if not (folder / INFO_FILE).exists():
            raise RunError(f"{self.path}: its run's text is not beside it; name a file to evaluate")
        return open_corpus(folder)

    def score(self, corpus: Corpus, part: str | None) -> "Score":
        """The score of a part of an encoded corpus, or of all of it."""
        from charrnn.evaluation import Evaluator

        ids = corpus.ids if part is None else getattr(corpus, part)
        if len(ids) < 2:
            raise RunError(f"{self.path}: the run has no {part} part; name a file to evaluate")
        config = self.checkpoint.config.model
        evaluator = Evaluator(self.network, config, self.vocabulary.size)
        return evaluator.score(directed(ids, config.direction), self.vocabulary.unknown)


def load(
    run: PathLike | None = None,
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> LanguageModel:
    """The model of a run: a name below `checkpoints`, a path, or by default the newest run.

    Raises:
        RunError: No such run.
        CheckpointError: The file is damaged, or of a newer format.
    """
    path = find_checkpoint(run, Path(checkpoints), which)
    return LanguageModel(read_checkpoint(path), path)


def generate(
    run: PathLike | None = None,
    prompt: str = "",
    *,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
    **settings: Any,
) -> str | list[str]:
    """Text from a run's model: `load(run).generate(prompt, …)`."""
    return load(run, which=which, checkpoints=checkpoints).generate(prompt, **settings)


def evaluate(
    run: PathLike | None = None,
    *files: PathLike,
    which: str | Sequence[str] = WHICH,
    checkpoints: PathLike = DEFAULT_ROOT,
) -> "Score":
    """The score of a run's model on its validation part or on files."""
    return load(run, which=which, checkpoints=checkpoints).evaluate(*files)
