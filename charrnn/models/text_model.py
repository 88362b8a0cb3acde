"""`TextModel`: what trained models and blends have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, overload

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.config.settings import checks_names, document_settings
from charrnn.errors import ConfigError
from charrnn.sampling.engines import Engine, read_logits
from charrnn.sampling.filters import checked_seed, log_softmax, random_seed, sampling_config
from charrnn.sampling.search import Novelty, TrainingText, beam_search, best_of, new_texts
from charrnn.sampling.state_file import restore_state, save_state, stored_seed
from charrnn.sampling.track import Text
from charrnn.sampling.writing import Writing, first_ids
from charrnn.text.batches import in_direction
from charrnn.text.vocabulary import Vocabulary
from charrnn.types import PathLike


class TextModel(ABC):
    """A model of the next character, which writes and scores texts."""

    vocabulary: Vocabulary
    """The characters that the model reads and writes."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that users see."""

    @property
    @abstractmethod
    def backward(self) -> bool:
        """Whether the model writes what comes before a prompt."""

    @property
    @abstractmethod
    def identity(self) -> list[object]:
        """Plain data. Models with an equal identity can continue each other's states."""

    @abstractmethod
    def engine(self, name: str, config: SamplingConfig) -> Engine:
        """Return the engine for texts of these settings; `name` is that of `write`."""

    @abstractmethod
    def training_texts(self) -> list[TrainingText]:
        """Return the training texts; RunError where one is not beside its checkpoint."""

    def novelty(self, text: str, prompt: str = "") -> Novelty:
        """Return how much of a text is copied from the training text, which must still exist.

        A copy may begin in the prompt that the text continues, if it reaches into the text. Of a
        blend's training texts, the one counts from which most is copied.
        """
        refuse_other_than_text(text=text, prompt=prompt)
        found = [each.novelty(text, prompt, self.backward) for each in self.training_texts()]
        return max(found, key=lambda each: (len(each.longest), each.copied_share))

    def missing(self, text: str) -> str:
        """Return the characters of the text that the model does not know, each once, sorted."""
        refuse_other_than_text(text=text)
        known = self.vocabulary
        return "".join(sorted(c for c in set(text) if known.missing(known.from_user(c))))

    @document_settings(SamplingConfig)
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
        """Prepare to write texts: iterate over the result for pieces, or call its `texts()`.

        Args:
            prompt: What the texts continue, or with a backward model end with; unknown
                characters become the unknown symbol.
            seed: A whole number from 0 to 2^64 - 1 that fixes the texts; by default a random one.
            engine: "numpy", "tensorflow", or "auto" for the faster one.
            raw: Return a byte-level model's bytes as the characters U+0000 to U+00FF.
            scored: Compute the texts' log-probabilities.
            state: A file of `save_state` to continue from; a prompt is read after it.
            settings: Those below, and the settings of filters that were added.

        Raises:
            ConfigError: A setting is unknown, beyond its limits, or does not fit this model.
            CheckpointError: The file in `state` is damaged, or of another model.
        """
        refuse_other_than_text(prompt=prompt)
        config = sampling_config(settings)
        if config.match is not None and self.backward:
            raise ConfigError(
                "a backward model writes from the end, which a pattern cannot follow",
                {"match": None},
                way_out="leave it out",
            )
        if config.endless and self.backward and not config.ends:
            raise ConfigError(
                "a backward model's text is shown only when it is complete",
                {"length": -1},
                way_out="give `stop`, `lines` or `words` too",
            )
        if raw and not self.vocabulary.byte_level:
            why = "this model writes characters, not bytes"
            raise ConfigError(why, {"raw": None}, way_out="leave it out")
        if seed is None:
            seed = random_seed() if state is None else stored_seed(Path(state))
        writing = Writing(
            self.engine(engine, config),
            self.vocabulary,
            config,
            checked_seed(seed),
            backward=self.backward,
            raw=raw,
            scored=scored,
            at_once=state is not None,
        )
        if state is None:
            return writing.begin(prompt)
        for name in ("beam", "new"):
            if getattr(config, name):
                raise ConfigError("needs a prompt to start from, not a state", {name: None})
        return restore_state(Path(state), writing, self.identity).add(prompt)

    def save_state(self, path: PathLike, writing: Writing) -> None:
        """Save where texts stopped, for `write(state=path)`.

        Raises:
            ConfigError: Several texts end at other places than their length, or they were too
                many to be written at once.
        """
        if not writing.whole:
            raise ConfigError(
                "so many texts are written in groups",
                {"count": writing.format.config.count},
                way_out="first call at_once() of what write() returns",
            )
        save_state(Path(path), writing, self.identity)

    @document_settings(SamplingConfig, like=write)
    def texts(self, prompt: str = "", *, scored: bool = True, **settings: Any) -> list[Text]:
        return list(self.finish(self.write(prompt, scored=scored, **settings), prompt))

    def finish(self, writing: Writing, prompt: str) -> Iterable[Text]:
        """Return the chosen texts: a list if all are known at once, else one after another."""
        config = writing.format.config
        if config.beam:
            return beam_search(writing, prompt)
        if config.new:
            return new_texts(writing, prompt, self.training_texts())
        return best_of(writing) if config.best_of > 1 else writing.each()

    @overload
    def generate(self, prompt: str = "", *, count: None = None, **settings: Any) -> str: ...

    @overload
    def generate(self, prompt: str = "", *, count: int, **settings: Any) -> list[str]: ...

    @document_settings(SamplingConfig, like=write)
    def generate(
        self, prompt: str = "", *, count: int | None = None, **settings: Any
    ) -> str | list[str]:
        many = {} if count is None else {"count": count}
        texts = self.texts(prompt, scored=False, **many, **settings)
        return texts[0].text if count is None else [text.text for text in texts]

    @document_settings(SamplingConfig, like=write)
    def stream(self, prompt: str = "", **settings: Any) -> Iterator[str]:
        """Yield the characters of one new text as they are written. See `write`."""
        writing = self.write(prompt, **settings)
        if writing.count > 1 or writing.format.config.chosen:
            raise ConfigError(
                "stream writes a single text",
                way_out="use generate for `count`, `best_of`, `beam` and `new`",
            )
        if self.backward:
            return iter(writing.texts()[0].text)
        return (character for (piece,) in writing for character in piece)

    def score(self, text: str) -> np.ndarray:
        """Return the log-probability of each character of a text, in nats, float64 [N].

        The first character follows a line's end; a backward model predicts each character from
        those that follow it. As in `evaluate`, the unknown symbol has a probability too: that of
        every character that the model does not know.

        Args:
            text: N characters, at byte level N bytes.
        """
        refuse_other_than_text(text=text)
        ids = first_ids(self.vocabulary, text, self.backward)
        engine = self.engine("numpy", SamplingConfig())
        engine.start(1)
        log_p = [
            log_softmax(read_logits(engine, ids[n : n + 1, None])[0])[ids[n + 1]]
            for n in range(len(ids) - 1)
        ]
        return in_direction(np.array(log_p), "backward" if self.backward else "forward")

    @checks_names
    def next(self, prompt: str = "", n: int = 10) -> list[tuple[str, float]]:
        """Return the n likeliest next characters with their probabilities, the likeliest first.

        The probability of a character c is exp(score(prompt + c)[-1]). The unknown symbol is left
        out, since it is never written; with it, the probabilities of all characters sum to 1.
        """
        refuse_other_than_text(prompt=prompt)
        engine = self.engine("numpy", SamplingConfig())
        engine.start(1)
        logits = read_logits(engine, first_ids(self.vocabulary, prompt, self.backward)[:, None])
        p = np.exp(log_softmax(logits[0]))[: self.vocabulary.unknown]
        order = np.argsort(-p, kind="stable")[:n]
        return [(self.vocabulary.characters[place], float(p[place])) for place in order]


def refuse_other_than_text(**arguments: object) -> None:
    for name, value in arguments.items():
        if not isinstance(value, str):
            raise ConfigError("must be a text (str)", {name: value})
