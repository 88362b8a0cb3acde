"""`charrnn sample --interactive`: a text written by turns."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from charrnn.cli.page import Page
from charrnn.cli.signals import stop_signals
from charrnn.errors import ConfigError
from charrnn.sampling.noise import random_seed

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

    from charrnn.text_model import TextModel

HELP = (
    "Enter: the model goes on, after what you type. Tab: another text in place of its last."
    " Ctrl-Z: take the last back. Ctrl-D: end."
)
TURN = 200


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
    settings = {"length": TURN, **settings}
    output = screen or create_output(stdout=sys.stderr)
    session: PromptSession = PromptSession(key_bindings=key_bindings(), output=output)
    story = Story(model, prompt, random_seed() if seed is None else seed, settings)
    click.echo(f"{model.name}, --seed {story.seed}\n{HELP}\n{prompt}", err=True, nl=False)
    while True:
        try:
            answer: object = session.prompt("\n> ")
        except (EOFError, KeyboardInterrupt):
            break
        story.turn(answer)
    with page:
        if not page.watched:
            page.write(f"{story.text}\n")


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
    """The text so far, part by part, each by the user or by the model."""

    ANOTHER, UNDO = object(), object()
    """Answers that are not text: a key was pressed."""

    def __init__(
        self, model: "TextModel", prompt: str, seed: int, settings: Mapping[str, object]
    ) -> None:
        self._model, self.seed, self._settings = model, seed, settings
        self._parts: list[tuple[str, bool]] = [(prompt, False)]
        self._turns = 0

    @property
    def text(self) -> str:
        """All that is written."""
        return "".join(part for part, _ in self._parts)

    def turn(self, answer: object) -> None:
        """What the user's answer asks for."""
        if answer is self.UNDO:
            if len(self._parts) > 1:
                self._parts.pop()
            click.echo(self.text, err=True)
            return
        if answer is self.ANOTHER:
            if self._parts[-1][1]:
                self._parts.pop()
        elif isinstance(answer, str) and answer:
            self._parts.append((answer, False))
        self._write_on()

    def _write_on(self) -> None:
        """A new part by the model, shown as it comes; Ctrl-C ends it."""
        self._turns += 1
        start, written = self.text, []
        click.echo(start, err=True, nl=False)
        with stop_signals() as received:
            for character in self._model.stream(
                start, seed=self.seed + self._turns, **self._settings
            ):
                click.echo(character, err=True, nl=False)
                written.append(character)
                if received:
                    break
        self._parts.append(("".join(written), True))
