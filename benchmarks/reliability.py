"""The promises of RELIABILITY.md in long form: kills, readers, memory, files and sockets, damage.

    pip install '.[test]' && python benchmarks/reliability.py --help

Each command tries one promise as often as it is told and prints what it tried and what failed; the
status is 1 if anything did. Everything happens in a temporary folder. The tests hold the same
promises in short form.
"""

import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click

TESTS = Path(__file__).parent.parent / "tests"
CHARRNN = (sys.executable, "-m", "charrnn")
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "again", "today")
SETTINGS = ("--units", 32, "--steps", 400, "--eval-every", 20, "--checkpoint-every", 5)
SETTINGS += ("--sample-every", 7)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@click.group(help=__doc__, context_settings={"show_default": True})
def main() -> None:
    """Try the promises."""


def report(promise: str, tried: Counter[str], failed: list[str]) -> None:
    """Print what was tried and what failed; status 1 if anything did."""
    click.echo(f"{promise}: {sum(tried.values())} tried, {len(failed)} failed")
    for kind, count in sorted(tried.items()):
        click.echo(f"  {count:6} {kind}")
    for each in failed[:20]:
        click.echo(f"  failed: {each}")
    sys.exit(bool(failed))


def text(characters: int, seed: int = 0) -> str:
    """A text of random words."""
    chosen = random.Random(seed).choices(WORDS, k=characters // 4)
    lines = (" ".join(chosen[start : start + 8]) for start in range(0, len(chosen), 8))
    return "\n".join(lines)[:characters] + "\n"


# -- Kills -------------------------------------------------------------------------------


@main.command()
@click.option("--kills", default=100, help="How many times a process is killed.")
@click.option("--jobs", default=2, help="Runs side by side.")
@click.option("--seed", default=0, help="Decides the moments and the signals.")
def kills(kills: int, jobs: int, seed: int) -> None:
    """A run that was killed and resumed ends with the bits of one that was not."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "words.txt")
        source.write_text(text(20_000))
        begin = time.perf_counter()
        finish(source, "whole")
        seconds = time.perf_counter() - begin
        expected, tried, failed = outcome(source, "whole"), Counter[str](), list[str]()

        def one_run(number: int) -> None:
            name, chance = f"run-{number}", random.Random(seed * 10_000 + number)
            for _ in range(4):
                if killed := kill_once(source, name, chance, seconds):
                    tried[killed] += 1
            finish(source, name)
            if outcome(source, name) != expected:
                failed.append(f"{name} differs from the run that was not killed")

        def until_enough(first: int) -> None:
            for number in itertools.count(first, jobs):
                if sum(tried.values()) >= kills:
                    return
                one_run(number)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(until_enough, range(jobs)))
        report("killed and resumed = uninterrupted", tried, failed)


def start(source: Path, name: str) -> subprocess.Popen[bytes]:
    """Begin the run, or go on with it if it has begun."""
    root = source.parent / "checkpoints"
    begun = (root / name / "last.safetensors").exists()
    arguments = ["--resume"] if begun else [str(source), *map(str, SETTINGS)]
    command = [*CHARRNN, "train", *arguments, "--name", name, "--checkpoints", str(root)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE)


def finish(source: Path, name: str) -> None:
    """Let the run come to its end."""
    process = start(source, name)
    _, told = process.communicate()
    if process.returncode:
        raise click.ClickException(told.decode())


def kill_once(source: Path, name: str, chance: random.Random, seconds: float) -> str:
    """Kill the run at some moment; which signal it was, and when. Nothing if it had ended."""
    moments: dict[str, Callable[[Path], bool]] = {
        "while it begins": lambda run: any(run.glob(".staging-*")),
        "while it writes last": lambda run: any(run.glob(".last.safetensors.*.part")),
        "while it writes best": lambda run: any(run.glob(".best.safetensors.*.part")),
        "after an evaluation": grown(source.parent / "checkpoints" / name / "history.csv"),
        "after a sample": grown(source.parent / "checkpoints" / name / "samples.jsonl"),
        "at any time": waited(chance.uniform(0, seconds)),
    }
    moment, number = chance.choice(list(moments)), chance.choice(SIGNALS)
    process = start(source, name)
    threading.Thread(target=process.communicate, daemon=True).start()  # nothing waits for a reader
    run = source.parent / "checkpoints" / name
    while process.poll() is None and not moments[moment](run):
        time.sleep(0.0005)
    ended = process.poll() is not None
    process.send_signal(number)
    process.wait()
    return "" if ended else f"{number.name} {moment}"


def grown(path: Path) -> Callable[[Path], bool]:
    """Whether a file is longer than it was."""
    before = path.stat().st_size if path.exists() else 0
    return lambda run: path.exists() and path.stat().st_size > before


def waited(seconds: float) -> Callable[[Path], bool]:
    """Whether some time is over."""
    end = time.perf_counter() + seconds
    return lambda run: time.perf_counter() > end


def outcome(source: Path, name: str) -> list[object]:
    """All that a run leaves, without what the clock decides."""
    from charrnn.runs.checkpoints import load

    run, kept = source.parent / "checkpoints" / name, list[object]()
    for which in ("last", "best"):
        checkpoint = load(run / f"{which}.safetensors")
        progress = vars(checkpoint.progress) | {"elapsed_seconds": 0}
        tensors = {key: each.tobytes() for key, each in sorted(checkpoint.tensors.items())}
        kept += [progress, tensors, checkpoint.config]
    kept.append((run / "samples.jsonl").read_bytes())
    rows = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    clock = rows[0].index("elapsed_seconds")
    return [*kept, [row[:clock] + row[clock + 1 :] for row in rows]]


# -- Readers -----------------------------------------------------------------------------


@main.command()
@click.option("--loads", default=1000, help="How often the checkpoints are loaded.")
def readers(loads: int) -> None:
    """Whoever loads a checkpoint during training finds a whole one."""
    from charrnn.runs.checkpoints import load

    tried, failed = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "words.txt")
        source.write_text(text(20_000))
        process = train_for_ever(source)
        files = [source.parent / f"checkpoints/run/{each}.safetensors" for each in ("last", "best")]
        while not files[1].exists():
            time.sleep(0.1)
        for file in itertools.islice(itertools.cycle(files), loads):
            try:
                tried[f"at step {load(file).progress.step // 1000:,} thousand"] += 1
            except Exception as error:
                failed.append(repr(error))
        process.terminate()
        process.communicate()
    report("readers find whole checkpoints", tried, failed)


def train_for_ever(source: Path) -> subprocess.Popen[bytes]:
    """Train a tiny network that is saved at every step and evaluated at every second."""
    often = ("--steps", 10**7, "--checkpoint-every", 1, "--eval-every", 2, "--units", 16)
    root, quiet = source.parent / "checkpoints", subprocess.DEVNULL
    named = ("--name", "run", "--checkpoints", root)
    command = [*CHARRNN, "train", *map(str, (source, *often, *named))]
    return subprocess.Popen(command, stdout=quiet, stderr=quiet)


# -- Memory ------------------------------------------------------------------------------


@main.command()
@click.option("--characters", default=1_000_000, help="How many are written.")
@click.option("--loads", default=2000, help="How often the model is loaded.")
@click.option("--steps", default=3000, help="Steps of training.")
def memory(characters: int, loads: int, steps: int) -> None:
    """Memory, open files and threads stay what they are."""
    import charrnn

    tried, failed = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "words.txt")
        source.write_text(text(20_000))
        root = Path(folder, "checkpoints")
        plan = {"units": 32, "steps": steps, "sample_every": 0}
        events = charrnn.train(source, name="run", checkpoints=root, **plan)
        flat("steps of training", events, steps, tried, failed)
        model = charrnn.load(root / "run")
        flat("characters written", model.stream(length=characters), characters, tried, failed)
        again = (charrnn.load(root / "run").score("fox") for _ in range(loads))
        flat("loads", again, loads, tried, failed)
    report("memory, open files and threads stay flat", tried, failed)


def flat(
    what: str, work: Iterator[object], times: int, tried: Counter[str], failed: list[str]
) -> None:
    """Compare what the process holds at a third of some work with what it holds at its end."""
    third = None
    for number, _ in enumerate(work):
        if number == times // 3:
            third = held()
    tried[what] += times
    end = held()
    click.echo(f"{what}: a third {third}, end {end}")
    if third is None or any(now > then * 1.02 + 2 for then, now in zip(third, end, strict=True)):
        failed.append(f"{what}: {third} grew to {end}")


def held() -> tuple[int, int, int]:
    """Memory in MB, open files, and threads of this process, as Linux tells them."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files, threads = (len([*Path("/proc/self", each).iterdir()]) for each in ("fd", "task"))
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20, files, threads


# -- Files and sockets -------------------------------------------------------------------

COMMANDS = (
    "train words.txt --units 16 --steps 30 --name run",
    "train --resume --name run --steps 30",
    "sample run --length 200 --seed 1 --count 3",
    "sample run --length 50 --state-out end.state --output out.txt",
    "sample run --length 50 --state-in end.state",
    "evaluate run",
    "info run",
)
NAMED = ("words.txt", "checkpoints", "end.state", "out.txt")


@main.command()
def footprint() -> None:
    """Nothing but the run's folder and named outputs is written, and nothing is sent or received.

    Every command runs under strace, in a home folder of its own. A socket may be opened, but not
    used: a package that TensorFlow imports (urllib3) asks so whether the system knows IPv6.
    """
    tried, failed = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        home, work, temporary = (Path(folder, each) for each in ("home", "work", "tmp"))
        for each in (home, work, temporary):
            each.mkdir()
        (work / "words.txt").write_text(text(20_000))
        places = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
        for command in COMMANDS:
            tried[command] += 1
            failed += traced(command, work, Path(folder, "trace"), os.environ | places)
        left = [*home.rglob("*"), *temporary.rglob("*")]
        left += [each for each in work.iterdir() if each.name not in NAMED]
        failed += [f"left {each}" for each in left]
    report("writes only what is named, uses no socket", tried, failed)


def traced(command: str, work: Path, trace: Path, environment: dict[str, str]) -> list[str]:
    """Run a command; its system calls that use a socket, or open a file elsewhere for writing."""
    uses = "connect,listen,accept,sendto"
    calls = f"trace={uses},openat,open,creat,rename,renameat,renameat2,unlink,mkdir"
    strace = ["strace", "-f", "-qq", "-y", "-o", str(trace), "-e", calls]
    subprocess.run(
        [*strace, *CHARRNN, *command.split()],
        cwd=work,
        env=environment,
        check=True,
        capture_output=True,
    )
    return [f"{command}: {line}" for line in trace.read_text().splitlines() if foreign(line, work)]


def foreign(call: str, work: Path) -> bool:
    """Whether a traced call uses a socket or writes outside the folder of work."""
    if any(f"{use}(" in call for use in ("connect", "listen", "accept", "sendto")):
        return True
    writes = any(word in call for word in ("O_WRONLY", "O_RDWR", "O_CREAT", "rename", "mkdir"))
    ours = str(work.parent) in call or "/dev/" in call or '("' in call.replace('("/', "")
    return writes and "= -1" not in call and not ours


# -- Damage and nasty corpora ------------------------------------------------------------


@main.command()
@click.option("--files", default=5000, help="How many files are damaged.")
@click.option("--seed", default=0)
def damage(files: int, seed: int) -> None:
    """A damaged file is refused with one line, and never overlooked.

    The checks are those of test_damage.py in tests/, with other damage.
    """
    import test_damage as checks
    from damage import blind, tensors_file

    tried, failed = Counter[str](), list[str]()
    model = checks.small_model()
    trials: dict[str, Callable[[random.Random], object]] = {
        "checkpoint up to 16 MB, blind": lambda chance: checks.blindly(chance, whole=True),
        "checkpoint above 16 MB, blind": lambda chance: checks.blindly(chance, whole=False),
        "checkpoint, checksums recomputed": lambda chance: checks.read(
            tensors_file(checks.example_bytes(), chance)
        ),
        "state, blind": lambda chance: checks.continued(
            model, blind(checks.state_bytes(model), chance)
        ),
        "state, checksums recomputed": lambda chance: checks.continued(
            model, tensors_file(checks.state_bytes(model), chance)
        ),
        "corpus.json, checksums recomputed": checks.hostile_record,
    }
    with working_folder():
        for number in range(files):
            kind = list(trials)[number % len(trials)]
            tried[kind] += 1
            try:
                trials[kind](random.Random(seed * files + number))
            except BaseException as error:
                failed.append(f"{kind}, number {number}: {error!r}"[:300])
    report("damaged files are refused with one line", tried, failed)


@main.command()
@click.option("--files", default=5000, help="How many files are damaged.")
@click.option("--seed", default=0)
def imports(files: int, seed: int) -> None:
    """A damaged model of another tool is refused with one line, or read as the whole one is.

    The checks are those of test_import_damage.py in tests/, with other damage. Most of the formats
    have no checksum: where only numbers of the weights are altered, the model has those.
    """
    import test_import_damage as checks

    tried, failed = Counter[str](), list[str]()
    for number in range(files):
        layout = list(checks.LAYOUTS)[number % len(checks.LAYOUTS)]
        try:
            ended = checks.hold_the_law(random.Random(seed * files + number), layout)
            tried[f"{layout.split()[0]}: {ended}"] += 1
        except BaseException as error:
            tried[f"{layout.split()[0]}: failed"] += 1
            failed.append(f"{layout}, number {number}: {error!r}"[:300])
    report("damaged models of other tools are refused with one line", tried, failed)


@main.command()
@click.option("--count", default=2000, help="How many corpora are read.")
@click.option("--seed", default=0)
def corpora(count: int, seed: int) -> None:
    """A corpus of a nasty kind is read exactly, or refused by name (see tests/corpora.py)."""
    from corpora import hold_the_law, nasty_corpora

    tried, failed = Counter[str](), list[str]()
    for nasty in itertools.islice(nasty_corpora(seed), count):
        with working_folder():
            try:
                tried["read exactly" if hold_the_law(nasty) else "refused by name"] += 1
            except BaseException as error:
                failed.append(f"{nasty}: {error!r}"[:300])
    report("nasty corpora are read exactly or refused", tried, failed)


@contextmanager
def working_folder() -> Iterator[None]:
    """A temporary folder to work in."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    main()
