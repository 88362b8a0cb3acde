"""A corpus as ids on disk, memory-mapped, so that memory does not grow with it.

Encoding takes two passes. The first reads the sources once and writes provisional ids
(characters numbered as they come) in the narrowest integers that hold them; then the
split is known, and the second pass counts the training part, sorts its characters, and
writes the final ids, one part of the text after the other.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn.checked_json import at_least, check_names, from_object, parse
from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.files import name_place, write_atomically
from charrnn.text.batches import in_direction
from charrnn.text.reading import Source, file_stamp, join_texts, read
from charrnn.text.vocabulary import CODE_POINTS, Vocabulary, code_points

IDS_FILE = "corpus.ids"
INFO_FILE = "corpus.json"
AGAIN = "restore it, or start a new run with `init_from`"
"""The way out where a run's own copy of its text is lost."""
WIDTHS = (np.uint8, np.uint16, np.uint32)
REWRITTEN = ".new"
BLOCK = 1 << 18
UNSEEN = CODE_POINTS
LINE_END = ord("\n")
Block = tuple[int, int]
"""Where a piece of the text begins and ends."""
LIST, FILES, TEXT = KINDS = ("a list of lines", "in several files", "a running text")
SAMPLE = 1 << 22
"""What kind of text it is shows in so many of its characters."""
LIST_LINES, LIST_LINE, LIST_BLANKS = 100, 300, 0.01
"""A list has so many lines at least, of so many characters at most in the mean, and of these no
more than this share are empty."""
WRAPPED_LINE, WRAPPED = 30, 0.1
"""Lines are those of prose if they are longer in the mean, and this share begin in lower case."""
SPREAD_BLOCKS, BLOCK_LINES = 64, 4
"""So many blocks are held out at most, of so many lines at least."""
COUNTED = 1 << 24
"""The first bias of the logits counts at most so many characters, from the text's beginning."""


@dataclass(frozen=True)
class CorpusInfo:
    """The record of an encoded corpus, beside its ids."""

    sources: tuple[str, ...]
    fingerprint: str
    """SHA-256 of the characters, as UTF-8."""
    length: int
    dtype: str
    train_end: int
    val_end: int
    unknown: int
    """How many of the corpus's characters are outside the vocabulary."""
    folded: int
    """How many distinct characters of the training part were too rare to keep."""
    checksum: int
    """CRC-32 of the ids file."""
    kind: str
    """What the text was taken for: one of `KINDS`."""
    edges: tuple[int, ...] = ()
    """Where in the ids another block of the text begins, ascending."""
    stamps: tuple[tuple[int, int], ...] = ()
    """Size and modification time (ns) of each source that is a file."""


class Part(NamedTuple):
    """A part of a corpus, in a direction.

    Attributes:
        ids: Int [N].
        edges: The places of the line's ends that stand before the first lines of other blocks.
    """

    ids: np.ndarray
    edges: list[int]


@dataclass(frozen=True)
class Corpus:
    """Ids [N] with the split: train first, then validation, then test.

    A part is one piece of the text, or consists of blocks of lines from all over it.
    """

    info: CorpusInfo
    vocabulary: Vocabulary
    ids: np.ndarray = field(repr=False)

    @property
    def train(self) -> np.ndarray:
        return self.part("train").ids

    @property
    def validation(self) -> np.ndarray:
        """The part that chooses the best checkpoint."""
        return self.part("validation").ids

    def part(self, name: str, direction: str = "forward", limit: int | None = None) -> Part:
        """Return "train", "validation" or "test", which training never looks at.

        Args:
            name: The part.
            direction: "forward" or "backward".
            limit: The part's beginning alone, of so many characters.
        """
        info = self.info
        bounds = (0, info.train_end, info.val_end, info.length)
        place = ("train", "validation", "test").index(name)
        ids = self.ids[bounds[place] : bounds[place + 1]][:limit]
        edges = [each - bounds[place] for each in info.edges]
        edges = [each for each in edges if 0 < each < len(ids)]
        if direction == "backward":  # a block's own last line end stands before it
            return Part(in_direction(ids, direction), [len(ids) - each for each in edges[::-1]])
        return Part(ids, [each - 1 for each in edges])


class Spool:
    """Characters on their way to disk, numbered in the order of their first appearance."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.width = 0
        self.length = 0
        self.seen: list[int] = []  # code points by provisional id
        self._ids = np.full(CODE_POINTS, UNSEEN, np.uint32)
        self._hash = hashlib.sha256()
        path.write_bytes(b"")

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        return WIDTHS[self.width]

    @property
    def fingerprint(self) -> str:
        return self._hash.hexdigest()

    def add(self, text: str) -> None:
        self._hash.update(utf8(text))
        codes = code_points(text)
        ids = np.take(self._ids, codes)
        if (ids == UNSEEN).any():
            self._number(codes[ids == UNSEEN])
            ids = np.take(self._ids, codes)
        with self.path.open("ab") as file:
            file.write(ids.astype(self.dtype).tobytes())
        self.length += len(ids)

    def _number(self, codes: np.ndarray) -> None:
        new = np.unique(codes)
        self._ids[new] = np.arange(len(self.seen), len(self.seen) + len(new))
        self.seen.extend(new.tolist())
        while len(self.seen) - 1 > np.iinfo(self.dtype).max:
            wider, narrow = self.path.with_suffix(REWRITTEN), self.dtype
            self.width += 1
            with self.path.open("rb") as source, wider.open("wb") as target:
                while block := source.read(BLOCK):
                    target.write(np.frombuffer(block, narrow).astype(self.dtype).tobytes())
            wider.replace(self.path)


def encode_corpus(
    sources: Iterable[Source],
    config: TextConfig,
    folder: Path,
    vocabulary: Vocabulary | None = None,
) -> Corpus:
    """Encode the sources into the folder, in the ids of a vocabulary or of their own.

    Raises:
        CorpusError: A source cannot be read, or there is too little text.
    """
    sources = tuple(sources)
    path = folder / IDS_FILE
    try:
        with name_place(path):  # the system does not say where a disk is full
            spool, stamped = Spool(path), stamps(sources)
            for chunk in characters(sources, config):
                spool.add(chunk)
            info, vocabulary = renumber(spool, sources, stamped, config, vocabulary)
        data: dict = {"corpus": asdict(info), "vocabulary": vocabulary.to_json()}
        data["checksum"] = record_checksum(data)
        write_atomically(folder / INFO_FILE, json.dumps(data).encode())
    except BaseException:
        path.unlink(missing_ok=True)
        path.with_suffix(REWRITTEN).unlink(missing_ok=True)
        raise
    return open_corpus(folder, verify=False)


def characters(sources: Iterable[Source], config: TextConfig) -> Iterator[str]:
    """All sources' characters, one after the other, each source on a line of its own."""
    return join_texts(read(source, config) for source in sources)


def renumber(
    spool: Spool,
    sources: tuple[Source, ...],
    stamped: tuple[tuple[int, int], ...],
    config: TextConfig,
    vocabulary: Vocabulary | None,
) -> tuple[CorpusInfo, Vocabulary]:
    """The second pass: choose the vocabulary and replace the provisional ids by its ids."""
    if spool.length < 2:
        raise CorpusError(
            f"{spool.length or 'no'} character{'s' * (spool.length != 1)}",
            where=describe(sources),
            way_out="a corpus needs at least 2, and useful training needs many thousands",
        )
    provisional = np.memmap(spool.path, spool.dtype, "r")
    line_end = spool.seen.index(LINE_END) if LINE_END in spool.seen else None
    kind = kind_of(provisional, spool.seen, line_end, len(sources))
    parts = split(provisional, line_end, config, kind)
    folded = 0
    if vocabulary is None:
        train = [count(provisional[begin:end], len(spool.seen)) for begin, end in parts[0]]
        vocabulary = choose(spool.seen, counts := np.sum(train, axis=0), config)
        folded = int((counts > 0).sum()) - len(vocabulary.characters)
    table = vocabulary.encode("".join(map(chr, spool.seen)))
    dtype = next(each for each in WIDTHS if table.max() <= np.iinfo(each).max)
    order = [block for part in parts for block in part]
    unknown, checksum = rewrite(spool.path, provisional, order, table.astype(dtype), vocabulary)
    ends = np.cumsum([end - begin for begin, end in order]).tolist()
    train_end, val_end, _ = np.cumsum([sum(end - begin for begin, end in each) for each in parts])
    info = CorpusInfo(
        sources=tuple(source.location for source in sources),
        fingerprint=spool.fingerprint,
        length=spool.length,
        dtype=np.dtype(dtype).name,
        train_end=int(train_end),
        val_end=int(val_end),
        unknown=unknown,
        folded=folded,
        checksum=checksum,
        kind=kind,
        edges=tuple(ends[:-1]),
        stamps=stamped,
    )
    return info, vocabulary


def kind_of(ids: np.ndarray, seen: list[int], line_end: int | None, sources: int) -> str:
    """Tell several files, and a list of lines, whose order means little, from a running text."""
    if sources > 1:
        return FILES
    sample = ids[:SAMPLE]
    ends = sample == line_end
    lines, blanks = int(ends.sum()), int((ends[1:] & ends[:-1]).sum())
    if lines < LIST_LINES or blanks > LIST_BLANKS * lines or len(sample) > LIST_LINE * lines:
        return TEXT
    lower = np.array([chr(code).islower() for code in seen])[sample[1:][ends[:-1]]]
    return TEXT if len(sample) > WRAPPED_LINE * lines and lower.mean() > WRAPPED else LIST


def split(
    ids: np.ndarray, line_end: int | None, config: TextConfig, kind: str
) -> list[list[Block]]:
    """Return the blocks of the three parts. The training part has at least two characters.

    The parts are the text's beginning, middle and end; or validation and test are blocks of lines
    from all over it, in a random order, so that the beginning of a part is a sample of it too.
    """
    length, shares = len(ids), (config.val_fraction, config.test_fraction)
    train_end = max(int((1 - sum(shares)) * length), min(2, length))
    val_end = max(train_end, int((1 - shares[1]) * length))
    parts = [[(0, train_end)], [(train_end, val_end)], [(val_end, length)]]
    if line_end is not None and config.split != "last" and (config.split or kind != TEXT):
        lines = sum(int((block == line_end).sum()) for block in blocks(ids))
        number = min(SPREAD_BLOCKS, int(sum(shares) * lines) // BLOCK_LINES)
        parts = spread(ids, line_end, shares, number) or parts
    return [[(begin, end) for begin, end in part if begin < end] for part in parts]


def spread(
    ids: np.ndarray, line_end: int, shares: tuple[float, float], number: int
) -> list[list[Block]]:
    """Hold out blocks in the middle of so many segments of the text; nothing if none fits."""
    held_out: list[list[int]] = []
    margin, segment = (1 - sum(shares)) / 2, len(ids) / max(1, number)
    for index in range(number):
        places = (index + np.cumsum([margin, *shares])) * segment
        edges = [line_start(ids, line_end, int(place), int(margin * segment)) for place in places]
        if all(edges):
            held_out.append(edges)
    if not held_out:
        return []
    begins, ends = [0, *(last for *_, last in held_out)], [*(first for first, *_ in held_out)]
    order = np.random.default_rng(0).permutation(len(held_out))
    validation, test = ([tuple(held_out[i][n : n + 2]) for i in order] for n in (0, 1))
    return [list(zip(begins, [*ends, len(ids)], strict=True)), validation, test]


def line_start(ids: np.ndarray, line_end: int, place: int, reach: int) -> int:
    """Return where a line begins from a place on, after a blank line if there is one; or 0."""
    begin = max(place - 1, 0)
    ends = ids[begin : place + reach] == line_end
    for found, width in ((ends[1:] & ends[:-1], 2), (ends, 1)):
        if found.any():
            return begin + int(found.argmax()) + width
    return 0


def blocks(ids: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(ids), BLOCK):
        yield ids[start : start + BLOCK]


def count(ids: np.ndarray, size: int) -> np.ndarray:
    """How often each id occurs, int64 [size]."""
    total = np.zeros(size, np.int64)
    for block in blocks(ids):
        total += np.bincount(block, minlength=size)
    return total


def choose(seen: list[int], counts: np.ndarray, config: TextConfig) -> Vocabulary:
    """The characters that occur in training at least `min_count` times."""
    kept = [
        chr(code) for code, times in zip(seen, counts, strict=True) if times >= config.min_count
    ]
    if not kept:
        raise CorpusError(
            "no character occurs so often", {"min_count": config.min_count}, way_out="lower it"
        )
    return Vocabulary.of(kept, config.bytes)


def rewrite(
    path: Path, ids: np.ndarray, order: list[Block], table: np.ndarray, vocabulary: Vocabulary
) -> tuple[int, int]:
    """Replace a file's ids by their entries in the table, its blocks in this order.

    Returns:
        How many ids are unknown, and the CRC-32 of the file.
    """
    unknowns = checksum = 0
    new = path.with_suffix(REWRITTEN)
    with new.open("wb") as file:
        for begin, end in order:
            for block in blocks(ids[begin:end]):
                translated = np.take(table, block)
                unknowns += int((translated == vocabulary.unknown).sum())
                checksum = zlib.crc32(translated.data, checksum)
                file.write(translated.data)
    new.replace(path)
    return unknowns, checksum


def stamps(sources: Iterable[Source]) -> tuple[tuple[int, int], ...]:
    return tuple(file_stamp(source.path) for source in sources if source.path is not None)


def describe(sources: Iterable[Source]) -> str:
    names = [source.name for source in sources]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def fingerprint(sources: Iterable[Source], config: TextConfig) -> str:
    """The fingerprint of the sources' text as it is now."""
    text = hashlib.sha256()
    for chunk in characters(sources, config):
        text.update(utf8(chunk))
    return text.hexdigest()


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def open_corpus(folder: Path, verify: bool = True) -> Corpus:
    """Map the folder's corpus; CorpusError where it is missing, cut short or altered."""
    info, vocabulary = read_info(folder)
    path = folder / IDS_FILE
    expected = info.length * np.dtype(info.dtype).itemsize
    if not path.exists() or path.stat().st_size != expected:
        raise CorpusError("missing or cut short", where=path, way_out=AGAIN)
    ids = np.memmap(path, info.dtype, "r")
    if verify:
        checksum, largest = survey(ids)
        if checksum != info.checksum:
            raise CorpusError("altered (its checksum differs)", where=path, way_out=AGAIN)
        if largest >= vocabulary.size:
            raise CorpusError("altered (it has an id of no character)", where=path, way_out=AGAIN)
    return Corpus(info, vocabulary, ids)


def read_info(folder: Path) -> tuple[CorpusInfo, Vocabulary]:
    path = folder / INFO_FILE
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        raise CorpusError("missing", where=path, way_out=AGAIN) from None
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"damaged: {error}", where=path, way_out=AGAIN) from error


def decode(data: bytes) -> tuple[CorpusInfo, Vocabulary]:
    """Read a record; ValueError where it cannot be one of ours."""
    given = check_names(parse(data), ("corpus", "vocabulary", "checksum"), "the record")
    if json.dumps(given).encode() != data:  # as it was written, to the last space
        raise ValueError("it was altered")
    if given.pop("checksum") != record_checksum(given):
        raise ValueError("its checksum does not match")
    info = from_object(CorpusInfo, given["corpus"], "corpus")
    if info.dtype not in (np.dtype(each).name for each in WIDTHS):
        raise ValueError("corpus.dtype is none that ids have")
    if info.kind not in KINDS:
        raise ValueError("corpus.kind is none that texts have")
    at_least(0, {"corpus.unknown": info.unknown, "corpus.folded": info.folded})
    if not 2 <= info.train_end <= info.val_end <= info.length:
        raise ValueError("the corpus's parts are not in their order")
    if any(before >= after for before, after in pairwise((0, *info.edges, info.length))):
        raise ValueError("the corpus's blocks are not in their order")
    return info, Vocabulary.from_json(given["vocabulary"])


def record_checksum(given: dict[str, object]) -> int:
    return zlib.crc32(json.dumps(given).encode())


def survey(ids: np.ndarray) -> tuple[int, int]:
    """CRC-32 of the ids' bytes, and the largest id."""
    checksum = largest = 0
    for block in blocks(ids):
        checksum = zlib.crc32(block.data, checksum)
        largest = max(largest, int(block.max()))
    return checksum, largest


def log_frequencies(corpus: Corpus) -> np.ndarray:
    """Return the log of each character's share of the training part, float32 [V].

    As the first bias of the logits it saves the network the dozens of steps in which it would
    learn the frequencies. Each count is half a time too high, so that none has the log of zero.
    """
    counts = count(corpus.train[:COUNTED], corpus.vocabulary.size) + 0.5
    shares: np.ndarray = np.log(counts / counts.sum()).astype(np.float32)
    return shares
