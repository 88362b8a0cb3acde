"""For tests of the command line: commands run in this process, and a run that costs nothing."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from conftest import SMALL, TEXT

from charrnn.cli import main
from charrnn.config import Config
from charrnn.network.weights import add_prefix, initial_weights
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.text.batches import Streams
from charrnn.text.corpus import encode_corpus
from charrnn.text.sources import select

ROOT = Path("checkpoints")
CHARRNN = (sys.executable, "-m", "charrnn")


@dataclass(frozen=True)
class Outcome:
    """What a command leaves on the screen."""

    status: int
    out: str
    err: str


def charrnn(*arguments: Any, stdin: bytes = b"", charset: str = "utf-8") -> Outcome:
    """Run a command in this process; a traceback fails the test."""
    result = CliRunner(charset=charset).invoke(
        main, [str(argument) for argument in arguments], stdin, catch_exceptions=False
    )
    return Outcome(result.exit_code, result.stdout, result.stderr)


def options(**settings: Any) -> list[str]:
    """The settings as command-line options."""
    return [
        part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)
    ]


def environment() -> dict[str, str]:
    """A user's environment: nothing that the tests set."""
    return {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below the folder, with the contents of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def untrained(folder: Path = ROOT / "fox", text: str = TEXT) -> Run:
    """A run at step 0 of a quick-brown-fox text, made without TensorFlow."""
    folder.mkdir(parents=True)
    source = Path("fox.txt")
    source.write_text(text, encoding="utf-8")
    config = Config.of(**SMALL)
    corpus = encode_corpus(select([source]).sources, config.text, folder)
    weights = initial_weights(config.model, corpus.vocabulary.size, config.training.seed)
    windows = Streams(corpus.train, SMALL["batch_size"], SMALL["seq_length"]).windows
    progress = Progress(end=4, windows=windows)
    checkpoint = Checkpoint(config, corpus.vocabulary, progress, add_prefix("weights", weights))
    run = Run(folder)
    checkpoints.save(run.best, checkpoint)
    checkpoints.save(run.last, checkpoint)
    run.lock_file.touch()
    return run
