"""Writing by turns, with keys from a pipe in place of a keyboard, and a small terminal."""

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from test_sampling import model_of

from charrnn.cli.interactive import Rewriting, Story, interact, row_widths, rows
from charrnn.cli.output import Page
from charrnn.config.sampling import SEEDS
from charrnn.errors import CharrnnError

TAB, UNDO, END = "\t", "\x1a", "\x04"


@pytest.fixture
def play(capsys):
    """The texts shown after the user types these keys."""

    def run(keys, **settings):
        model = model_of()
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys + END)
            interact(model, "ab", 1, Page(None), DummyOutput(), **settings)
        return capsys.readouterr()

    return run


def story():
    return Story(model_of(), "ab", 1, {"length": 8}, Rewriting(DummyOutput()))


def test_the_model_goes_on_after_what_is_typed(capsys):
    told = story()
    told.turn("c a")
    assert told.text.startswith("abc a")
    assert len(told.text) == 5 + 8
    assert capsys.readouterr().err == f"{told.text}\n"


def test_another_text_takes_the_place_of_the_last():
    told = story()
    told.turn("c")
    first = told.text
    told.turn(Story.ANOTHER)
    assert told.text != first
    assert len(told.text) == len(first)
    assert told.text.startswith("abc")


def test_undo_takes_back_what_was_written_part_by_part():
    told = story()
    told.turn("c")
    told.turn(Story.UNDO)
    assert told.text == "abc"
    told.turn(Story.UNDO)
    assert told.text == "ab"
    told.turn(Story.UNDO)
    assert told.text == "ab"


def test_another_text_does_not_take_what_the_user_typed():
    told = story()
    told.turn("c")
    told.turn(Story.UNDO)
    told.turn(Story.ANOTHER)
    assert told.text.startswith("abc")
    assert len(told.text) == 3 + 8


def test_the_seeds_of_the_turns_begin_again_after_the_largest():
    told = Story(model_of(), "ab", SEEDS - 1, {"length": 8}, Rewriting(DummyOutput()))
    told.turn("")
    assert told.text == "ab" + "".join(model_of().stream("ab", seed=0, length=8))


def test_an_error_in_a_turn_leaves_the_story_as_it_is(capsys):
    class Broken:
        def stream(self, start, **settings):
            yield "c"
            raise CharrnnError("no logits; lower `temperature`")

    told = Story(Broken(), "ab", 1, {}, Rewriting(DummyOutput()))
    told.turn(Story.ANOTHER)
    assert told.text == "abc"
    assert capsys.readouterr().err == "abc\nno logits; lower /temperature\n"


def test_characters_that_the_model_does_not_know_are_named(capsys):
    story().turn("é")
    assert "does not know 'é'" in capsys.readouterr().err


def test_keys(play):
    assert play("", length=5).out == "ab\n"
    told = play(f"c\r{TAB}{UNDO}\r", length=5)
    assert told.err.count("abc") >= 3
    assert len(told.out) == len("abc") + 5 + 1


def test_a_seed_tells_the_same_story_again(play):
    assert play(f"c\r{TAB}", length=9) == play(f"c\r{TAB}", length=9)


# -- The screen --------------------------------------------------------------------------

SIZE = Size(rows=12, columns=10)


class Terminal(DummyOutput):
    """Notes how the cursor is moved."""

    def __init__(self):
        self.moves = []

    def get_size(self):
        return SIZE

    def cursor_up(self, amount):
        self.moves.append(amount)

    def erase_down(self):
        self.moves.append("erase")


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 1), ("a" * 10, 1), ("a" * 11, 2), ("a\nb\n", 3), ("古" * 5, 1), ("古" * 6, 2)],
)
def test_the_rows_of_a_text(text, number):
    assert rows(text, SIZE.columns) == number


def test_a_wide_character_at_the_edge_is_not_cut_in_two():
    assert row_widths("aaaaa古古古", 10) == [9, 2]


def test_another_text_clears_all_lines_of_the_last(capsys):
    terminal = Terminal()
    screen = Rewriting(terminal)
    screen.change("one\nab" + "x" * 15 + "\ny\nz")
    screen.end()
    assert terminal.moves == []
    screen.change("one\nabc")
    assert terminal.moves == [4, "erase"]
    assert capsys.readouterr().err.endswith("\nabc")


def test_notes_below_are_cleared_with_it(capsys):
    terminal = Terminal()
    screen = Rewriting(terminal)
    screen.change("one\ntwo")
    screen.end()
    screen.note("a note of many words")
    screen.change("one\ntwo, three")
    assert terminal.moves == [1 + 3, "erase"]
    assert "a note of\nmany\nwords\n" in capsys.readouterr().err


def test_what_has_left_the_screen_stays():
    terminal = Terminal()
    screen = Rewriting(terminal)
    screen.change("a" * 1000)
    screen.end()
    screen.change("b")
    assert terminal.moves == [SIZE.rows - 1, "erase"]


def test_nothing_shown_is_an_order_to_the_terminal(capsys):
    Rewriting(Terminal()).change("a\x1b[2J\tb\x07\n")
    assert capsys.readouterr().err == "a\\u001b[2J    b\\u0007\n"


# -- Settings ----------------------------------------------------------------------------


def said(told, line, capsys):
    """What a line that is typed is answered with."""
    before = told.text
    capsys.readouterr()
    told.turn(line)
    assert told.text == before
    return " ".join(capsys.readouterr().err.split())


def test_settings_change_from_the_next_turn_on(capsys):
    told = story()
    assert said(told, "/length 3", capsys) == "length is now 3"
    told.turn("")
    assert len(told.text) == 2 + 3
    assert said(told, "/temp 0.5", capsys) == "temperature is now 0.5"
    assert said(told, "/temperature", capsys) == "temperature is 0.5"
    assert said(told, "/top-p", capsys) == "top-p is 1"
    assert said(told, "/greedy", capsys) == "greedy is now on"
    assert said(told, "/stop c", capsys) == "stop is now c"


def test_a_setting_that_cannot_be_changes_nothing(capsys):
    told = story()
    before = dict(told.settings)
    assert (
        said(told, "/temprature 1", capsys) == "no setting /temprature; did you mean /temperature?"
    )
    assert said(told, "/zzz", capsys) == "no setting /zzz; /help shows them"
    assert said(told, "/count 3", capsys) == "no setting /count; /help shows them"
    assert "/temperature" in said(told, "/temperature -1", capsys)
    assert "/length" in said(told, "/length many", capsys)
    assert "on or off" in said(told, "/greedy maybe", capsys)
    assert told.settings == before


def test_help_lists_the_settings(capsys):
    shown = said(story(), "/help", capsys)
    assert "/temperature" in shown
    assert "/top-k" in shown
    for whole in ("/count", "/beam", "/best-of", "/new"):
        assert whole not in shown


def test_reset_brings_back_the_settings_of_the_start(capsys):
    told = story()
    first = dict(told.settings)
    told.turn("/allow ab")
    told.turn("/length 3")
    assert told.settings != first
    assert said(told, "/reset", capsys) == "the settings are those of the start"
    assert told.settings == first


def test_two_slashes_are_text():
    told = story()
    told.turn("//c")
    assert told.text.startswith("ab/c")
