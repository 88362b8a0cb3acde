"""A batch of texts being written: ids are drawn from an engine's logits and given to tracks."""

import copy
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from charrnn.config import SamplingConfig
from charrnn.sampling.engines import GROUP_BYTES, Engine, bytes_of_a_text, check_fit, read_logits
from charrnn.sampling.filters import NEVER, Filters, Noise, Past, draw, log_softmax
from charrnn.sampling.rules import narrowed
from charrnn.sampling.track import Text, TextFormat, Track
from charrnn.text.batches import in_direction
from charrnn.text.vocabulary import Vocabulary

REBUILD_CHARACTERS = 1 << 18
"""A graph is rebuilt for a smaller batch if that may save computing so many characters.

On two CPU cores and with two layers of 128 units they take 1.7 s, the graph 0.5 s. The margin
is there because the texts that go on may end early too, and because a GPU computes faster.
"""


class Writing:
    """Texts to be written: iterate for their pieces, or ask for the whole texts.

    The pieces are those of all texts at once. The whole texts, which are the same, are written
    in groups, so that no more than a group of B texts is in memory.

    The engine holds a row of states for each text. Nothing is drawn for a text that is done,
    and when half of the rows belong to such texts, the engine goes on without them. No text
    depends on the others, since the noise is that of the text's number and its position.

    A backward model writes what comes before the prompt, last character first: its pieces
    stand in the order of writing, the whole texts in that of reading.
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
        """How the texts are decoded, what they may hold, and where they end."""
        self._filters, self._scored = Filters(config), scored or config.searched
        self._prompt, self._all = "", range(first, first + config.count * config.best_of)
        self.text_bytes = bytes_of_a_text(engine, vocabulary.size, config.length)
        """About how much memory a text takes while it is written."""
        group = max(1, GROUP_BYTES // self.text_bytes)
        self._hold(self._all if at_once else self._all[:group])

    def _hold(self, numbers: range) -> None:
        """Hold the texts of these numbers among those of the seed, not yet begun."""
        self.first = numbers.start
        """The number of the first text that is held."""
        self.tracks = [Track(self.format, number) for number in numbers]
        """Every text that is held."""
        self.position = 0
        """How many characters of each text are drawn, as the noise counts them."""
        self.unread = np.zeros((0, len(self.tracks)), np.int32)
        """Ids [T, B] that are written or given, but not yet read by the engine."""
        self.recent = np.zeros((len(self.tracks), 0), np.int32)
        """The last ids [B, N] of each text, for the repetition penalty."""
        self._going = self.tracks
        """The texts that are not done."""
        self._places = list(range(len(numbers)))
        """Where they stand among all that are held."""
        self._rows = np.arange(len(self.tracks))
        """Their rows in the engine."""

    @property
    def count(self) -> int:
        return len(self.tracks)

    @property
    def whole(self) -> bool:
        return self.count == len(self._all)

    def at_once(self) -> "Writing":
        """Hold all texts, begun anew, where only a group of them is held.

        Raises:
            ConfigError: They would take too much memory.
        """
        if not self.whole:
            check_fit(len(self._all), self.text_bytes, {"count": self.format.config.count})
            self._hold(self._all)
            self.begin(self._prompt)
        return self

    def begin(self, prompt: str = "") -> "Writing":
        """Start from the zero state, as if after a line's end, with the prompt."""
        self._prompt = prompt
        ids = np.repeat(
            first_ids(self.format.vocabulary, prompt, self.format.backward)[:, None], self.count, 1
        )
        self.engine.start(1)
        if len(ids) > 1:
            self.engine.read(ids[:-1, :1])
        self.engine.select(np.zeros(self.count, int))
        self.unread = ids[-1:]
        self._remember(ids[1:])
        return self

    def add(self, prompt: str) -> "Writing":
        """Let all texts continue from a prompt, which is read after what they have so far."""
        given = given_ids(self.format.vocabulary, prompt, self.format.backward)
        ids = np.repeat(given[:, None], self.count, 1)
        self.unread = np.concatenate([self.unread, ids])
        self._remember(ids)
        return self

    def following(self, count: int) -> "Writing":
        """The next texts of the same seed, as if more had been asked for from the start."""
        form = self.format
        return Writing(
            self.engine,
            form.vocabulary,
            replace(form.config, count=count),
            self.seed,
            backward=form.backward,
            raw=form.raw,
            scored=self._scored,
            first=self._all.stop,
        )

    def __iter__(self) -> Iterator[list[str]]:
        return self.at_once()._pieces()

    def _pieces(self) -> Iterator[list[str]]:
        """What each position adds to the texts that are held, and last what was held back."""
        config = self.format.config
        noise = Noise(self.seed, self.count, self.position, self.first)
        draw_next = self._draw if config.match is None else self._draw_matching
        last = math.inf if config.endless else self.position + config.length
        ends = config.ends
        while self._going and self.position < last:
            ids, logits = draw_next(noise)
            if not len(ids):
                break
            yield self._take(ids, logits)
            if ends:
                self._leave_out_done()
                self._make_smaller(last - self.position)
        rest = [track.rest() for track in self.tracks]
        if any(rest):
            yield rest

    def texts(self) -> list[Text]:
        return list(self.each())

    def each(self) -> Iterator[Text]:
        """The whole texts, in reading order, as soon as their group is written."""
        yield from self._finish()
        for start in range(self.count, len(self._all), self.count):
            group = copy.copy(self)
            group._hold(self._all[start : start + self.count])
            yield from group.begin(self._prompt)._finish()

    def _finish(self) -> list[Text]:
        """The whole texts that are held."""
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
        """The next ids [B] of the texts that go on, and the logits [B, V] behind them."""
        logits = self._read()
        return draw(self._weigh(logits[:, :-1]), self._pick_noise(noise)), logits

    def _draw_matching(self, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
        """The same with the setting `match`; texts that are stuck are left out.

        Where nothing is drawn, nothing counts as read either: not where all texts are stuck,
        and not where the pattern takes too long.
        """
        state, ids = self.engine.state, np.zeros(0, int)
        try:
            logits, numbers = self._read(), self._pick_noise(noise)
            matched = self._narrow(logits[:, :-1], numbers)
            going = (matched > NEVER).any(-1)
            for place in np.flatnonzero(~going):
                self._going[place].stop_stuck()
            self._leave_out_done()
            if going.any():
                logits = logits[going]
                ids = draw(self._weigh(matched[going]), numbers[going])
        finally:
            if not len(ids):
                self.engine.state = state
        return ids, logits

    def _read(self) -> np.ndarray:
        """Logits [B, V] of the texts that go on; the unknown symbol, last, is never drawn."""
        return pick(read_logits(self.engine, self.unread), self._rows)

    def _pick_noise(self, noise: Noise) -> np.ndarray:
        """The next random numbers [B] of the texts that go on."""
        return pick(noise.next(), self._places)

    def _narrow(self, logits: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Logits [B, V] where the setting `match` lets a character follow, elsewhere -inf."""
        logits, recent = self._rule_out(logits).copy(), pick(self.recent, self._rows)
        for row, track in enumerate(self._going):
            place = slice(row, row + 1)
            past = Past(self.position, recent[place])
            leads_on = self.format.rules.leads_on(track.drawn)
            leads = narrowed(logits[place], noise[place], self._filters, past, leads_on)
            logits[place] = np.where(leads, logits[place], NEVER)
        return logits

    def _rule_out(self, logits: np.ndarray) -> np.ndarray:
        """Logits [B, V], -inf for the characters that the settings allow nowhere."""
        mask = self.format.rules.mask
        return logits if mask is None else np.where(mask, logits, NEVER)

    def _weigh(self, logits: np.ndarray) -> np.ndarray:
        """Log-weights [B, V] of the next characters by the settings."""
        past = Past(self.position, pick(self.recent, self._rows))
        return self._filters(self._rule_out(logits), past)

    def _take(self, ids: np.ndarray, logits: np.ndarray) -> list[str]:
        """The pieces that new ids [B] of the texts that go on add to all texts."""
        self.position += 1
        self.unread = spread(ids, self._rows, self.unread.shape[1])[None]
        self._remember(self.unread)
        pieces = [""] * self.count
        scores = self._scores(ids, logits)
        for place, new, log_p in zip(self._places, ids.tolist(), scores, strict=True):
            pieces[place] = self.tracks[place].take(new, log_p)
        return pieces

    def _scores(self, ids: np.ndarray, logits: np.ndarray) -> list[float]:
        """The log-probabilities of the ids [B] in nats; 0 where nobody asked for them."""
        if not self._scored:
            return [0.0] * len(ids)
        scores: list[float] = log_softmax(logits)[np.arange(len(ids)), ids].tolist()
        return scores

    def _leave_out_done(self) -> None:
        """Go on without the texts that are done."""
        going = [not track.done for track in self._going]
        if not all(going):
            self._going = [track for track in self._going if not track.done]
            self._places = [track.number - self.first for track in self._going]
            self._rows = self._rows[going]

    def _make_smaller(self, left: float) -> None:
        """Let the engine forget texts that are done; the others have `left` characters to come."""
        if self._going and self._pays(left):
            self.engine.select(self._rows)
            self.unread, self.recent = self.unread[:, self._rows], self.recent[self._rows]
            self._rows = np.arange(len(self._rows))

    def _pays(self, left: float) -> bool:
        """Whether it is time to drop the engine's rows that belong to texts that are done.

        They must be half of all rows, so that the batch size changes log2(B) times at most.
        Where a graph is built for each new size, that must also take less time than it saves.
        """
        size = self.unread.shape[1]
        resting = size - len(self._rows)
        worth_it = resting * left >= REBUILD_CHARACTERS or self.engine.takes_any_size
        return 2 * resting >= size and worth_it

    def _remember(self, ids: np.ndarray) -> None:
        if self.format.config.repetition_penalty != 1:
            recent = np.concatenate([self.recent, ids.T], 1)
            self.recent = recent[:, -self.format.config.repetition_window :]


def pick(values: np.ndarray, rows: np.ndarray | list[int]) -> np.ndarray:
    """These rows of [B, ...], ascending; nothing is copied where they are all rows."""
    return values if len(rows) == len(values) else values[rows]


def spread(ids: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Ids [B] at these rows of [count]; the rows of texts that are done read id 0."""
    if len(rows) == count:
        return ids
    row_ids = np.zeros(count, ids.dtype)
    row_ids[rows] = ids
    return row_ids


def first_ids(vocabulary: Vocabulary, prompt: str, backward: bool) -> np.ndarray:
    """What the network reads before the first character is drawn, int32 [T]."""
    given = given_ids(vocabulary, prompt, backward)
    return np.concatenate([[start_id(vocabulary)], given]).astype(np.int32)


def given_ids(vocabulary: Vocabulary, prompt: str, backward: bool) -> np.ndarray:
    """The ids of a prompt in the order in which the network reads them, int32 [T]."""
    ids = vocabulary.encode(vocabulary.from_user(prompt))
    return in_direction(ids, "backward" if backward else "forward")


def start_id(vocabulary: Vocabulary) -> int:
    """What a text is taken to follow: a line's end where the corpus has lines."""
    return max(vocabulary.characters.find("\n"), 0)
