"""`charrnn sample --interactive`: a text that the user and the model write by turns."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import TYPE_CHECKING

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output
from prompt_toolkit.utils import get_cwidth

from charrnn.cli.options import NAMED, SHORTER, option_type
from charrnn.cli.output import Page, escape_controls
from charrnn.cli.process import stop_signals
from charrnn.cli.prompt import unknown_characters
from charrnn.cli.usage import did_you_mean, nearest, plain
from charrnn.config import SamplingConfig
from charrnn.config.sampling import SEEDS
from charrnn.config.settings import format_setting, name_of
from charrnn.errors import CharrnnError, ConfigError
from charrnn.sampling.filters import FILTERS, random_seed, sampling_config

if TYPE_CHECKING:
    from prompt_toolkit.output import Output

    from charrnn.models.text_model import TextModel

TAB = 4
"""Spaces that a tab is shown as: a terminal's own would depend on the column."""
WHOLE = ("count", "best_of", "beam", "new")
"""Settings of texts that can be shown only when they are done."""
SWITCHES = {"": True, "on": True, "off": False}
HELP = (
    "Enter: add what you typed, and let the model continue. Tab: replace the model's last part by"
    " another. Ctrl-Z: remove the last part. Ctrl-C: stop the model. /help: show the commands."
    " Ctrl-D: end."
)
TURN = 200
"""Characters that the model writes in a turn, unless the user gives `length`."""


class Rewriting:
    """Shows a text on standard error, and changes it in place.

    Only the lines that change are written again. What has scrolled off the top of the screen
    stays as it is: no program can change it.

    Args:
        output: Moves the cursor and knows the terminal's size.
    """

    def __init__(self, output: "Output") -> None:
        self._output = output
        self._text = self._notes = ""

    def begin(self) -> None:
        """Start a new text below all that is shown so far, which then stays as it is."""
        self._text = self._notes = ""

    def change(self, text: str) -> None:
        """Show another text in place of the present one and of the notes below it.

        The cursor must be at the start of the line below them, where `end` leaves it.
        """
        kept = text.rfind("\n", 0, common_length(self._text, text)) + 1
        if self._text or self._notes:
            self._clear(self._text[kept:] + self._notes)
        self._text, self._notes = text[:kept], ""
        self.add(text[kept:])

    def add(self, text: str) -> None:
        self._text += text
        click.echo(on_screen(text), err=True, nl=False)

    def end(self) -> None:
        """Go to the start of the line below."""
        click.echo(err=True)

    def note(self, text: str) -> None:
        """Show a message below, wrapped to the terminal, until the text changes."""
        width = self._output.get_size().columns
        lines = escape_controls(text).splitlines()
        wrapped = "\n".join(click.wrap_text(line, width - 1) for line in lines)
        self._notes += f"\n{wrapped}"
        click.echo(wrapped, err=True)

    def _clear(self, text: str) -> None:
        """Go back to where the text begins, and clear the screen from there."""
        size = self._output.get_size()
        self._output.cursor_up(min(rows(on_screen(text), size.columns), size.rows - 1))
        self._output.write_raw("\r")
        self._output.erase_down()
        self._output.flush()


def common_length(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def rows(text: str, columns: int) -> int:
    return sum(map(len, (row_widths(line, columns) for line in text.split("\n"))))


def row_widths(line: str, columns: int) -> list[int]:
    """The width of each row that a line takes; a wide character is not cut in two."""
    widths = [0]
    for character in line:
        width = max(0, get_cwidth(character))
        if widths[-1] + width > columns:
            widths.append(0)
        widths[-1] += width
    return widths


def on_screen(text: str) -> str:
    """The text as the terminal shows it: tabs as spaces, control characters escaped."""
    return escape_controls(text.replace("\t", " " * TAB))


def is_command(line: str) -> bool:
    """Whether a line is a command; one that begins with two slashes is text."""
    return line.startswith("/") and not line.startswith("//")


def changeable() -> dict[str, Field]:
    """The settings that a command may change, by the name that is typed after the slash."""
    own = [each for each in fields(SamplingConfig) if not each.metadata.get("hidden")]
    added = [each.setting for each in FILTERS.present.values()]
    named = {name_of(each): each for each in (*own, *added) if each.name not in WHOLE}
    return {plain(name): each for name, each in named.items()} | {
        plain(short): named[name] for name in named for short in SHORTER.get(name, ())
    }


def changed(settings: dict[str, object], line: str) -> tuple[dict[str, object], str]:
    """The settings after a command such as `/temperature 0.5`, and what to tell the user.

    Args:
        settings: Those before it, by the names of Python.
        line: The command; without a value it changes nothing, or turns a switch on.

    Returns:
        The settings, and a message.

    Raises:
        ConfigError: There is no such setting, or it cannot have this value.
    """
    name, _, text = line.removeprefix("/").strip().partition(" ")
    field = known_setting(name)
    if not text.strip() and field.type is not bool:
        value = settings.get(field.name, field.default)
        return settings, f"{plain(field.name)} is {value_in_words(value)}"
    value = value_of(field, text.strip())
    new = settings | {field.name: value}
    sampling_config({each: new[each] for each in new if each != "engine"})
    return new, f"{plain(field.name)} is now {value_in_words(value)}"


def known_setting(name: str) -> Field:
    """The setting of this name; ConfigError with a suggestion where there is none."""
    known = changeable()
    if plain(name) not in known:
        near = nearest(name, known)
        hint = did_you_mean([f"/{each}" for each in near]) if near else "; /help shows them"
        raise ConfigError(f"no setting /{name}{hint}")
    return known[plain(name)]


def help_text() -> str:
    """What a user may type in place of text, a line for each command."""
    names = " ".join(f"/{plain(name_of(each))}" for each in dict.fromkeys(changeable().values()))
    return "\n".join(
        [
            "/temperature 0.5: set it for the next parts",
            "/temperature: show it",
            "/greedy on, /greedy off: switch it",
            "/reset: use the settings of the start again",
            f"The settings: {names}",
            "charrnn sample --help explains them. To write text that begins with /, type //.",
        ]
    )


def named(name: str, value: object) -> str:
    return f"/{plain(name)}" if value is None else f"/{plain(name)} {format_setting(value)}"


def name_commands(text: str) -> str:
    """A message of the library with commands in place of the settings in backquotes."""
    return NAMED.sub(lambda match: f"/{plain(match[1])}{match[2]}", text)


def value_in_words(value: object) -> str:
    if value is None:
        return "not set"
    return ("on" if value else "off") if isinstance(value, bool) else format_setting(value)


def value_of(field: Field, text: str) -> object:
    """A setting's value from what is typed."""
    if field.type is bool:
        if text not in SWITCHES:
            raise ConfigError("type on or off", {field.name: text})
        return SWITCHES[text]
    if field.type is tuple:
        return (text,)
    try:
        return click.types.convert_type(option_type(field)).convert(text, None, None)
    except click.BadParameter as error:
        raise ConfigError(error.message.rstrip("."), {field.name: None}) from error


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
    rewriting = Rewriting(output)
    seed = random_seed() if seed is None else seed
    story = Story(model, prompt, seed, {"length": TURN, **settings}, rewriting)
    rewriting.note(f"{model.name}, --seed {seed}\n{HELP}")
    rewriting.begin()
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
        return "".join(part for part, _ in self._parts)

    def show(self) -> None:
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
            elif isinstance(answer, str) and is_command(answer):
                self._command(answer)
            elif answer is self.ANOTHER:
                self._replace()
            else:
                self._add(str(answer))
        except CharrnnError as error:  # the story must not be lost
            self._screen.note(error.line(named=named, worded=name_commands))

    def _undo(self) -> None:
        """Remove the last part, but never the prompt."""
        if len(self._parts) > 1:
            self._parts.pop()
        self.show()

    def _command(self, line: str) -> None:
        """Change the settings, or show something about them."""
        if line.strip() == "/help":
            told = help_text()
        elif line.strip() == "/reset":
            self.settings, told = self._first_settings, "the settings are those of the start"
        else:
            self.settings, told = changed(self.settings, line)
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
