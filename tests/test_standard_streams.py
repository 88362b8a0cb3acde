"""Standard streams that are closed, broken or full, and control characters on a terminal."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
import pytest
from commands import ROOT, charrnn, options, untrained
from conftest import SMALL

from charrnn.cli import main
from charrnn.cli.output import Drawing, escape_controls, standard_streams
from charrnn.runs import checkpoints
from charrnn.runs.run import Run


@pytest.fixture
def broken() -> Iterator[TextIO]:
    """A pipe that nobody reads from any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8", buffering=1) as stream:
        yield stream


def command(*arguments: object) -> int:
    """Run a command on the process's own streams, and return its status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    status = ended.value.code
    assert isinstance(status, int)
    return status


# -- Standard error ----------------------------------------------------------------------


@pytest.fixture(params=["closed", "broken"])
def unread(request: pytest.FixtureRequest, broken: TextIO) -> TextIO | None:
    """Standard error that nobody reads, for a test to put in place."""
    return None if request.param == "closed" else broken


@pytest.mark.usefixtures("eagerly")
def test_training_goes_on_when_nobody_reads(
    corpus: Path, unread: TextIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", unread)
    every = ("--eval-every", 1, "--sample-every", 1)
    assert command("train", corpus, *options(**SMALL)[:-2], *every, "--steps", 3) == 0
    run = Run(ROOT / "corpus")
    assert checkpoints.load(run.last).progress.step == 3
    assert len(run.history.read_text(encoding="utf-8").splitlines()) == 4


def test_the_text_and_the_status_are_the_same_when_nobody_reads_the_rest(
    unread: TextIO | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    untrained()
    expected = charrnn("sample", "--length", 9, "--seed", 1).out
    monkeypatch.setattr(sys, "stderr", unread)
    assert command("sample", "--length", 9, "--seed", 1) == 0
    assert capsys.readouterr().out == expected
    assert command("sample", "nobody") == 1
    assert command("sample", "--no-such-option") == 2


def test_no_file_gets_the_number_of_a_closed_stream() -> None:
    script = (
        "import os\n"
        "from charrnn.cli.output import standard_streams\n"
        "with standard_streams(): print(os.open('/dev/null', os.O_RDONLY))"
    )
    line = f'"{sys.executable}" -c "{script}" <&- 2>&-'
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environ)
    assert int(done.stdout) > 2


# -- Standard output ---------------------------------------------------------------------


def test_an_error_of_standard_output_names_it(
    broken: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", broken)
    with standard_streams():
        with pytest.raises(BrokenPipeError) as caught:
            click.echo("text")
        click.echo("nothing more is tried")
    assert caught.value.filename == "standard output"
    assert sys.stdout is broken


def test_an_error_without_a_place_is_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("charrnn.cli.info_command.find_checkpoint", refuse)
    outcome = charrnn("info")
    assert (outcome.status, outcome.err) == (1, "charrnn: Input/output error\n")


def test_a_broken_pipe_that_is_not_standard_output_s_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe", "pipe")

    monkeypatch.setattr("charrnn.cli.info_command.find_checkpoint", refuse)
    outcome = charrnn("info")
    assert (outcome.status, outcome.err) == (1, "charrnn: pipe: Broken pipe\n")


# -- Terminals ---------------------------------------------------------------------------

ORDERS = "\0\a\b\v\f\r\x1b[31m\x7f\x85\x9b\u202e\u2066"
SHOWN = r"\u0000\u0007\u0008\u000b\u000c\u000d\u001b[31m\u007f\u0085\u009b\u202e\u2066"
HARMLESS = "a\tb\n é שלום\u200f مرحبا ‘“\U0001f98a\xa0\xad"


def test_control_characters_are_shown_and_all_else_stays() -> None:
    assert escape_controls(ORDERS) == SHOWN
    assert escape_controls(HARMLESS) == HARMLESS


class Terminal:
    """A terminal, and the end at which it is seen."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.screen = os.fdopen(slave, "w", encoding="utf-8")

    @property
    def seen(self) -> str:
        """What it was sent; it puts a carriage return before each newline itself.

        The kernel passes it on in pieces, and not at once.
        """
        pieces = []
        while select.select([self._master], [], [], 0.1)[0]:
            pieces.append(os.read(self._master, 1 << 16))
        return b"".join(pieces).decode().replace("\r\n", "\n")

    def close(self) -> None:
        self.screen.close()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal, for a test to put in place of the standard streams."""
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_terminal_is_sent_no_orders(
    name: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, name, terminal.screen)
    with standard_streams():
        click.echo(ORDERS + HARMLESS, err=name == "stderr")
    assert terminal.seen == f"{SHOWN}{HARMLESS}\n"


def test_a_progress_bar_may_give_orders(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.screen)
    with standard_streams():
        drawing = Drawing(sys.stderr)
        drawing.write("\x1b[A\rbar")
        drawing.flush()
        assert drawing.isatty()
    assert terminal.seen == "\x1b[A\rbar"


def test_a_run_s_name_and_a_prompt_are_shown_on_a_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, terminal.screen)
    assert command("sample", "no\x1bbody") == 1
    assert terminal.seen.startswith(r"charrnn: no\u001bbody: no run")
    assert command("sample", "--prompt", "\x1b[2J\a", "--length", 3) == 0
    text = terminal.seen
    assert r"\u001b[2J\u0007" in text
    assert not {"\x1b", "\a"} & set(text)


def test_a_pipe_and_a_file_get_the_text_as_it_is() -> None:
    untrained()
    given = ("sample", "--prompt", ORDERS, "--length", 3, "--seed", 1)
    text = charrnn(*given).out
    assert text.startswith(ORDERS.split("\r")[0])
    charrnn(*given, "--output", "text")
    assert Path("text").read_bytes().startswith(ORDERS.encode())
