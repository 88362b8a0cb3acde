"""What examples/captions.py draws and says."""

import re

import numpy as np
import pytest
from click import UsageError
from examples_in_hand import load_example, run_example

captions = load_example("captions")
SMALL_RED = ("small", "red", "circle")
BIG_BLUE = ("big", "blue", "square")


@pytest.fixture
def random():
    return np.random.default_rng(0)


def places(image, colour):
    """Rows and columns of the pixels of a colour."""
    return np.argwhere(abs(image - captions.COLOURS[colour]).max(axis=2) < 0.3)


def test_a_sentence_names_both_things_and_their_places():
    scene = (SMALL_RED, "left of", BIG_BLUE)
    assert captions.sentence(scene) == "a small red circle left of a big blue square"


def test_every_scene_has_a_sentence_of_its_own():
    assert len({captions.sentence(scene) for scene in captions.scenes()}) == 2 * 24 * 24


@pytest.mark.parametrize(("place", "axis"), [("above", 0), ("left of", 1)])
def test_what_is_named_first_is_above_or_left_of_the_other(place, axis, random):
    image = captions.picture((SMALL_RED, place, BIG_BLUE), random)
    red, blue = places(image, "red"), places(image, "blue")
    assert red[:, axis].max() < blue[:, axis].min()


def test_what_is_big_covers_more_than_what_is_small(random):
    for shape in captions.SHAPES:
        scene = (("small", "red", shape), "above", ("big", "blue", shape))
        image = captions.picture(scene, random)
        assert 2 * len(places(image, "red")) < len(places(image, "blue"))


def test_the_top_of_a_triangle_is_narrower_than_its_foot(random):
    image = captions.picture((("big", "red", "triangle"), "above", BIG_BLUE), random)
    rows, widths = np.unique(places(image, "red")[:, 0], return_counts=True)
    assert widths[rows.argmin()] < widths[rows.argmax()]


def test_sentences_held_out_are_never_learnt(random):
    learnt, tested = captions.split_scenes(200, random)
    assert len(tested) == 200
    assert not set(learnt) & set(tested)
    assert {*learnt, *tested} == set(captions.scenes())


@pytest.mark.parametrize("held_out", [0, 1152])
def test_some_sentences_are_held_out_and_some_learnt(held_out, random):
    with pytest.raises(UsageError, match="from 1 to 1,151"):
        captions.split_scenes(held_out, random)


def test_pictures_are_drawn_with_their_sentences(random):
    scene = (SMALL_RED, "above", BIG_BLUE)
    images, sentences = captions.draw([scene], 3, random)
    assert images.shape == (3, captions.SIDE, captions.SIDE, 3)
    assert sentences == [captions.sentence(scene)] * 3
    assert not (images[0] == images[1]).all()


def test_the_most_similar_picture_is_the_nearest(random):
    learnt = random.random((5, 2, 2, 3))
    assert captions.most_similar(learnt, learnt[[3, 1]] + 0.01) == [3, 1]


def test_words_are_counted_at_their_places():
    assert captions.share_of_words(["a b c", "d"], ["a x c", "d e"]) == 3 / 5


@pytest.mark.filterwarnings("ignore:Even though")  # eagerly: but for what reads the data
@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_it_runs(monkeypatch):
    monkeypatch.setattr(captions, "TESTED", 8)
    shown = run_example("captions", "--pictures", "32", "--units", "4", "--epochs", "1")
    assert "8 pictures of sentences held out" in shown
    assert "\n  network " in shown
    assert re.search(r"picture learnt +0\.0%", shown)  # no sentence held out is one of them
