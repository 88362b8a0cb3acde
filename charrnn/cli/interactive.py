"""`charrnn sample --interactive`: a text written by turns."""

import sys
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from charrnn.errors import ConfigError
from charrnn.sampling.noise import random_seed

HELP = (
    "Enter: the model goes on, after what you type. Tab: another text in place of the last."
    " Ctrl-Z: take the last back. Ctrl-D: end."
)
TURN = 200


def interact(model: Any, prompt: str, seed: int | None, **settings: Any) -> None:
    """Write with the user until they end it."""
    if model.backward:
        raise ConfigError("--interactive: this run writes backward, from the end; leave it out")
    settings = {"length": TURN, **settings}
    session: PromptSession = PromptSession(key_bindings=key_bindings(), multiline=False)
    story = Story(model, prompt, random_seed() if seed is None else seed, settings)
    click.echo(HELP, err=True)
    sys.stdout.write(prompt)
    while True:
        try:
            answer: Any = session.prompt("\n> ")
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
    """The text so far, turn by turn, each by the user and then by the model."""

    ANOTHER, UNDO = object(), object()
    """Answers that are not text: a key was pressed."""

    def __init__(self, model: Any, prompt: str, seed: int, settings: dict[str, Any]) -> None:
        self._model, self._seed, self._settings = model, seed, settings
        self._parts = [prompt]
        self._turns = 0

    @property
    def text(self) -> str:
        """All that is written."""
        return "".join(self._parts)

    def turn(self, answer: Any) -> None:
        """What the user's answer asks for."""
        if answer is self.UNDO:
            self._drop()
            sys.stdout.write(f"{self.text}\n")
        elif answer is self.ANOTHER:
            self._drop()
            self._write_on()
        else:
            self._parts += [answer] if answer else []
            self._write_on()

    def _drop(self) -> None:
        if len(self._parts) > 1:
            self._parts.pop()

    def _write_on(self) -> None:
        """A new part by the model, shown as it comes."""
        self._turns += 1
        start, written = self.text, []
        sys.stdout.write(start)
        stream = self._model.stream(start, seed=self._seed + self._turns, **self._settings)
        for character in stream:
            sys.stdout.write(character)
            sys.stdout.flush()
            written.append(character)
        self._parts.append("".join(written))
