"""Which characters may be written next, whatever their probability."""

from typing import TYPE_CHECKING

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from regex import Pattern


class Allowed:
    """The characters of the setting `allow` without those of `forbid`, the same at every place."""

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary) -> None:
        given = {"allow": config.allow} if config.allow is not None else {}
        given |= {"forbid": config.forbid} if config.forbid else {}
        if vocabulary.byte_level and not f"{config.allow or ''}{config.forbid}".isascii():
            why = "this model writes bytes; only ASCII characters can be told apart"
            raise ConfigError(why, given)
        allowed = set(vocabulary.characters)
        if config.allow is not None:
            allowed &= set(config.allow)
        allowed -= set(config.forbid)
        if not allowed:
            why = "leaves none of the characters that the model knows"
            raise ConfigError(why, given)
        self._mask = np.array([character in allowed for character in vocabulary.characters])

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Which of V characters may follow each text, bool [B, V]."""
        return np.broadcast_to(self._mask, (len(texts), len(self._mask)))


class Matching:
    """Only characters with which a text can still become a full match of the setting `match`."""

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        import regex  # several tenths of a second, for those alone who ask for it

        if vocabulary.byte_level:
            raise ConfigError(
                "this model writes bytes, not characters", {"match": None}, way_out="leave it out"
            )
        try:
            self._pattern: Pattern[str] = regex.compile(pattern)
        except regex.error as error:
            raise ConfigError(str(error), {"match": pattern}) from error
        self._characters = vocabulary.characters

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Which of V characters may follow each text, bool [B, V]."""
        can = self._pattern.fullmatch
        return np.array(
            [
                [can(text + character, partial=True) is not None for character in self._characters]
                for text in texts
            ]
        )

    def complete(self, text: str) -> bool:
        """Whether the text is a full match as it stands."""
        return self._pattern.fullmatch(text) is not None


class Rules:
    """All of them together."""

    def __init__(self, config: SamplingConfig, vocabulary: Vocabulary) -> None:
        some = config.allow is not None or config.forbid
        self._rules: list[Allowed | Matching] = [Allowed(config, vocabulary)] if some else []
        self.matching = None if config.match is None else Matching(config.match, vocabulary)
        if self.matching is not None:
            self._rules.append(self.matching)

    def __call__(self, texts: list[str]) -> np.ndarray | None:
        """Which of V characters may follow each text, bool [B, V]; None where all may."""
        masks = [rule(texts) for rule in self._rules]
        allowed: np.ndarray | None = np.logical_and.reduce(masks) if masks else None
        return allowed

    def complete(self, text: str) -> bool:
        """Whether nothing is missing from the text."""
        return self.matching is None or self.matching.complete(text)
