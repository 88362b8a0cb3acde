"""Where errors become one line on standard error and an exit status."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from charrnn.cli.options import name_options, option_with
from charrnn.cli.output import STANDARD_OUTPUT, standard_streams
from charrnn.errors import CharrnnError, RankError
from charrnn.files import explain
from charrnn.training.ranks import ranks_if_joined

INTERRUPTED = 130
OUT_OF_MEMORY = "out of memory; lower --units, --batch-size, --seq-length or --count"


class ReportingGroup(click.Group):
    """A group whose commands end in a message, never in a traceback, where the user can help it."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        with end_ranks_on_exit(), standard_streams(), report_errors(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's; an error tells of it
            return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> object:
        with report_errors():
            return super().invoke(ctx)


@contextmanager
def end_ranks_on_exit() -> Iterator[None]:
    """Let all ranks end where this one exits and the others depend on it."""
    try:
        yield
    except SystemExit as stop:
        ranks = ranks_if_joined()
        if ranks is not None and ranks.busy:
            ranks.abort(f"has ended in the middle of the training, with status {stop.code}")
        raise


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into a line and a status."""
    try:
        yield
        sys.stdout.flush()
    except CharrnnError as error:
        fail(error_line(error), own=not isinstance(error, RankError))
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename == STANDARD_OUTPUT:
            sys.exit(0)  # the reader has gone (`| head`): nothing is left to say
        fail(explain(error))
    except UnicodeEncodeError as error:
        fail(f"{error.encoding} has no {error.object[error.start]!a}; set PYTHONIOENCODING=utf-8")
    except Exception as error:
        if not out_of_memory(error):
            raise
        fail(OUT_OF_MEMORY)


def error_line(error: CharrnnError) -> str:
    """An error of the library in the command line's words: options in place of settings."""
    return error.line(named=option_with, worded=name_options)


def report_and_go_on(error: CharrnnError) -> None:
    click.echo(f"charrnn: {error_line(error)}", err=True)


def fail(message: str, status: int = 1, *, own: bool = True) -> None:
    """Say what went wrong, in one line, and exit; one of several ranks ends all of them."""
    line = " ".join(message.split())
    ranks = ranks_if_joined()
    if ranks is not None:
        ranks.abort(line, status, own=own)
    click.echo(f"charrnn: {line}", err=True)
    sys.exit(status)


def out_of_memory(error: Exception) -> bool:
    """Whether NumPy or TensorFlow ran out of memory; TensorFlow's error by name, unimported."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
