"""Corpora of every nasty kind, and the law: each is read exactly, or refused by its file's name.

The same seed gives the same corpora. The oracle reads them in the plainest way that Python
offers, all at once and without a line of charrnn's.
"""

import bz2
import gzip
import lzma
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from random import Random
from unittest.mock import patch

from charrnn.config import TextConfig
from charrnn.errors import CharrnnError
from charrnn.text import reading
from charrnn.text.corpus import encode_corpus, open_corpus
from charrnn.text.sources import select

PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
UNPACKERS = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"),
    *("utf-32-be", "utf-7", "latin-1", "cp1252", "ascii", "koi8-r", "gb18030", "big5"),
    *("shift_jis", "euc_jp", "iso2022_jp", "euc_kr", "cp037"),
)
PIECES = (
    *("\n", "\r", "\r\n", "\n\r", "\r\r\n", "\t", "\x0b", "\x0c", "\x1b[0m", "\x7f", "\x85"),
    *("a", "text ", "é", "e\u0301", "ñ", "ÿ", "ж", "שלום", "ﷺ", "漢字", "かな", "한글", "ไทย"),
    *("\u2028", "\u2029", "\u200d", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\u202e", "\xa0"),
    *("😀", "👩\u200d🚀", "𝔘", "\U0010ffff", "\U00010000", "\ue000", "\ud7ff"),
)
WRONG = (
    *(b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\x81", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc3"),
    *(b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80"),
    *(b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xff\xfe", b"\xfe\xff"),
    *(b"\0", b"\0\0", b"\xef\xbb", b"\xe2\x82", b"\x1b$B", b"\x81", b"\x81\x30", b"\x00\xd8"),
)
NAMES = ("a.txt", "b", "ü.txt", "漢.md", "-", "[x].txt", "a b", "\udcff\udcfe.txt", "new\nline")
CHUNKS = (1, 2, 3, 7, 1 << 16)


@dataclass(frozen=True)
class Nasty:
    """Files, what the user names of them, and how they are to be read."""

    files: Mapping[str, bytes]
    named: Sequence[str]
    settings: Mapping[str, object] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    pipes: Sequence[str] = ()
    chunk: int = 1 << 16


# -- What is made --------------------------------------------------------------------------


def nasty_corpora(seed: int) -> Iterator[Nasty]:
    """Corpora without an end: first the known kinds, then random ones."""
    yield from oddities()
    yield from cuts()
    random = Random(seed)
    while True:
        yield random_file(random)
        yield random_file(random)
        yield random_tree(random)


def oddities() -> Iterator[Nasty]:
    """Files that are special as a whole."""
    contents = (b"", b"a", b"\n", b"\r", b"\r\n", b"\n" * 9999, b"\r" * 9999, b"\r\n" * 9999)
    marks = ("\ufeff", "\ufeff\ufeff", "\ufeffa", "a\ufeff", "\ufeff\r\n")
    long = ("x" * (2 << 20) + "\r\n", "é" * (1 << 18), "\U0001f600" * (1 << 16))
    yield from (Nasty({"a.txt": text.encode()}, ["a.txt"]) for text in long)
    texts = (text.encode() for text in marks)
    for data in chain(contents, texts, WRONG, (b"ab" + wrong + b"cd" for wrong in WRONG)):
        for settings in ({}, {"bytes": True}, {"keep_newlines": True}):
            yield Nasty({"a.txt": data}, ["a.txt"], settings)


def cuts() -> Iterator[Nasty]:
    """A text cut at every byte, in several encodings."""
    text = "a\r\né漢😀e\u0301"
    for encoding in ("utf-8", "utf-16", "utf-16-be", "utf-32", "gb18030"):
        data = text.encode(encoding)
        for end in range(len(data) + 1):
            chunk = CHUNKS[end % len(CHUNKS)]
            yield Nasty({"a.txt": data[:end]}, ["a.txt"], {"encoding": encoding}, chunk=chunk)


def random_text(random: Random, encoding: str) -> str:
    """Awkward characters, as far as the encoding has them."""
    pieces = random.choices(PIECES, k=random.randrange(40))
    return "".join(pieces).encode(encoding, "ignore").decode(encoding, "ignore")


def random_data(random: Random, encoding: str) -> bytes:
    """A text in an encoding, sometimes damaged."""
    data = random_text(random, encoding).encode(encoding, "ignore")
    if random.random() < 0.3:
        place = random.randrange(len(data) + 1)
        gone = random.randrange(3)
        data = data[:place] + random.choice((*WRONG, b"")) + data[place + gone :]
    return data


def packed(random: Random, name: str, data: bytes) -> tuple[str, bytes]:
    """The file, sometimes compressed, in one piece or in two, and sometimes cut short."""
    if random.random() < 0.7:
        return name, data
    suffix, pack = random.choice(list(PACKERS.items()))
    half = len(data) // 2 * random.randrange(2)
    data = pack(data[:half]) + pack(data[half:]) if half else pack(data)
    cut = random.randrange(1, len(data)) if random.random() < 0.2 else len(data)
    return name + suffix, data[:cut]


def random_settings(random: Random, encoding: str) -> dict[str, object]:
    """Ways of reading: mostly in the right encoding, sometimes in another."""
    read_as = random.choice(ENCODINGS) if random.random() < 0.1 else encoding
    return {
        "encoding": read_as,
        "bytes": random.random() < 0.1,
        "keep_newlines": random.random() < 0.3,
    }


def random_file(random: Random) -> Nasty:
    """One file."""
    encoding = random.choice(ENCODINGS)
    name, data = packed(random, "a.txt", random_data(random, encoding))
    settings = random_settings(random, encoding)
    return Nasty({name: data}, [name], settings, chunk=random.choice(CHUNKS))


def random_tree(random: Random) -> Nasty:
    """Folders with files, links to them, and pipes, of which some are named several times."""
    encoding = random.choice(ENCODINGS)
    files = {}
    for _ in range(random.randrange(1, 7)):
        folder = random.choice(("t/", "t/d/", "t/d/c/", "t/.h/", "t/ü/", "u/"))
        data = random_text(random, encoding).encode(encoding, "ignore")
        if random.random() < 0.15:
            data = random_data(random, encoding)
        name, data = packed(random, folder + random.choice(NAMES), data)
        files[name] = data
    links = {f"t/l{number}": random.choice(list(files)) for number in range(random.randrange(3))}
    links |= {"t/up": "t"} if random.random() < 0.3 else {}
    named = random.choices(("t", "t/", "./t", "u", "t/**", "t/*", *files, *links), k=3)
    settings = random_settings(random, encoding)
    settings["skip_undecodable"] = random.random() < 0.3
    pipes = ["t/pipe"] if random.random() < 0.3 else []
    return Nasty({"t/x": b"", "u/x": b"", **files}, named, settings, links, pipes)


def make(nasty: Nasty) -> None:
    """Write the corpus into the working folder."""
    for name, data in nasty.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)
    for name, target in nasty.links.items():
        Path(name).symlink_to(os.path.relpath(target, Path(name).parent))
    for name in nasty.pipes:
        os.mkfifo(name)


# -- What it says --------------------------------------------------------------------------


def expected(nasty: Nasty) -> str | None:
    """The corpus's text, read in the plainest way; None where it is to be refused."""
    settings = TextConfig(**nasty.settings)  # type: ignore[arg-type]
    try:
        texts = [text for path in taken(nasty, settings) if (text := plainly(path, settings))]
    except (UnicodeError, EOFError, OSError, lzma.LZMAError, gzip.zlib.error):  # type: ignore[attr-defined]
        return None
    ended = [text if text[-1] in "\r\n" else text + "\n" for text in texts[:-1]]
    whole = "".join(ended + texts[-1:])
    return whole if len(whole) >= 2 else None


def plainly(path: str, settings: TextConfig) -> str:
    """The text of one file."""
    data = unpacked(path)
    if settings.bytes:
        return data.decode("latin-1")
    encoding = settings.encoding
    marks = {"utf-16": (b"\xff\xfe", b"\xfe\xff"), "utf-32": (b"\xff\xfe\0\0", b"\0\0\xfe\xff")}
    if len(data) and encoding in marks and not data.startswith(marks[encoding]):
        raise UnicodeError("without a mark")
    text = data.decode(encoding)
    if encoding not in ("utf-8-sig", "utf-16", "utf-32"):
        text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise UnicodeError("binary")
    return text if settings.keep_newlines else text.replace("\r\n", "\n")


def unpacked(path: str) -> bytes:
    """The file's bytes, uncompressed."""
    data = Path(path).read_bytes()
    unpack = UNPACKERS.get(Path(path).suffix)
    if unpack and not data:
        raise EOFError
    try:
        return unpack(data) if unpack else data
    except ValueError as error:  # bz2's for a file cut short
        raise EOFError from error


def taken(nasty: Nasty, settings: TextConfig) -> list[str]:
    """The files that make up the corpus, each once."""
    named = {os.path.realpath(name) for name in nasty.named if Path(name).is_file()}
    found = []
    for name in nasty.named:
        for path in listed(name):
            place = os.path.realpath(path)
            binary = place not in named and looks_binary(path, settings)
            again = place in map(os.path.realpath, found)
            skipped = settings.skip_undecodable and not again and not reads(path, settings)
            if not (again or binary or skipped):
                found.append(path)
    return found


def listed(name: str) -> list[str]:
    """The regular files that a name stands for, in the order in which they are read."""
    if name in ("t/*", "t/**"):
        inner = sorted(each for each in Path("t").iterdir() if each.name[0] != ".")
        return [file for path in inner for file in listed(str(path))]
    if Path(name).is_file():
        return [name]
    if not Path(name).is_dir():
        return []
    return [str(path) for path in sorted(files_below(Path(name), ()))]


def files_below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """The regular files below a folder."""
    above = (*above, os.path.realpath(folder))
    for each in folder.iterdir():
        if each.name[0] != "." and each.is_dir() and os.path.realpath(each) not in above:
            yield from files_below(each, above)
        elif each.name[0] != "." and each.is_file():
            yield each


def looks_binary(path: str, settings: TextConfig) -> bool:
    """Whether a file that was not named itself is passed over."""
    if settings.bytes or settings.encoding[:6] in ("utf-16", "utf-32"):
        return False
    try:
        return b"\0" in unpacked(path)[:8192]
    except (EOFError, OSError, lzma.LZMAError, gzip.zlib.error):  # type: ignore[attr-defined]
        return False


def reads(path: str, settings: TextConfig) -> bool:
    """Whether the file can be decoded."""
    try:
        plainly(path, settings)
    except UnicodeError:
        return False
    return True


# -- The law -------------------------------------------------------------------------------


def learnt(nasty: Nasty) -> str:
    """The text that charrnn learns, as it stands on disk afterwards."""
    settings = TextConfig(**{**nasty.settings, "val_fraction": 0})  # type: ignore[arg-type]
    Path("run").mkdir()
    with patch.object(reading, "CHUNK_BYTES", nasty.chunk), patch("os.fsync"):
        encode_corpus(select(nasty.named, settings).sources, settings, Path("run"))
    corpus = open_corpus(Path("run"))
    return corpus.vocabulary.decode(corpus.ids.tolist())


def hold_the_law(nasty: Nasty) -> bool:
    """Make the corpus in the working folder and read it; whether it was read, not refused."""
    make(nasty)
    text = expected(nasty)
    refusal = ""
    try:
        assert learnt(nasty) == text, nasty
    except CharrnnError as error:
        refusal = str(error)
    if refusal:
        places = [str(Path(place)) for place in (*nasty.files, *nasty.links, *nasty.named)]
        assert text is None, (nasty, refusal)
        assert refusal.startswith(tuple(places)), (nasty, refusal)
        assert not list(Path("run").glob("*")), nasty
    return not refusal


def hold_the_law_for(seed: int, count: int) -> int:
    """Try so many corpora, each in a folder of its own; how many were read."""
    before, read = Path.cwd(), 0
    for nasty in islice(nasty_corpora(seed), count):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                read += hold_the_law(nasty)
            finally:
                os.chdir(before)
    return read
