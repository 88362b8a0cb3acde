"""Where errors become one line on standard error and an exit status."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from charrnn.cli.streams import STANDARD_OUTPUT, standard_streams
from charrnn.cli.wording import option_with, spoken
from charrnn.errors import CharrnnError
from charrnn.files import explain

INTERRUPTED = 130
OUT_OF_MEMORY = "out of memory; lower --units, --batch-size, --seq-length or --count"


class ReportingGroup(click.Group):
    """A group whose commands end in a message, never in a traceback, where the user can help it."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        with standard_streams(), reported(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's; an error tells of it
            return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> object:
        with reported():
            return super().invoke(ctx)


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that a user can mend into a line and a status."""
    try:
        yield
        sys.stdout.flush()
    except CharrnnError as error:
        fail(line_of(error))
    except KeyboardInterrupt:
        click.echo("charrnn: interrupted", err=True)
        sys.exit(INTERRUPTED)
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


def line_of(error: CharrnnError) -> str:
    """An error of the library in the command line's words: options in place of settings."""
    return error.line(named=option_with, worded=spoken)


def tell(error: CharrnnError) -> None:
    """Say what went wrong, where the command can continue all the same."""
    click.echo(f"charrnn: {line_of(error)}", err=True)


def fail(message: str) -> None:
    """Say what went wrong, in one line, and exit with 1."""
    click.echo(f"charrnn: {' '.join(message.split())}", err=True)
    sys.exit(1)


def out_of_memory(error: Exception) -> bool:
    """Whether NumPy or TensorFlow ran out of memory; TensorFlow's error by name, unimported."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
