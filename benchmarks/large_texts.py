"""Large texts: how fast they are encoded, in how much memory, and how soon the first step is taken.

    python benchmarks/large_texts.py --largest 1.1GB

makes texts of 64 MB, 256 MB and so on, four times as large each, measures each in processes of its
own, and prints tables in Markdown. It needs three times as much disk as the largest text, below
the folder in which it is started.

Encoding is timed from the first byte that is read to the record on disk. Memory is the largest
RssAnon (of /proc/self/status): what the process itself holds, without the pages of files, which
the system takes back when it needs them. The time to the first step counts from `charrnn.train`
to its first `Stepped`, the import and start of TensorFlow and another encoding included; the last
column is the memory until then.

A second table compares training on a warm page cache with training on a cold one. Rounds of each
take turns; before a cold round, all of the text's ids are thrown out of the cache
(posix_fadvise, POSIX_FADV_DONTNEED), so that every stream has to be read from the disk again. The
network is a small one, which needs a window soon after the one before. Beside that stands how
long it takes to read one window of all streams, with all of it in the cache and none of it. The
system reads more than the window then, and the next ones come from the cache.
"""

import json
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
import charrnn
from charrnn.config import Config, TextConfig
from charrnn.text.corpus import Corpus, encode_corpus, open_corpus
from charrnn.text.reading import Source

MEGABYTE = 1_000_000
FACTOR = 4
"""Each text is so many times as large as the one before."""
UNITS = {"MB": MEGABYTE, "GB": 1000 * MEGABYTE}
BLOCKS = 16
"""So many different megabytes, one after the other in a random order, make a text."""
WORDS = 20_000
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
SAMPLED_SECONDS = 0.02
NETWORK = {"cell": "coupled", "layers": 1, "units": 384, "embedding": 192}
SMALL_NETWORK = {"cell": "coupled", "layers": 1, "units": 128, "embedding": 64}
ROUNDS, STEPS = 3, 100
"""Rounds of the comparison, and steps of each."""
READS = 10


def parse_size(text: str) -> int:
    """Bytes in 64MB or 4GB."""
    number, unit = text[:-2], text[-2:].upper()
    if unit not in UNITS or not number.replace(".", "", 1).isdigit():
        raise click.BadParameter("write it as 256MB or 4GB")
    return round(float(number) * UNITS[unit])


def write_text(path: Path, size: int) -> None:
    """A text of made-up words, which are as frequent as words are (Zipf), in lines."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list(LETTERS), rng.integers(1, 11))) for _ in range(WORDS)]
    blocks = [block_of(rng, words) for _ in range(BLOCKS)]
    with path.open("wb") as file:
        for _ in range(size // MEGABYTE):
            file.write(blocks[rng.integers(BLOCKS)])
        os.fsync(file.fileno())


def block_of(rng: np.random.Generator, words: list[str]) -> bytes:
    """A megabyte of text, in lines of twelve words."""
    places = np.minimum(rng.zipf(1.2, MEGABYTE // 2), WORDS) - 1
    chosen = [words[place] for place in places]
    lines = (" ".join(chosen[n : n + 12]) for n in range(0, len(chosen), 12))
    text = "\n".join(lines).encode()
    return (text * (MEGABYTE // len(text) + 1))[: MEGABYTE - 1] + b"\n"


def anonymous_bytes() -> int:
    """RssAnon of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(each for each in lines if each.startswith("RssAnon:"))
    return 1024 * int(line.split()[1])


@contextmanager
def watched() -> Iterator[Callable[[], int]]:
    """Look at RssAnon again and again; what is yielded tells the largest so far."""
    seen, over = [anonymous_bytes()], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLED_SECONDS):
            seen.append(anonymous_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: max(seen)
    finally:
        over.set()
        thread.join()


def encoding(path: Path, root: Path) -> dict[str, float]:
    """How long a text takes to encode, and the memory that it takes."""
    folder = root / "encoded"
    folder.mkdir()
    with watched() as largest:
        begin = time.perf_counter()
        encode_corpus([Source(path)], TextConfig(), folder)
        seconds = time.perf_counter() - begin
        found = {"encoding_seconds": seconds, "encoding_bytes": largest()}
    begin = time.perf_counter()
    open_corpus(folder)
    return {**found, "verifying_seconds": time.perf_counter() - begin}


def first_step(path: Path, root: Path) -> dict[str, float]:
    """How long it takes until a run has taken its first step, and the memory that it takes."""
    with watched() as largest:
        begin = time.perf_counter()
        given = {"checkpoints": root / "checkpoints", "steps": 10_000, **NETWORK}
        with charrnn.train(path, name="run", **given) as events:
            for event in events:
                if type(event).__name__ == "Stepped":
                    break
            seconds = time.perf_counter() - begin
    return {"first_step_seconds": seconds, "training_bytes": largest()}


def drop(corpus: Corpus, path: Path) -> None:
    """Throw a corpus's ids out of the page cache, and out of this process's map of them."""
    pages = corpus.ids.base
    assert isinstance(pages, mmap.mmap)
    pages.madvise(mmap.MADV_DONTNEED)
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cold_cache(folder: Path) -> dict[str, float]:
    """Seconds of a step and of reading a window, on a warm page cache and on a cold one."""
    corpus, path = open_corpus(folder, verify=False), folder / "corpus.ids"
    step, read = trained(corpus)
    sync(path)
    times: dict[str, list[float]] = {"warm": [], "cold": [], "warm_read": [], "cold_read": []}
    for _ in range(ROUNDS):
        for kind in ("warm", "cold"):
            if kind == "cold":
                drop(corpus, path)
            times[kind] += [seconds_of(step) for _ in range(STEPS)]
    for _ in range(READS):
        drop(corpus, path)
        times["cold_read"].append(seconds_of(read))
        times["warm_read"].append(seconds_of(read))
    return {f"{kind}_seconds": statistics.fmean(each) for kind, each in times.items()}


def trained(corpus: Corpus) -> tuple[Callable[[], object], Callable[[], object]]:
    """A step of a learner that is compiled already, and the reading of the step's window."""
    from charrnn.training.learner import Learner
    from charrnn.training.step import Trainer

    config = Config.of(**SMALL_NETWORK)
    learner = Learner(corpus, config, Trainer(config, corpus.vocabulary.size))
    learner.progress.windows, learner.progress.end = learner.streams.windows, 10_000
    learner.step()
    return learner.step, lambda: learner.streams.window(learner.progress.window)


def seconds_of(do: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


def sync(path: Path) -> None:
    """Write a file's pages to the disk: the cache keeps those that are not there yet."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def measure(size: int) -> dict[str, float]:
    """All figures of a text of that size, each measured in a process of its own."""
    with tempfile.TemporaryDirectory(dir=".") as root:
        path = Path(root) / "text.txt"
        write_text(path, size)
        found: dict[str, float] = {"bytes": size}
        for what in ("encoding", "cold", "first"):
            found |= json.loads(itself("--measure", what, root))
        return found


def itself(*arguments: str) -> str:
    """The output of this script in another process."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def figures(what: str, root: Path) -> dict[str, float]:
    """One kind of figures, in this process."""
    if what == "encoding":
        return encoding(root / "text.txt", root)
    if what == "cold":
        return cold_cache(root / "encoded")
    return first_step(root / "text.txt", root)


def tables(rows: list[dict[str, float]]) -> str:
    """Both tables in Markdown."""
    return "\n".join([*map(piped, memory_table(rows)), "", *map(piped, cache_table(rows))])


def piped(cells: list[str]) -> str:
    """A row of Markdown."""
    return f"| {' | '.join(cells)} |"


def memory_table(rows: list[dict[str, float]]) -> Iterator[list[str]]:
    """Encoding, memory and the first step."""
    heads = ("text", "encoding", "MB a second", "RssAnon", "verifying", "first step", "RssAnon")
    yield [*heads]
    yield ["---"] * len(heads)
    for each in rows:
        size, seconds = each["bytes"] / MEGABYTE, each["encoding_seconds"]
        yield [
            f"{size:,.0f} MB",
            f"{seconds:.1f} s",
            f"{size / seconds:.0f}",
            f"{each['encoding_bytes'] / MEGABYTE:.0f} MB",
            f"{each['verifying_seconds']:.1f} s",
            f"{each['first_step_seconds']:.1f} s",
            f"{each['training_bytes'] / MEGABYTE:.0f} MB",
        ]


def cache_table(rows: list[dict[str, float]]) -> Iterator[list[str]]:
    """Steps on a warm and on a cold page cache."""
    yield ["text", "step, warm", "step, cold", "reading a window, warm", "cold"]
    yield ["---"] * 5
    for each in rows:
        kinds = ("warm", "cold", "warm_read", "cold_read")
        shown = [f"{1000 * each[f'{kind}_seconds']:.2f} ms" for kind in kinds]
        yield [f"{each['bytes'] / MEGABYTE:,.0f} MB", *shown]


@click.command(help=__doc__)
@click.option("--smallest", default="64MB", show_default=True, callback=lambda *a: parse_size(a[2]))
@click.option("--largest", default="1.1GB", show_default=True, callback=lambda *a: parse_size(a[2]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--measure", "what", nargs=2, type=str, hidden=True)
def main(smallest: int, largest: int, as_json: bool, what: tuple[str, str] | None) -> None:
    if what:
        click.echo(json.dumps(figures(what[0], Path(what[1]))))
        return
    rows, size = [], smallest
    while size <= largest:
        rows.append(measure(size))
        click.echo(json.dumps(rows[-1]), err=True)
        size *= FACTOR
    click.echo(json.dumps(rows) if as_json else tables(rows))


if __name__ == "__main__":
    main()
