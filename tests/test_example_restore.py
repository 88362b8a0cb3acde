"""examples/restore.py: what a text loses, what is put back, and that it runs."""

import numpy as np
import pytest
from click.testing import CliRunner
from examples_in_hand import load_example, run_example

pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config"),
]
restore = load_example("restore")
TEXTS = [
    "Nous irons à l'école.",
    "Ça va ?  Où\nes-tu,\tÉlodie ?",
    "Cafe\u0301 İstanbul Straße Ωμέγα",
    "한국어 문장, 中文，日本語が",
    "🙂 👩‍🚀 ok",
]
TINY = ("--epochs", "1", "--units", "4", "--window", "20", "--characters", "600")


def complaint(*arguments):
    """The last line that the example prints where it refuses what it is given."""
    result = CliRunner().invoke(restore.main, arguments)
    assert result.exit_code != 0
    return result.output.strip().splitlines()[-1]


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_of_a_text_join_to_it(text):
    assert "".join(restore.cut(text)) == " ".join(text.split())


@pytest.mark.parametrize("text", TEXTS)
def test_a_bare_text_has_nothing_more_to_lose(text):
    left = "".join(map(restore.bare, restore.cut(text)))
    assert " " not in left
    assert "".join(map(restore.bare, restore.cut(left))) == left


def test_capitals_accents_and_spaces_are_lost_and_nothing_else():
    assert "".join(map(restore.bare, restore.cut(TEXTS[0]))) == "nousironsal'ecole."
    assert "".join(map(restore.bare, restore.cut("한국어 문장"))) == "한국어문장"


@pytest.mark.parametrize("text", TEXTS)
def test_the_true_forms_give_the_text_back(text):
    pieces = restore.cut(text)
    forms = restore.Forms(pieces)
    assert forms.to_text(forms.to_targets(pieces), pieces) == "".join(pieces)
    assert restore.accuracy(forms, forms.to_targets(pieces), pieces) == "100.00%"


def test_a_network_puts_back_forms_and_never_changes_the_letters():
    forms = restore.Forms(restore.cut(TEXTS[0]))
    unseen = restore.cut(TEXTS[1])
    model = restore.network(forms, restore.LSTM(4, return_sequences=True))
    restored = forms.to_text(restore.restore(model, forms, unseen, 8), unseen)
    before, after = (restore.cut(text) for text in ("".join(unseen), restored))
    assert [*map(restore.bare, after)] == [*map(restore.bare, before)]


def test_windows_hold_all_ids_in_their_order():
    for count in (7, 8, 9):
        rows = restore.windows(np.arange(1, count + 1), 4)
        assert rows.shape[1] == 4
        assert [i for i in rows.ravel() if i] == [*range(1, count + 1)]


def test_the_networks_have_about_as_many_weights():
    forms = restore.Forms(restore.cut(TEXTS[0]))
    models = [restore.network(forms, layer) for layer in restore.layers(64).values()]
    for model in models:
        model(np.zeros((1, 3), "int32"))
    assert models[0].count_params() == pytest.approx(models[1].count_params(), rel=0.1)


@pytest.mark.nightly
def test_it_runs_on_the_text_of_pythons_help():
    printed = run_example("restore", *TINY)
    for name in ("most frequent", "forward only", "forward and backward", "lost", "true"):
        assert name in printed


@pytest.mark.nightly
def test_it_runs_on_the_files_that_are_named(tmp_path):
    path = tmp_path / "école.txt"
    path.write_text("Nous irons à l'école. Où es-tu, Élodie ? " * 15, encoding="utf-8")
    assert "lost      " in run_example("restore", str(path), *TINY)


def test_what_cannot_be_read_is_told_in_a_line(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("Nous irons à l'école.".encode("latin-1"))
    assert "latin.txt is not in UTF-8" in complaint(str(path))
    path.write_text("Short.", encoding="utf-8")
    assert "6 characters" in complaint(str(path))
    assert "does not exist" in complaint(str(tmp_path / "missing.txt"))
