"""examples/questions.py: stories, their truth, where the network looks, and that it runs."""

import random

import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config"),
]
questions = load_example("questions")
TINY = ("--stories", "8", "--held-out", "4", "--epochs", "1", "--units", "4")


def stories_of(task, count=60):
    return questions.make_stories(task, count, random.Random(task))


def is_one_of(line, phrases):
    return any(phrase in line for phrase in phrases)


def walk(lines, thing):
    """Where a thing has been, in turn, by reading the story's words alone."""
    places, carrier, been = {}, None, []
    for line in lines:
        who, what = line.split()[0], line.split()[-1]
        if is_one_of(line, questions.GO):
            places[who] = what
        elif what == thing:
            carrier = who if is_one_of(line, questions.TAKE) else None
            been += [] if been else [places[who]]
        if carrier and places[carrier] != been[-1]:
            been.append(places[carrier])
    return been


@pytest.fixture(scope="module")
def networks():
    return questions.memory_network(4, 3)


def test_the_answer_of_task_1_is_where_the_person_went_last():
    for lines, question, answer in stories_of(1):
        *_, last = (line for line in lines if line.startswith(question.split()[-1]))
        assert last.split()[-1] == answer


def test_the_answer_of_task_2_is_where_the_thing_was_carried_to():
    for lines, question, answer in stories_of(2):
        assert walk(lines, question.split()[-1])[-1] == answer


def test_the_answer_of_task_3_is_where_the_thing_was_before_it_came_there_last():
    for lines, question, answer in stories_of(3):
        been = walk(lines, question.split()[3])
        came = max(i for i, place in enumerate(been) if place == question.split()[-1])
        assert been[came - 1] == answer


@pytest.mark.parametrize("task", questions.LINES)
def test_nobody_takes_what_is_held_or_elsewhere(task):
    for lines, _, _ in stories_of(task):
        for i, line in enumerate(lines):
            if is_one_of(line, questions.TAKE):
                before = walk(lines[:i], line.split()[-1])
                who = [told for told in lines[:i] if told.startswith(line.split()[0])]
                here = [told.split()[-1] for told in who if is_one_of(told, questions.GO)][-1]
                assert before[-1:] in ([], [here])


@pytest.mark.parametrize("task", questions.LINES)
def test_no_story_is_told_twice_so_none_held_out_is_trained_on(task):
    told = [(tuple(lines), question) for lines, question, _ in stories_of(task, 500)]
    assert len(set(told)) == len(told) == 500


@pytest.mark.parametrize("task", questions.LINES)
def test_a_story_has_the_lines_and_words_that_there_is_room_for(task):
    for lines, question, _ in stories_of(task):
        assert 2 <= len(lines) <= questions.LINES[task]
        assert max(len(line.split()) for line in lines) <= questions.LONGEST[0]
        assert len(question.split()) <= questions.LONGEST[1]


def test_the_ids_of_a_story_give_back_its_words():
    stories = stories_of(3, 5)
    (told, asked), answers = questions.to_arrays(stories)
    for b, (lines, question, answer) in enumerate(stories):
        rows = [" ".join(questions.WORDS[i] for i in row if i) for row in [*told[b], asked[b]]]
        assert [row for row in rows if row] == [*lines, question]
        assert questions.PLACES[answers[b]] == answer


def test_each_look_is_a_distribution_over_the_lines_and_none_goes_to_padding(networks):
    (told, asked), _ = questions.to_arrays(stories_of(2, 8))
    looks = np.array(networks[1]([told, asked]))
    assert looks.shape == (8, 3, max(questions.LINES.values()))
    np.testing.assert_allclose(looks.sum(-1), 1, atol=1e-5)
    is_padding = np.broadcast_to(~told.any(-1)[:, None], looks.shape)
    assert (looks[is_padding] == 0).all()
    assert (looks[~is_padding] > 0).all()


def test_every_weight_is_trained(networks):
    from charrnn.tf.start import tf

    arrays, _ = questions.to_arrays(stories_of(3, 8))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(networks[0](arrays) ** 2)
    gradients = tape.gradient(total, networks[0].trainable_variables)
    assert all(gradient is not None for gradient in gradients)


@pytest.mark.nightly
def test_it_runs_and_draws_where_it_looked(tmp_path):
    printed = run_example("questions", *TINY, "--picture", str(tmp_path / "looks.png"))
    for name in ("most frequent", "LSTM ", "1 hop", "3 hops", "published"):
        assert name in printed
    assert (tmp_path / "looks.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["looks.docx", "missing/looks.png"])
def test_a_picture_that_cannot_be_written_is_refused_before_the_training(name, tmp_path):
    result = CliRunner().invoke(questions.main, [*TINY, "--picture", str(tmp_path / name)])
    assert result.exit_code == 2
    assert "Epoch" not in result.output
    assert name.split("/")[0] in result.output
