"""What is done around TensorFlow's start: nothing, unless the program says otherwise.

A library must neither set environment variables nor mute a stream. The command line may, since it
owns its process: it
puts something of its own here (charrnn/cli/process.py).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

around: Callable[[], AbstractContextManager[None]] = nullcontext
