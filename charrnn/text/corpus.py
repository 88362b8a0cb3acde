"""A corpus as ids on disk, memory-mapped, so that memory does not grow with it.

Encoding takes two passes. The first reads the sources once and writes provisional ids
(characters numbered as they come) in the narrowest integers that hold them; then the
split is known, and the second pass counts the training part, sorts its characters, and
renumbers the file in place.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from charrnn.checked_json import at_least, check_names, from_object, parse
from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.files import write_atomically
from charrnn.text.reading import Source, file_stamp, join_texts, read
from charrnn.text.vocabulary import CODE_POINTS, Vocabulary, code_points

IDS_FILE = "corpus.ids"
INFO_FILE = "corpus.json"
AGAIN = "restore it, or start a new run with `init_from`"
"""The way out where a run's own copy of its text is lost."""
WIDTHS = (np.uint8, np.uint16, np.uint32)
WIDER = ".wider"
BLOCK = 1 << 18
UNSEEN = CODE_POINTS
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
    stamps: tuple[tuple[int, int], ...] = ()
    """Size and modification time (ns) of each source that is a file."""


@dataclass(frozen=True)
class Corpus:
    """Ids [N] with the split: train first, then validation, then test."""

    info: CorpusInfo
    vocabulary: Vocabulary
    ids: np.ndarray = field(repr=False)

    @property
    def train(self) -> np.ndarray:
        return self.ids[: self.info.train_end]

    @property
    def validation(self) -> np.ndarray:
        """The part that chooses the best checkpoint."""
        return self.ids[self.info.train_end : self.info.val_end]

    @property
    def test(self) -> np.ndarray:
        """The part that training never looks at."""
        return self.ids[self.info.val_end :]


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
        self.make_room(len(self.seen) - 1)

    def make_room(self, largest: int) -> None:
        """Widen the file's integers until they hold the number."""
        while largest > np.iinfo(self.dtype).max:
            wider, narrow = self.path.with_suffix(WIDER), self.dtype
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
        spool, stamped = Spool(path), stamps(sources)
        for chunk in characters(sources, config):
            spool.add(chunk)
        info, vocabulary = renumber(spool, sources, stamped, config, vocabulary)
        data: dict = {"corpus": asdict(info), "vocabulary": vocabulary.to_json()}
        data["checksum"] = record_checksum(data)
        write_atomically(folder / INFO_FILE, json.dumps(data).encode())
    except BaseException:
        path.unlink(missing_ok=True)
        path.with_suffix(WIDER).unlink(missing_ok=True)
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
    train_end, val_end = split(spool.length, config)
    folded = 0
    if vocabulary is None:
        provisional = np.memmap(spool.path, spool.dtype, "r")
        counts = count(provisional[:train_end], len(spool.seen))
        vocabulary = choose(spool.seen, counts, config)
        folded = int((counts > 0).sum()) - len(vocabulary.characters)
    table = vocabulary.encode("".join(map(chr, spool.seen)))
    spool.make_room(int(table.max()))  # a vocabulary given may be larger than the text's
    ids = np.memmap(spool.path, spool.dtype, "r+")
    unknown, checksum = translate(ids, table, vocabulary.unknown)
    info = CorpusInfo(
        sources=tuple(source.location for source in sources),
        fingerprint=spool.fingerprint,
        length=spool.length,
        dtype=np.dtype(spool.dtype).name,
        train_end=train_end,
        val_end=val_end,
        unknown=unknown,
        folded=folded,
        checksum=checksum,
        stamps=stamped,
    )
    return info, vocabulary


def split(length: int, config: TextConfig) -> tuple[int, int]:
    """Where the training part, of at least two characters, and the validation part end."""
    train_end = int((1 - config.val_fraction - config.test_fraction) * length)
    train_end = max(train_end, min(2, length))
    return train_end, max(train_end, int((1 - config.test_fraction) * length))


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


def translate(ids: np.ndarray, table: np.ndarray, unknown: int) -> tuple[int, int]:
    """Replace each id by its entry in the table; return how many are unknown, and the CRC-32."""
    unknowns = checksum = 0
    narrow = table.astype(ids.dtype)
    for block in blocks(ids):
        block[:] = np.take(narrow, block)
        if unknown in table:
            unknowns += int((block == unknown).sum())
        checksum = zlib.crc32(block.data, checksum)
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
    at_least(0, {"corpus.unknown": info.unknown, "corpus.folded": info.folded})
    if not 2 <= info.train_end <= info.val_end <= info.length:
        raise ValueError("the corpus's parts are not in their order")
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
