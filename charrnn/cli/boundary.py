"""Where errors become one line on standard error and an exit status."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from charrnn.errors import CharrnnError

INTERRUPTED = 130


class ReportingGroup(click.Group):
    """A group whose commands end in a message, never in a traceback, where the user can help it."""

    def invoke(self, ctx: click.Context) -> Any:
        with reported():
            return super().invoke(ctx)


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that a user can mend into a line and a status."""
    try:
        yield
        sys.stdout.flush()
    except CharrnnError as error:
        fail(str(error))
    except BrokenPipeError:
        end_quietly()
    except KeyboardInterrupt:
        click.echo("charrnn: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        fail(system_error(error))
    except MemoryError:
        fail("out of memory; lower --units, --batch-size or --seq-length")


def fail(message: str) -> None:
    """Say what went wrong, in one line, and exit with 1."""
    click.echo(f"charrnn: {' '.join(message.split())}", err=True)
    sys.exit(1)


def system_error(error: OSError) -> str:
    """What the system refused, and where."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def end_quietly() -> None:
    """The reader of standard output has gone (`| head`): nothing is left to say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
