"""`charrnn sample --interactive`: a text written by turns."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from charrnn.cli import slash
from charrnn.cli.page import Page
from charrnn.cli.rewriting import Rewriting
from charrnn.cli.signals import stop_signals
from charrnn.errors import ConfigError
from charrnn.sampling.noise import random_seed

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

    from charrnn.text_model import TextModel

HELP = (
    "Enter: the model continues, after what you type. Tab: another text in place of its last one."
    " Ctrl-Z: take the last part back. /help: commands. Ctrl-D: end."
)
TURN = 200
"""Characters that the model writes in a turn, unless `length` says otherwise."""


def interact(
    model: "TextModel",
    prompt: str,
    seed: int | None,
    page: Page,
    screen: "Output | None" = None,
    **settings: object,
) -> None:
    """Write with the user until they end it, then give out the story.

    All that happens shows on standard error; the story goes to the page, unless that is the
    same terminal.
    """
    if model.backward:
        why = "this run writes backward, from the end"
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
    """Take turns until the user ends it with Ctrl-D or Ctrl-C."""
    while True:
        try:
            answer: object = session.prompt("> ")
        except (EOFError, KeyboardInterrupt):
            return
        story.turn(answer)


def key_bindings() -> KeyBindings:
    """Tab and Ctrl-Z end a line with an answer of their own."""
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
        self.settings = dict(settings)
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
        """What the user's answer asks for."""
        if isinstance(answer, str) and answer.startswith("/") and not answer.startswith("//"):
            self._command(answer)
            return
        if answer is self.UNDO:
            if len(self._parts) > 1:
                self._parts.pop()
            self.show()
            return
        if answer is self.ANOTHER:
            if self._parts[-1][1]:
                self._parts.pop()
        elif isinstance(answer, str) and answer:
            self._parts.append((answer.removeprefix("/"), False))
        self._write_on()

    def _command(self, line: str) -> None:
        """Change a setting, or tell of the settings."""
        if line.strip() == "/help":
            self._screen.note(slash.help_text())
            return
        try:
            self.settings, told = slash.changed(self.settings, line)
        except ConfigError as error:
            told = error.line(named=slash.named)
        self._screen.note(told)

    def _write_on(self) -> None:
        """A new part by the model, shown as it comes; Ctrl-C ends it."""
        self._turns += 1
        start, written = self.text, []
        self._screen.change(start)
        with stop_signals() as received:
            for piece in self._model.stream(start, seed=self.seed + self._turns, **self.settings):
                self._screen.add(piece)
                written.append(piece)
                if received:
                    break
        self._screen.end()
        self._parts.append(("".join(written), True))
