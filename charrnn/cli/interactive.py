"""`charrnn sample --interactive`: a text that the user and the model write by turns."""

import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from charrnn.cli import slash
from charrnn.cli.page import Page
from charrnn.cli.prompt import unknown_characters
from charrnn.cli.rewriting import Rewriting
from charrnn.cli.signals import stop_signals
from charrnn.config.sampling import SEEDS
from charrnn.errors import CharrnnError, ConfigError
from charrnn.sampling.noise import random_seed

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

    from charrnn.models.text_model import TextModel

HELP = (
    "Enter: add what you typed, and let the model continue. Tab: replace the model's last part by"
    " another. Ctrl-Z: remove the last part. Ctrl-C: stop the model. /help: show the commands."
    " Ctrl-D: end."
)
TURN = 200
"""Characters that the model writes in a turn, unless the user gives `length`."""


def interact(
    model: "TextModel",
    prompt: str,
    seed: int | None,
    page: Page,
    screen: "Output | None" = None,
    **settings: object,
) -> None:
    """Write a story with the user until they end it.

    Everything is shown on standard error. At the end the whole story goes to the page, unless
    that is the same terminal.

    Args:
        model: Writes its parts; it must write forward.
        prompt: The first part.
        seed: Of the whole story; None for a random one.
        page: Where the story goes.
        screen: The terminal; None for the one behind standard error.
        settings: Of sampling.

    Raises:
        ConfigError: The model writes backward.
    """
    if model.backward:
        why = "this run was trained backward: it writes what comes before a text"
        raise ConfigError(why, {"interactive": None}, way_out="leave it out")
    output = screen or create_output(stdout=sys.stderr)
    shown = Rewriting(output)
    seed = random_seed() if seed is None else seed
    story = Story(model, prompt, seed, {"length": TURN, **settings}, shown)
    shown.note(f"{model.name}, --seed {seed}\n{HELP}")
    shown.begin()
    story.show()
    converse(story, PromptSession(key_bindings=key_bindings(), output=output, erase_when_done=True))
    with page:
        if not page.watched:
            page.write(f"{story.text}\n")


def converse(story: "Story", session: PromptSession) -> None:
    """Take turns until the user presses Ctrl-D, or Ctrl-C when the model does not write."""
    while True:
        try:
            story.turn(session.prompt("> "))
        except (EOFError, KeyboardInterrupt):
            return


def key_bindings() -> KeyBindings:
    """Tab and Ctrl-Z answer for the user in place of a line of text."""
    bindings = KeyBindings()

    @bindings.add("tab")
    def another(event: KeyPressEvent) -> None:
        event.app.exit(result=Story.ANOTHER)

    @bindings.add("c-z")
    def undo(event: KeyPressEvent) -> None:
        event.app.exit(result=Story.UNDO)

    return bindings


class Story:
    """The text so far, part by part, each by the user or by the model.

    Args:
        model: Writes the parts that the user does not.
        prompt: The first part.
        seed: Of the whole story; each turn has a seed of its own.
        settings: Of sampling.
        screen: Shows the story.
    """

    ANOTHER, UNDO = object(), object()
    """Answers that are not text: a key was pressed."""

    def __init__(
        self,
        model: "TextModel",
        prompt: str,
        seed: int,
        settings: Mapping[str, object],
        screen: Rewriting,
    ) -> None:
        self._model, self.seed, self._screen = model, seed, screen
        self.settings = self._first_settings = dict(settings)
        self._parts: list[tuple[str, bool]] = [(prompt, False)]
        self._turns = 0

    @property
    def text(self) -> str:
        """All that is written."""
        return "".join(part for part, _ in self._parts)

    def show(self) -> None:
        """Show the story as it stands, in place of what was shown of it."""
        self._screen.change(self.text)
        self._screen.end()

    def turn(self, answer: object) -> None:
        """Do what the user asks for.

        Args:
            answer: A line of text, a command that begins with one slash, or the answer of a key:
                `ANOTHER` or `UNDO`.
        """
        try:
            if answer is self.UNDO:
                self._undo()
            elif isinstance(answer, str) and slash.is_command(answer):
                self._command(answer)
            elif answer is self.ANOTHER:
                self._replace()
            else:
                self._add(str(answer))
        except CharrnnError as error:  # the story must not be lost
            self._screen.note(error.line(named=slash.named, worded=slash.spoken))

    def _undo(self) -> None:
        """Remove the last part, but never the prompt."""
        if len(self._parts) > 1:
            self._parts.pop()
        self.show()

    def _command(self, line: str) -> None:
        """Change the settings, or show something about them."""
        if line.strip() == "/help":
            told = slash.help_text()
        elif line.strip() == "/reset":
            self.settings, told = self._first_settings, "the settings are those of the start"
        else:
            self.settings, told = slash.changed(self.settings, line)
        self._screen.note(told)

    def _replace(self) -> None:
        """Let the model write its last part anew; what the user typed last stays."""
        if self._parts[-1][1]:
            self._parts.pop()
        self._continue()

    def _add(self, line: str) -> None:
        """Add what the user typed, and let the model continue."""
        typed = line.removeprefix("/")
        if typed:
            self._parts.append((typed, False))
        self._continue()
        unknown = unknown_characters(typed, self._model)
        if unknown:
            self._screen.note(unknown)

    def _continue(self) -> None:
        """Let the model write a part, which is shown as it comes; Ctrl-C ends it."""
        self._turns += 1
        start, written = self.text, []
        seed = (self.seed + self._turns) % SEEDS
        self._screen.change(start)
        try:
            with stop_signals(signal.SIGINT) as received:
                for piece in self._model.stream(start, seed=seed, **self.settings):
                    self._screen.add(piece)
                    written.append(piece)
                    if received:
                        break
        finally:
            self._screen.end()
            if written:
                self._parts.append(("".join(written), True))
