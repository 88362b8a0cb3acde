"""Sweeps: what is varied, that each trial is carried out once, and what is told of them."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import damage
import numpy as np
import pytest
from commands import ROOT, charrnn, options, untrained
from conftest import SMALL, TEXT
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import CharrnnError, ConfigError, CorpusError, MissingPackageError, RunError
from charrnn.runs import checkpoints
from charrnn.runs.events import Started, Stepped
from charrnn.runs.run import Run, runs_below
from charrnn.sweeps import journal
from charrnn.sweeps.folder import EVAL_CHARS, SweepFolder, find_sweep
from charrnn.sweeps.journal import Journal
from charrnn.sweeps.ranges import Choice, Range, divide, from_json, step_between, to_json
from charrnn.sweeps.results import (
    FAILED,
    FINISHED,
    FORMS,
    PRUNED,
    STOPPED,
    TRAINING,
    Result,
    as_good_as_the_best,
    ranked,
    table,
)
from charrnn.sweeps.sweep import SweepEnded, TrialEnded, TrialStarted, sweep, sweep_results

TINY = {**SMALL, "steps": 4, "threads": 1, "eval_every": 4, "checkpoint_every": 1}
SWEPT = {**TINY, "units": "8,10", "cell": "gru", "seeds": 2, "trials": 2}
RATE = {"learning_rate": Range(0.001, 0.1, logarithmic=True)}


def varied(**settings):
    """What is varied of the settings given."""
    return divide(settings)[0]


def test_ranges_values_and_single_values_are_told_apart():
    ways, fixed = divide(
        {
            "cell": "lstm,gru",
            "units": "128..512",
            "learning_rate": "0.001..0.02",
            "dropout": (0, 0.2),
            "layers": "1..3",
            "layer_norm": [True, False],
            "embedding": "64",
            "clip_norm": "1..1",
            "size": "tiny,small",
        }
    )
    assert ways == {
        "cell": Choice(("lstm", "gru")),
        "units": Range(128, 512, step=32),
        "learning_rate": Range(0.001, 0.02, logarithmic=True),
        "dropout": Choice((0.0, 0.2)),
        "layers": Range(1, 3, step=1),
        "layer_norm": Choice((True, False)),
        "size": Choice(("tiny", "small")),
    }
    assert fixed == {"embedding": 64, "clip_norm": 1.0}
    assert from_json(to_json(ways)) == ways


def test_rates_are_searched_by_factors_and_shares_by_distances():
    assert varied(weight_decay="0.01..0.5")["weight_decay"].logarithmic
    assert not varied(weight_decay="0..0.5")["weight_decay"].logarithmic  # 0 has no factor
    assert not varied(dropout="0.01..0.5")["dropout"].logarithmic


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_steps_lead_from_one_end_of_a_range_to_the_other(low, more):
    step = step_between(low, low + more)
    assert more % step == 0
    assert step == 1 or 4 * step <= low


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unitss": "1..2"}, "`unitss`: no such setting; did you mean `units`?"),
        ({"units": "512..128"}, "an empty range; write the smaller number first: 128..512"),
        ({"units": "128.."}, "write a range as 128..512, or several values"),
        ({"units": "1..2..3"}, "write a range as 128..512, or several values"),
        ({"units": "128..256,512"}, "write a range as 128..512, or several values"),
        ({"units": "a..b"}, "`units` 'a': must be a whole number"),
        ({"units": "0..8"}, "`units` 0: must be at least 1"),
        ({"dropout": "0,1.5"}, "`dropout` 1.5: must be below 1"),
        ({"dropout": "0,,0.5"}, "a value is missing"),
        ({"cell": "lstm..gru"}, "only numbers have a range"),
        ({"cell": "lstm,gruu"}, "must be one of"),
        ({"optimizer": "adamw,adamm"}, "adamm"),
        ({"seed": "0,1"}, "`seed` '0,1': has one value in a sweep"),
        ({"threads": "1..2"}, "has one value in a sweep"),
        ({"val_fraction": "0.1,0.2"}, "has one value in a sweep"),
        ({"units": "8"}, "nothing is varied; give a setting a range"),
        ({"units": "8,16", "val_fraction": 0.0}, "a sweep compares validation losses"),
        ({"cell": "lstm,mingru", "recurrent_dropout": 0.1}, "has no recurrent product"),
        ({"units": "8,16", "trials": 0}, "`trials` 0: must be at least 1"),
        ({"units": "8,16", "steps": 1, "epochs": 1}, "give one of"),
        ({"units": "8,16", "name": "a/b"}, "must be a plain folder name"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_is_made(corpus, settings, message):
    with pytest.raises(CharrnnError, match=re.escape(message)) as raised:
        sweep(corpus, **settings)
    assert "\n" not in str(raised.value)
    assert not ROOT.exists()


def test_a_text_that_can_be_read_once_only_is_refused():
    with pytest.raises(CharrnnError, match="each run reads the text again"):
        sweep("-", units="8,16")


def test_without_optuna_the_way_out_is_said(corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match='pip install "optuna>='):
        sweep(corpus, units="8,16")


def opened(ways, name="ways"):
    """A journal of trials that nobody trains."""
    place = SweepFolder(Path(name))
    place.folder.mkdir(exist_ok=True)
    return Journal(place, ways, 0)


def drawn(ways, trials):
    """The settings of so many trials, all of which fail: the sampler draws at random then."""
    journal, found = opened(ways), []
    for _ in range(trials):
        with journal.claim(trials) as claim:
            if claim is not None:
                found.append(claim.settings)
                claim.fail("")
    return found


def test_what_is_drawn_is_within_its_limits_and_of_its_kind():
    ways = varied(units="8..64", learning_rate="0.0001..1", dropout="0..0.5", cell="lstm,gru")
    found = drawn(ways, 40)
    for each in found:
        assert each["units"] in range(8, 65, 2)
        assert 0.0001 <= each["learning_rate"] <= 1
        assert each["learning_rate"] == float(f"{each['learning_rate']:.3g}")
        assert 0 <= each["dropout"] <= 0.5
    assert {each["cell"] for each in found} == {"lstm", "gru"}
    assert 0.3 < np.mean([each["learning_rate"] < 0.01 for each in found]) < 0.7
    assert len({tuple(each.values()) for each in found}) == 40


def test_a_number_with_few_digits_stays_within_the_range():
    assert Range(0.0012345, 0.0012349).shorten(0.0012346) == 0.0012345


@pytest.mark.parametrize("trials", [20, 5])
def test_no_way_is_tried_twice_where_there_are_few(trials):
    found = drawn(varied(cell="lstm,gru", layers="1..3"), trials)
    assert len(found) == len({tuple(each.values()) for each in found}) == min(6, trials)


WORKER = """
import sys
from pathlib import Path
from charrnn.sweeps.folder import SweepFolder
from charrnn.sweeps.journal import Journal
from charrnn.sweeps.ranges import Range

journal = Journal(SweepFolder(Path("ways")), {"learning_rate": Range(0.001, 0.1)}, 0)
print("ready", flush=True)
sys.stdin.readline()
done = True
while done:
    with journal.claim(20) as claim:
        done = claim is not None
        if done:
            claim.note_loss(0, 1.0 + claim.settings["learning_rate"])
            claim.finish()
            print(claim.number)
"""


def test_processes_side_by_side_carry_each_trial_out_once():
    opened(RATE)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for each in workers:
        assert each.stdout.readline() == "ready\n"
    for each in workers:
        each.stdin.write("\n")
        each.stdin.flush()
    shares = [list(map(int, each.communicate()[0].split())) for each in workers]
    assert sorted(shares[0] + shares[1]) == list(range(20))
    assert [each.state for each in opened(RATE).results()] == [FINISHED] * 20


def test_a_trial_in_the_hands_of_a_process_is_not_taken_up():
    journal, other = opened(RATE), opened(RATE)
    with journal.claim(2) as first, other.claim(2) as second:
        assert (first.number, second.number) == (0, 1)
        with other.claim(2) as third:
            assert third is None
        assert [each.state for each in other.results()] == [TRAINING] * 2
    assert [each.state for each in other.results()] == [STOPPED] * 2
    with other.claim(2) as again:
        assert (again.number, again.settings) == (0, first.settings)


def test_half_a_line_that_a_kill_has_left_is_no_harm():
    journal = opened(RATE)
    with journal.claim(1) as claim:
        claim.note_loss(0, 1.5)
    with journal.place.journal.open("ab") as file:
        file.write(b'{"op_code":')
    (result,) = opened(RATE).results()
    assert result.losses_nats == {0: 1.5}


def test_a_trial_that_is_behind_is_pruned_and_one_that_is_ahead_is_not():
    journal = opened(RATE)
    for loss in (2.0, 2.1, 2.2):
        with journal.claim(9) as claim:
            claim.should_prune(0.2, loss)
            claim.note_loss(0, loss - 1)
            claim.finish()
    with journal.claim(9) as claim:
        assert not claim.should_prune(0.05, 9.0)  # too soon to tell
        assert claim.should_prune(0.2, 2.05)
        claim.prune()
    with journal.claim(9) as claim:
        assert not claim.should_prune(0.2, 1.9)
        assert not claim.should_prune(1.0, 9.0)  # nothing is saved by pruning at the end
        claim.note_loss(0, 0.5)
        claim.finish()
    assert [each.state for each in journal.results()] == [FINISHED] * 3 + [PRUNED, FINISHED]


def test_a_pruned_trial_has_its_lowest_loss_by_then():
    journal = opened(RATE)
    with journal.claim(1) as claim:
        for share, loss in ((0.1, 3.0), (0.15, 2.5), (0.2, 2.75)):
            claim.should_prune(share, loss)
        claim.prune()
    (result,) = journal.results()
    assert (result.state, result.losses_nats) == (PRUNED, {0: 2.5})


RESULTS = (
    Result(0, {"a_b": "x|y", "rate": 0.5}, FINISHED, {0: 1.0, 1: 2.0, 2: 3.0}, 1234),
    Result(1, {"a_b": "R&D_1", "rate": 0.25}, FINISHED, {0: 1.5}, 1000),
    Result(2, {"a_b": r"\~^{50%}#$", "rate": 1.0}, FAILED, {}, why="it *did* <not> fit"),
)


def test_mean_and_spread_are_those_of_the_seeds():
    three, one, none = RESULTS
    assert (three.mean_nats, three.spread_nats) == (2.0, 1.0)  # of a sample: n - 1
    assert three.bits_per_char == pytest.approx(2 / np.log(2))
    assert (one.mean_nats, one.spread_nats) == (1.5, None)
    assert (none.mean_nats, none.spread_nats) == (None, None)


def test_trials_that_differ_by_less_than_their_seeds_are_as_good_as_the_best():
    best = Result(0, {}, FINISHED, {0: 1.0, 1: 1.2})  # a spread of 0.14
    near, own = Result(1, {}, FINISHED, {0: 1.2, 1: 1.2}), Result(2, {}, FINISHED, {0: 1.5, 1: 2.5})
    far, alone = Result(3, {}, FINISHED, {0: 1.5, 1: 1.6}), Result(4, {}, FINISHED, {0: 1.05})
    assert as_good_as_the_best(ranked([far, best, near])) == 1
    assert as_good_as_the_best(ranked([best, near, own, far])) == 1
    assert as_good_as_the_best(ranked([best, alone, Result(5, {}, FAILED, {}, why="no")])) == 1
    assert as_good_as_the_best([alone, alone]) == 0  # what seeds make of it is not known
    assert as_good_as_the_best([]) == 0


def test_the_best_trial_stands_first_and_those_not_carried_out_last():
    pruned = Result(3, {}, PRUNED, {0: 0.1})
    assert [each.trial for each in ranked([*RESULTS, pruned])] == [1, 0, 3, 2]


def test_the_text_has_columns():
    first, *rows = table(RESULTS).splitlines()
    assert first.split() == ["trial", "a_b", "rate", "weights", "seeds", "nats", "bits", "state"]
    assert "2.0000 ± 1.0000" in rows[0]
    assert {row.index("finished") for row in rows[:2]} == {first.index("state")}


def test_csv_has_every_number():
    rows = list(csv.DictReader(io.StringIO(table(RESULTS, "csv"))))
    assert [row["a_b"] for row in rows] == [each.settings["a_b"] for each in RESULTS]
    assert float(rows[0]["mean_nats"]) == 2.0
    assert [rows[0][f"seed_{seed}_nats"] for seed in range(3)] == ["1.0", "2.0", "3.0"]
    assert rows[1]["spread_nats"] == ""


def test_markdown_shows_every_cell_as_it_is():
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(table(RESULTS, "markdown"))
    shown = ["".join(part.content for part in each.children) for each in tokens if each.children]
    assert shown[1] == "a_b"
    assert [shown[8 * row + 1] for row in (1, 2, 3)] == [each.settings["a_b"] for each in RESULTS]
    assert shown[-1] == "failed: it *did* <not> fit"
    assert len(shown) == 4 * 8


def test_latex_has_no_character_that_it_would_obey():
    lines = table(RESULTS, "latex").splitlines()
    assert lines[0] == r"\begin{tabular}{llllllll}"
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 4
    for row in rows:
        bare = re.sub(r"\\[&%$#_{}]|\\text\w+\{\}|\$\\pm\$", "", row.removesuffix(r"\\"))
        assert bare.count("&") == 7
        assert not set("%$#_{}~^\\<>|") & set(bare)
    assert r"R\&D\_1" in rows[2]
    assert r"x\textbar{}y" in rows[1]


def test_a_table_of_nothing_is_a_heading():
    for form in FORMS:
        assert "state" in table((), form)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two ways with two seeds, carried out; the events."""
    from charrnn.tf.start import tf

    root = tmp_path_factory.mktemp("swept")
    path = root / "fox.txt"
    path.write_text(TEXT, encoding="utf-8")
    tf.config.run_functions_eagerly(True)
    events = list(sweep(path, checkpoints=root / "checkpoints", **SWEPT))
    tf.config.run_functions_eagerly(False)
    return path, events


def test_every_way_is_trained_with_every_seed(swept):
    _, events = swept
    started = [each for each in events if isinstance(each, TrialStarted)]
    assert [(each.trial, each.seed) for each in started] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {each.settings["units"] for each in started} == {8, 10}
    ended = [each.result for each in events if isinstance(each, TrialEnded)]
    assert isinstance(events[-1], SweepEnded)
    assert ranked(ended) == events[-1].results
    for each in events[-1].results:
        assert (each.state, set(each.losses_nats)) == (FINISHED, {0, 1})
        for seed, loss in each.losses_nats.items():
            run = Run(events[-1].folder / f"{each.trial:03d}-seed{seed}")
            assert checkpoints.load(run.last).progress.best_loss_nats == loss


def test_the_seeds_of_a_way_differ_in_nothing_else(swept):
    for trial in (0, 1):
        runs = [Run(swept[1][-1].folder / f"{trial:03d}-seed{seed}") for seed in (0, 1)]
        first, second = (checkpoints.load(run.last).config for run in runs)
        assert second == first.changed({"seed": 1})


def test_the_runs_share_one_encoded_text(swept):
    runs = runs_below(swept[1][-1].folder)
    assert len(runs) == 4
    assert len({(run.folder / "corpus.ids").stat().st_ino for run in runs}) == 1


def test_the_table_is_shown_without_training(swept):
    path, events = swept
    where = ("--checkpoints", path.parent / "checkpoints")
    for form in FORMS:
        outcome = charrnn("sweep", "--show", "fox-sweep", *where, "--format", form)
        assert (outcome.status, outcome.out) == (0, table(events[-1].results, form) + "\n")
    assert f"charrnn page fox-sweep/{events[-1].results[0].trial:03d}-seed" in outcome.err
    assert sweep_results("fox-sweep", where[1]) == events[-1].results


def test_the_runs_of_a_sweep_are_read_like_others(swept, monkeypatch):
    monkeypatch.chdir(swept[0].parent)
    assert charrnn("info", "fox-sweep/000-seed0").status == 0
    assert charrnn("sample", "fox-sweep/000-seed0", "--length", 5).status == 0
    command = charrnn("sweep", "--show", "fox-sweep").err.splitlines()[-1]
    assert charrnn(*command.partition("charrnn ")[2].split()).status == 0
    assert Path("fox-sweep.html").exists()


def test_a_list_of_runs_names_the_sweep_alone(swept, monkeypatch):
    monkeypatch.chdir(swept[0].parent)
    outcome = charrnn("list")
    assert outcome.out == ""
    assert "checkpoints/fox-sweep is a sweep" in outcome.err
    assert charrnn("list", "--checkpoints", "checkpoints/fox-sweep").out.count("seed") == 4


def test_a_sweep_that_is_carried_out_trains_nothing_more(swept):
    path, events = swept
    assert list(sweep(path, checkpoints=path.parent / "checkpoints", **SWEPT)) == events[-1:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "8,12"}, "this sweep has `units` 8,10, not 8,12"),
        ({"cell": "lstm"}, "this sweep has `cell` gru, not lstm"),
        ({"steps": 5}, "this sweep has `steps` 4, not 5"),
        ({"seeds": 3}, "this sweep has `seeds` 2, not 3"),
        ({"dropout": 0.1}, "this sweep has `dropout` left open, not 0.1"),
    ],
)
def test_a_sweep_of_that_name_with_other_ranges_is_left_alone(swept, change, message):
    path, _ = swept
    with pytest.raises(RunError, match=f"{re.escape(message)}; choose another `name`"):
        list(sweep(path, checkpoints=path.parent / "checkpoints", **{**SWEPT, **change}))


def test_a_sweep_of_that_name_over_another_text_is_left_alone(swept, tmp_path):
    other = tmp_path / "fox.txt"
    other.write_text(TEXT + "and away")
    with pytest.raises(RunError, match="this sweep has the text with the fingerprint"):
        list(sweep(other, checkpoints=swept[0].parent / "checkpoints", **SWEPT))


def test_a_run_is_not_taken_for_a_sweep(corpus):
    untrained(ROOT / "fox")
    with pytest.raises(RunError, match="this is a run; choose another `name`"):
        sweep(corpus, name="fox", units="8,10")
    with pytest.raises(
        RunError, match="no sweep of this name; the sweeps in checkpoints are: none"
    ):
        find_sweep("fox")


@pytest.mark.usefixtures("eagerly")
def test_a_pruned_trial_has_no_other_seeds(corpus, monkeypatch):
    monkeypatch.setattr(journal.Claim, "should_prune", lambda claim, share, loss: claim.number == 0)
    events = list(sweep(corpus, **SWEPT))
    started = [(each.trial, each.seed) for each in events if isinstance(each, TrialStarted)]
    assert started == [(0, 0), (1, 0), (1, 1)]
    assert [each.state for each in events[-1].results] == [FINISHED, PRUNED]


KILLED = """
import os
import sys
import charrnn
from charrnn.tf.start import tf
from charrnn.runs.events import Stepped

tf.config.run_functions_eagerly(True)
for event in charrnn.sweep("corpus.txt", **eval(sys.argv[1])):
    if isinstance(event, Stepped) and event.step == 3:
        os._exit(9)
"""


@pytest.mark.usefixtures("eagerly")
@pytest.mark.nightly
def test_a_killed_trial_is_taken_up_and_ends_as_if_undisturbed(corpus, train):
    once = {**SWEPT, "trials": 1, "seeds": 1}
    done = subprocess.run([sys.executable, "-c", KILLED, repr(once)], cwd=corpus.parent)
    assert done.returncode == 9
    (result,) = sweep_results("corpus-sweep")
    assert result.state == STOPPED
    events = list(sweep("corpus.txt", **once))
    (started,) = (each for each in events if isinstance(each, TrialStarted))
    assert (started.trial, started.resumed) == (0, True)
    assert [each.step for each in events if isinstance(each, Started)] == [2]
    assert [each.state for each in events[-1].results] == [FINISHED]
    kept = {**TINY, "eval_chars": 100_000, "cell": "gru", **started.settings}
    train(corpus, name="whole", layers=1, **kept)
    ended, whole = (checkpoints.load(Run(path).last) for path in (started.run, ROOT / "whole"))
    assert ended.config == whole.config
    for name, weight in whole.weights.items():
        np.testing.assert_array_equal(ended.weights[name], weight)


@pytest.mark.usefixtures("eagerly")
def test_leaving_a_sweep_saves_the_run_and_the_next_one_goes_on(corpus):
    once = {**SWEPT, "trials": 1, "seeds": 1, "checkpoint_every": 100}
    for event in sweep(corpus, **once):
        if isinstance(event, Stepped) and event.step == 2:
            break
    events = list(sweep(corpus, **once))
    assert [each.step for each in events if isinstance(each, Started)] == [2]


SOON_FULL = """
import sys
import charrnn.cli.sweep_command as command
from charrnn.cli import main

command.RUNS = 1
print("begun", file=sys.stderr)
main(["sweep", "corpus.txt", *sys.argv[1:]])
"""


@pytest.mark.skipif(os.name != "posix", reason="there the command does not start itself again")
@pytest.mark.nightly
def test_the_command_goes_on_in_a_fresh_process_after_so_many_runs(corpus):
    typed = {name: value for name, value in SWEPT.items() if name != "threads"} | {"seeds": 1}
    script = [sys.executable, "-c", SOON_FULL, *map(str, options(**typed))]
    done = subprocess.run(script, cwd=corpus.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("begun\n") == 3
    results = sweep_results("corpus-sweep")
    assert [each.state for each in results] == [FINISHED, FINISHED]
    assert done.stdout == table(results, "text") + "\n"


@pytest.mark.usefixtures("eagerly")
def test_settings_that_do_not_go_together_fail_alone(corpus):
    ways = {"embedding": "8,10", "units": "8,10", "tie_embeddings": True}
    events = list(sweep(corpus, **{**SWEPT, **ways, "seeds": 1, "trials": 4, "layers": 1}))
    states = {tuple(each.settings.values()): each.state for each in events[-1].results}
    assert states == {(8, 8): FINISHED, (10, 10): FINISHED, (8, 10): FAILED, (10, 8): FAILED}
    assert "the output layer reads" in events[-1].results[-1].why


def test_the_command_refuses_two_ranges_for_one_setting(corpus):
    outcome = charrnn("sweep", corpus, "--units", "8..16", "--units", "32,64")
    assert outcome.status == 2
    assert "--units: given twice, as 8..16 and 32,64" in outcome.err


def test_the_command_speaks_of_options(corpus):
    outcome = charrnn("sweep", corpus, "--lr", "0.02..0.001")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        "charrnn: --learning-rate 0.02..0.001: an empty range; write the smaller number first:"
        " 0.001..0.02\n"
    )
    outcome = charrnn("sweep", "--show", "none")
    assert "none: no sweep of this name; the sweeps in checkpoints are: none" in outcome.err
    assert charrnn("sweep", corpus, "--show", "none").status == 2


def test_the_help_of_a_sweep_tells_its_own_defaults_and_values():
    shown = " ".join(charrnn("sweep", "--help").out.split())
    assert f"0: on all of it. [default: {EVAL_CHARS:,}]" in shown
    assert "a comma separates two ways, not two layers. [default: chosen]" in shown
    assert "number in --units" not in shown


def test_the_folder_of_a_sweep_is_no_text(swept, tmp_path):
    from charrnn.runs.run import leave_out_runs

    assert leave_out_runs(tmp_path)(swept[1][-1].folder)


def test_config_errors_of_one_value_name_it():
    with pytest.raises(ConfigError) as raised:
        varied(units="8,x")
    assert raised.value.settings == {"units": "x"}
    assert os.linesep not in str(raised.value)


# -- What may have become of a sweep's files ---------------------------------------------------


@pytest.fixture
def copied(swept, tmp_path):
    """A copy of the sweep that was carried out, and its text, to be altered."""
    shutil.copytree(swept[0].parent, tmp_path / "copy")
    folder = SweepFolder(tmp_path / "copy" / "checkpoints" / "fox-sweep")
    return tmp_path / "copy" / "fox.txt", folder


def shown(folder):
    return sweep_results(folder.folder)


def refusal(folder):
    """The message where the sweep is refused, which is one line and names a file; or nothing."""
    try:
        shown(folder)
    except RunError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_plan_is_refused_or_serves(copied, seed):
    _, folder = copied
    plan = json.loads(folder.plan_file.read_bytes())
    folder.plan_file.write_text(json.dumps(damage.altered(plan, Random(seed))))
    message = refusal(folder)
    assert not message or message.startswith((str(folder.plan_file), str(folder.journal)))
    assert "\n" not in message


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_journal_is_refused_with_its_line_or_serves(copied, seed):
    _, folder = copied
    random = Random(seed)
    lines = folder.journal.read_text().splitlines()
    place = random.randrange(len(lines))
    lines[place] = json.dumps(damage.altered(json.loads(lines[place]), random))
    folder.journal.write_text("\n".join(lines) + "\n")
    message = refusal(folder)
    assert not message or message.startswith(str(folder.journal))
    assert "\n" not in message


def test_the_line_that_is_damaged_is_named(copied):
    _, folder = copied
    lines = folder.journal.read_text().splitlines()
    lines[4] = "{oops"
    folder.journal.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match="damaged: line 5; restore it"):
        shown(folder)


def test_showing_writes_nothing(copied):
    _, folder = copied
    with folder.journal.open("ab") as file:
        file.write(b'{"op_code":')
    before = {path: path.stat().st_mtime_ns for path in folder.folder.iterdir()}
    assert len(shown(folder)) == 2
    assert {path: path.stat().st_mtime_ns for path in folder.folder.iterdir()} == before


def test_a_text_that_changes_on_the_way_ends_the_sweep(corpus):
    settings = {**SWEPT, "seeds": 1}
    events = sweep(corpus, **settings)
    while not isinstance(next(events), TrialEnded):
        pass
    corpus.write_text(TEXT + "and away")
    with pytest.raises(CorpusError, match="the text has changed since the sweep began"):
        list(events)
    assert len(runs_below(ROOT / "corpus-sweep")) == 1


def test_runs_whose_journal_is_lost_are_not_taken_for_others(copied):
    path, folder = copied
    folder.journal.unlink()
    first = folder.folder / "000-seed0"
    second = folder.folder / "001-seed0"
    first.rename(folder.folder / "other")
    second.rename(first)  # in the order in which they are tried, the first has other units
    with pytest.raises(RunError, match="in the journal this trial has"):
        list(sweep(path, checkpoints=folder.folder.parent, **SWEPT))


@pytest.mark.parametrize("name", ["sweep.json", "trials.journal", "new.txt"])
def test_no_output_goes_into_a_sweep_s_folder(copied, name):
    _, folder = copied
    before = folder.journal.read_bytes(), folder.plan_file.read_bytes()
    outcome = charrnn("sample", folder.folder / "000-seed0", "-o", folder.folder / name)
    assert outcome.status == 1
    assert "is in the folder of a run or sweep" in outcome.err
    assert (folder.journal.read_bytes(), folder.plan_file.read_bytes()) == before
