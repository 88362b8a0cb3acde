"""A trained model in hand: `charrnn.load(run)`."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from charrnn.checkpoints import Checkpoint, open_weights
from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError, CorpusError, RunError
from charrnn.files import placed
from charrnn.runs import DEFAULT_ROOT, WHICH, find_checkpoint
from charrnn.sampling.engines import Engine, make_engine
from charrnn.sampling.filters import log_softmax
from charrnn.sampling.noise import random_seed
from charrnn.sampling.novelty import Novelty, novelty
from charrnn.sampling.search import beam_search, best_of
from charrnn.sampling.states import restore_state, save_state, stored_seed
from charrnn.sampling.track import Text
from charrnn.sampling.writing import Writing, first_ids
from charrnn.text.corpus import INFO_FILE, Corpus, encode_corpus, open_corpus
from charrnn.text.sources import PathLike, select
from charrnn.text.streams import directed

if TYPE_CHECKING:
    from charrnn.evaluation import Score


class LanguageModel:
    """A checkpoint's model. TensorFlow is imported only for `network` and its engine."""

    def __init__(self, checkpoint: Checkpoint, path: Path) -> None:
        self.checkpoint, self.path = checkpoint, path
        self.vocabulary = checkpoint.vocabulary
        self._network: Any = None

    @property
    def name(self) -> str:
        """The run's folder."""
        return str(self.path.parent)

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

    def write(
        self,
        prompt: str = "",
        *,
        seed: int | None = None,
        engine: str = "auto",
        raw: bool = False,
        scored: bool = False,
        state: PathLike | None = None,
        **settings: Any,
    ) -> Writing:
        """Texts about to be written: iterate for the pieces, or ask for the whole `texts()`.

        Args:
            prompt: What the texts go on from, or with a backward model lead up to; unknown
                characters become the unknown symbol.
            seed: Fixes the texts; without one they differ each time.
            engine: "numpy", "tensorflow", or "auto" for whichever is done first.
            raw: A byte-level model's bytes as the characters U+0000 to U+00FF.
            scored: Keep account of the texts' log-probabilities.
            state: A file of `save_state`, to go on from instead of a prompt.
            settings: Fields of `SamplingConfig`: temperature, length, count and more.

        Raises:
            ConfigError: A setting that is out of its limits or does not fit this model.
        """
        config = SamplingConfig(**settings)
        self._check(config, raw)
        if seed is None:
            seed = random_seed() if state is None else stored_seed(Path(state))
        writing = Writing(
            self.engine(engine, config),
            self.vocabulary,
            config,
            seed,
            backward=self.backward,
            raw=raw,
            scored=scored,
        )
        if state is None:
            return writing.begin(prompt)
        if config.beam:
            raise ConfigError("--beam: a search starts from a prompt, not from a state")
        return restore_state(Path(state), writing, self.identity)

    def _check(self, config: SamplingConfig, raw: bool) -> None:
        """Raise ConfigError where the settings do not suit this model."""
        if config.match is not None and self.backward:
            raise ConfigError("--match: a backward model writes from the end; leave it out")
        if config.endless and self.backward and not config.ends:
            raise ConfigError(
                "--length -1: a backward model's text is shown when it is whole;"
                " give --stop, --lines or --words too"
            )
        if raw and not self.vocabulary.byte_level:
            raise ConfigError("--raw: this model writes characters, not bytes; leave it out")

    def save_state(self, path: PathLike, writing: Writing) -> None:
        """Keep where a writing stopped, for `write(state=path)`."""
        save_state(Path(path), writing, self.identity)

    @property
    def identity(self) -> list[Any]:
        """What two models share if the state of a text in one is that of a text in the other."""
        model = asdict(self.checkpoint.config.model)
        return [model, self.vocabulary.to_json(), self.checkpoint.checksum]

    def engine(self, name: str, config: SamplingConfig) -> Engine:
        """What computes logits for texts of these settings."""
        count = config.count * config.best_of
        return make_engine(self.checkpoint, name, count, config.length)

    def texts(self, prompt: str = "", *, scored: bool = True, **settings: Any) -> list[Text]:
        """The texts with their log-probabilities; see `write`."""
        return self.finish(self.write(prompt, scored=scored, **settings), prompt)

    @staticmethod
    def finish(writing: Writing, prompt: str) -> list[Text]:
        """The texts of a writing, after the search that its settings want."""
        if writing.config.beam:
            return beam_search(writing, prompt)
        return best_of(writing) if writing.config.best_of > 1 else writing.texts()

    def generate(self, prompt: str = "", *, count: int = 1, **settings: Any) -> str | list[str]:
        """The new text, without the prompt; a list where `count` is above 1. See `write`."""
        texts = self.texts(prompt, count=count, scored=False, **settings)
        return texts[0].text if count == 1 else [text.text for text in texts]

    def stream(self, prompt: str = "", **settings: Any) -> Iterator[str]:
        """The characters of one new text as they come. See `write`."""
        writing = self.write(prompt, **settings)
        if writing.count > 1 or writing.config.beam:
            raise ConfigError("a stream is one text; use generate for --count and the like")
        if self.backward:
            return iter(writing.texts()[0].text)
        return (character for (piece,) in writing for character in piece)

    def score(self, text: str) -> np.ndarray:
        """Log-probability of each character of the text, in nats, float64 [N].

        The first is given a line's end before it; a backward model's are given what follows.
        """
        ids = first_ids(self.vocabulary, text, self.backward)
        engine = self.engine("numpy", SamplingConfig())
        engine.start(1)
        log_p = [
            log_softmax(engine.read(ids[n : n + 1, None])[0].astype(np.float64))[ids[n + 1]]
            for n in range(len(ids) - 1)
        ]
        return directed(np.array(log_p), self.checkpoint.config.model.direction)

    def next(self, prompt: str = "", n: int = 10) -> list[tuple[str, float]]:
        """The n likeliest characters after the prompt with their probabilities."""
        engine = self.engine("numpy", SamplingConfig())
        engine.start(1)
        logits = engine.read(first_ids(self.vocabulary, prompt, self.backward)[:, None])
        p = np.exp(log_softmax(logits[0, :-1].astype(np.float64)))
        order = np.argsort(-p, kind="stable")[:n]
        return [(self.vocabulary.characters[place], float(p[place])) for place in order]

    def novelty(self, text: str) -> Novelty:
        """How much of a text is copied from the training text, which the run must still have."""
        return novelty(text, self.corpus(), self.path.parent)

    def evaluate(
        self, *files: PathLike, part: str = "validation", encoding: str | None = None
    ) -> "Score":
        """How well the model predicts the files, or a part of the text that it was trained on.

        `part` is train, validation or test; the files' `encoding` is the training text's.
        """
        if not files:
            return self._score_corpus(self.corpus(), part)
        with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
            config = self.checkpoint.config.text
            config = replace(config, encoding=encoding or config.encoding)
            selection = select(files, config)
            if selection.skipped:
                raise CorpusError(f"{selection.skipped[0]}: looks binary; name the text files")
            with placed(folder):
                corpus = encode_corpus(selection.sources, config, Path(folder), self.vocabulary)
            return self._score_corpus(corpus, None)

    def corpus(self) -> Corpus:
        """The text that the run learns; RunError where the checkpoint stands alone."""
        folder = self.path.parent
        if not (folder / INFO_FILE).exists():
            raise RunError(
                f"{self.path}: its run's text is not beside it; name a run, or a file to evaluate"
            )
        return open_corpus(folder)

    def _score_corpus(self, corpus: Corpus, part: str | None) -> "Score":
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
    return LanguageModel(open_weights(path), path)


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
