"""Writing by turns, with keys from a pipe in place of a keyboard."""

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from test_sampling import model_of

from charrnn.cli.interactive import Story, interact
from charrnn.cli.page import Page

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
    return Story(model_of(), "ab", 1, {"length": 8})


def test_the_model_goes_on_after_what_is_typed(capsys):
    told = story()
    told.turn("c a")
    assert told.text.startswith("abc a")
    assert len(told.text) == 5 + 8
    assert capsys.readouterr().err.endswith(told.text)


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


def test_keys(play):
    assert play("", length=5).out == "ab\n"
    told = play(f"c\r{TAB}{UNDO}\r", length=5)
    assert told.err.count("abc") >= 3
    assert len(told.out) == len("abc") + 5 + 1


def test_a_seed_tells_the_same_story_again(play):
    assert play(f"c\r{TAB}", length=9) == play(f"c\r{TAB}", length=9)
