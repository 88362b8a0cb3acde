"""A command that goes on in a fresh process, with the number and the terminal of the old one."""

import os
import sys

POSSIBLE = os.name == "posix"
"""Elsewhere the shell would take the command for ended."""


def start_again() -> None:
    """Start this program anew, with the arguments that it was started with; it does not return."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
