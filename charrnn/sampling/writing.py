"""A batch of texts: ids are drawn from an engine's logits and passed to tracks."""

import copy
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.sampling.engines import GROUP_BYTES, Engine, bytes_of_a_text, check_fit, read_logits
from charrnn.sampling.filters import NEVER, Filters, Noise, Past, draw, log_softmax
from charrnn.sampling.rules import allowed_next
from charrnn.sampling.track import Text, TextFormat, Track
from charrnn.text.batches import in_direction
from charrnn.text.vocabulary import Vocabulary

REBUILD_CHARACTERS = 1 << 18
"""A graph is rebuilt for a smaller batch if that may save computing this many characters.

On two CPU cores and with two layers of 128 units they take 1.7 s, the graph 0.5 s. The margin
is there because the remaining texts may end early too, and because a GPU computes faster.
"""


class Writing:
    """Texts to be written: iterate for their pieces, or ask for the whole texts.

    The pieces are those of all texts at once. The whole texts, which are the same, are written
    in groups, so that no more than a group of B texts is in memory.

    The engine has a row of states for each text. Nothing is drawn for a text that has ended, and
    when half of the rows belong to such texts, they are dropped. No text depends on the others,
    since its noise follows from its number and the position.

    A backward model writes what comes before the prompt, last character first: its pieces are
    in writing order, the whole texts in reading order.
    """

    def __init__(
        self,
        engine: Engine,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        seed: int,
        *,
        backward: bool = False,
        raw: bool = False,
        scored: bool = False,
        first: int = 0,
        at_once: bool = False,
    ) -> None:
        self.engine, self.seed = engine, seed
        self.format = TextFormat(vocabulary, config, backward, raw)
        self._filters, self._scored = Filters(config), scored or config.searched
        self._prompt, self._all = "", range(first, first + config.count * config.best_of)
        self.text_bytes = bytes_of_a_text(engine, vocabulary.size, config.length)
        """About how much memory a text takes while it is written."""
        group = max(1, GROUP_BYTES // self.text_bytes)
        self._open_group(self._all if at_once else self._all[:group])

    def _open_group(self, numbers: range) -> None:
        """Prepare the texts of these numbers."""
        self.first = numbers.start
        """The number of the group's first text."""
        self.tracks = [Track(self.format, number) for number in numbers]
        """Every text of the group."""
        self.position = 0
        """The number of characters drawn for each text, as the noise counts them."""
        self.unread = np.zeros((0, len(self.tracks)), np.int32)
        """Ids [T, B] that the engine has not read yet."""
        self.recent = np.zeros((len(self.tracks), 0), np.int32)
        """The last ids [B, N] of each text, for the filters."""
        self._live = self.tracks
        """The texts that have not ended."""
        self._indices = list(range(len(numbers)))
        """Their indices in `tracks`."""
        self._rows = np.arange(len(self.tracks))
        """Their rows in the engine."""

    @property
    def count(self) -> int:
        return len(self.tracks)

    @property
    def whole(self) -> bool:
        return self.count == len(self._all)

    def at_once(self) -> "Writing":
        """Make one group of all texts, begun anew if they were in several.

        Raises:
            ConfigError: They would take too much memory.
        """
        if not self.whole:
            check_fit(len(self._all), self.text_bytes, {"count": self.format.config.count})
            self._open_group(self._all)
            self.begin(self._prompt)
        return self

    def begin(self, prompt: str = "") -> "Writing":
        """Start from the zero state with the prompt, as if after a line's end."""
        self._prompt = prompt
        ids = first_ids(self.format.vocabulary, prompt, self.format.backward)[:, None]
        self.engine.start(1)
        if len(ids) > 1:
            self.engine.read(ids[:-1])
        self.engine.select(np.zeros(self.count, int))
        ids = np.repeat(ids, self.count, 1)
        self.unread = ids[-1:]
        self._remember(ids[1:])
        return self

    def add(self, prompt: str) -> "Writing":
        """Let all texts continue from a prompt after what they have so far."""
        ids = first_ids(self.format.vocabulary, prompt, self.format.backward)[1:, None]
        ids = np.repeat(ids, self.count, 1)
        self.unread = np.concatenate([self.unread, ids])
        self._remember(ids)
        return self

    def following(self, count: int) -> "Writing":
        """Return the next texts of the same seed."""
        return Writing(
            self.engine,
            self.format.vocabulary,
            replace(self.format.config, count=count),
            self.seed,
            backward=self.format.backward,
            raw=self.format.raw,
            scored=self._scored,
            first=self._all.stop,
        )

    def __iter__(self) -> Iterator[list[str]]:
        return self.at_once()._pieces()

    def _pieces(self) -> Iterator[list[str]]:
        """Yield what each position adds to the group's texts, and last what was held back."""
        config = self.format.config
        noise = Noise(self.seed, self.count, self.position, self.first)
        draw_next = self._draw if config.match is None else self._draw_matching
        last = math.inf if config.endless else self.position + config.length
        while self._live and self.position < last:
            ids, logits = draw_next(noise)
            if not len(ids):
                break
            yield self._take(ids, logits)
            if config.ends:
                self._leave_out_done()
                self._shrink_batch(last - self.position)
        rest = [track.rest() for track in self.tracks]
        if any(rest):
            yield rest

    def texts(self) -> list[Text]:
        return list(self.each())

    def each(self) -> Iterator[Text]:
        """Yield the whole texts in reading order, group by group."""
        yield from self._finish()
        for start in range(self.count, len(self._all), self.count):
            group = copy.copy(self)
            group._open_group(self._all[start : start + self.count])
            yield from group.begin(self._prompt)._finish()

    def _finish(self) -> list[Text]:
        """Return the group's whole texts."""
        pieces: list[list[str]] = [[] for _ in range(self.count)]
        for row in self._pieces():
            for text, piece in zip(pieces, row, strict=True):
                text.append(piece)
        return [
            track.text("".join(text), self.seed)
            for track, text in zip(self.tracks, pieces, strict=True)
        ]

    def complete(self, number: int = 0) -> bool:
        return self.tracks[number].complete

    def _draw(self, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        """Return the live texts' next ids [B], and the logits [B, V] behind them."""
        logits = self._read()
        # The unknown symbol, which is last, is never drawn.
        return draw(self._weigh(logits[:, :-1]), pick(noise.next(), self._indices)), logits

    def _draw_matching(self, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        """Do the same with the setting `match`, and leave out texts that are stuck.

        If nothing is drawn, since all texts are stuck or the pattern takes too long, the
        engine's state is as before.
        """
        state, ids = self.engine.state, np.zeros(0, int)
        try:
            logits, numbers = self._read(), pick(noise.next(), self._indices)
            matched = self._narrow(logits[:, :-1], numbers)
            going = (matched > NEVER).any(-1)
            for place in np.flatnonzero(~going):
                self._live[place].stop_stuck()
            self._leave_out_done()
            if going.any():
                logits = logits[going]
                ids = draw(self._weigh(matched[going]), numbers[going])
        finally:
            if not len(ids):
                self.engine.state = state
        return ids, logits

    def _read(self) -> np.ndarray:
        """The live texts' logits [B, V]."""
        return pick(read_logits(self.engine, self.unread), self._rows)

    def _narrow(self, logits: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Logits [B, V], -inf for the characters that the setting `match` does not allow."""
        logits, recent = self._rule_out(logits).copy(), pick(self.recent, self._rows)
        for row, track in enumerate(self._live):
            one = slice(row, row + 1)
            past = Past(self.position, recent[one], self.format.config.repetition_window)
            may_follow = self.format.rules.may_follow(track.drawn)
            allowed = allowed_next(logits[one], noise[one], self._filters, past, may_follow)
            logits[one] = np.where(allowed, logits[one], NEVER)
        return logits

    def _rule_out(self, logits: np.ndarray) -> np.ndarray:
        """Logits [B, V], -inf for the characters that are never allowed."""
        mask = self.format.rules.mask
        return logits if mask is None else np.where(mask, logits, NEVER)

    def _weigh(self, logits: np.ndarray) -> np.ndarray:
        """Log-weights [B, V] of the next characters after all filters."""
        recent = pick(self.recent, self._rows)
        past = Past(self.position, recent, self.format.config.repetition_window)
        return self._filters(self._rule_out(logits), past)

    def _take(self, ids: np.ndarray, logits: np.ndarray) -> list[str]:
        """Add ids [B] to the live texts; return the pieces that all texts show."""
        self.position += 1
        row_ids = np.zeros(self.unread.shape[1], ids.dtype)  # ended texts read id 0
        row_ids[self._rows] = ids
        self.unread = row_ids[None]
        self._remember(self.unread)
        log_ps = [0.0] * len(ids)
        if self._scored:
            log_ps = log_softmax(logits)[np.arange(len(ids)), ids].tolist()
        pieces = [""] * self.count
        for index, new, log_p in zip(self._indices, ids.tolist(), log_ps, strict=True):
            pieces[index] = self.tracks[index].take(new, log_p)
        return pieces

    def _leave_out_done(self) -> None:
        going = [not track.done for track in self._live]
        if not all(going):
            self._live = [track for track in self._live if not track.done]
            self._indices = [track.number - self.first for track in self._live]
            self._rows = self._rows[going]

    def _shrink_batch(self, remaining: float) -> None:
        """Drop the engine's rows of ended texts if that pays for the characters that remain.

        They must be half of all rows, so that the batch size changes at most log2(B) times.
        Where a graph is built for each new size, that must also take less time than it saves.
        """
        size = self.unread.shape[1]
        ended = size - len(self._rows)
        saves = ended * remaining >= REBUILD_CHARACTERS or self.engine.takes_any_size
        if self._live and 2 * ended >= size and saves:
            self.engine.select(self._rows)
            self.unread, self.recent = self.unread[:, self._rows], self.recent[self._rows]
            self._rows = np.arange(len(self._rows))

    def _remember(self, ids: np.ndarray) -> None:
        config = self.format.config
        if config.repetition_penalty != 1 or config.no_repeat:
            recent = np.concatenate([self.recent, ids.T], 1)
            self.recent = recent if config.no_repeat else recent[:, -config.repetition_window :]


def pick(values: np.ndarray, rows: np.ndarray | list[int]) -> np.ndarray:
    """These rows of [B, ...], ascending, without a copy if they are all rows."""
    return values if len(rows) == len(values) else values[rows]


def first_ids(vocabulary: Vocabulary, prompt: str, backward: bool) -> np.ndarray:
    """Return what the network reads before the first character is drawn, int32 [T].

    That is `vocabulary.start`, and the prompt in the order in which the network reads it.
    """
    ids = in_direction(
        vocabulary.encode(vocabulary.from_user(prompt)), "backward" if backward else "forward"
    )
    return np.concatenate([[vocabulary.start], ids]).astype(np.int32)
