"""Training's promises: it learns, it resumes bit for bit, it survives what goes wrong."""

import itertools
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from apart import run_apart
from conftest import SMALL, TEXT
from graphs import without_xla
from nightly import mostly

import charrnn
from charrnn.config import Config
from charrnn.errors import ConfigError, CorpusError, DivergedError, RunError
from charrnn.runs import checkpoints, events, history
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.training import machine
from charrnn.training.duties import MOST_ROLLBACKS, PATIENCE

pytestmark = pytest.mark.usefixtures("eagerly")

PLAN = {"steps": 12, "eval_every": 4, "checkpoint_every": 2, "dropout": 0.3, "sample_every": 3}
OFTEN = SMALL | PLAN | {"stretch": 3}


def only(kind, history):
    """The events of one kind."""
    return [event for event in history if isinstance(event, kind)]


def run_of(tmp_path, name="corpus"):
    return Run(tmp_path / "checkpoints" / name)


def last(tmp_path, name="corpus"):
    return checkpoints.load(run_of(tmp_path, name).last)


def assert_same(one, other):
    """Two checkpoints hold the same bits."""
    assert one.tensors.keys() == other.tensors.keys()
    for name in one.tensors:
        np.testing.assert_array_equal(one.tensors[name], other.tensors[name], err_msg=name)
    ours, theirs = one.progress, other.progress
    ours.elapsed_seconds = theirs.elapsed_seconds = 0
    assert ours == theirs


def rows(tmp_path, name="corpus"):
    """history.csv without the clock's column."""
    read, complete = history.read_history(run_of(tmp_path, name).history.read_bytes())
    assert complete
    return [{**row, "elapsed_seconds": ""} for row in read]


def kept_samples(tmp_path, name="corpus"):
    """What samples.jsonl holds."""
    return history.read_samples(run_of(tmp_path, name).samples.read_bytes())[0]


# -- Resuming ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The last checkpoint, the history and the samples of a run of 12 steps in one go."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "corpus.txt").write_text(TEXT, encoding="utf-8")
    checkpoints_below = folder / "checkpoints"
    with without_xla():
        list(charrnn.train(folder / "corpus.txt", checkpoints=checkpoints_below, **OFTEN))
    return last(folder), rows(folder), kept_samples(folder)


@pytest.mark.graphs
@pytest.mark.parametrize("stop_at", mostly([1, 4, 6, 7], [7].__contains__))
def test_stopped_and_resumed_equals_uninterrupted(train, corpus, tmp_path, uninterrupted, stop_at):
    stream = charrnn.train(corpus, checkpoints=tmp_path / "checkpoints", **OFTEN)
    for event in stream:
        if isinstance(event, events.Stepped) and event.step == stop_at:
            break
    stream.close()
    assert last(tmp_path).progress.step == stop_at
    train(resume=True, name="corpus", sample_every=3)
    assert_same(last(tmp_path), uninterrupted[0])
    assert rows(tmp_path) == uninterrupted[1]
    assert kept_samples(tmp_path) == uninterrupted[2]


KILLED = """
import os, signal, sys, charrnn
from charrnn.runs.events import Stepped
from graphs import without_xla
with without_xla():
    for event in charrnn.train(sys.argv[1], checkpoints=sys.argv[2], **eval(sys.argv[3])):
        if isinstance(event, Stepped) and event.step == 7:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.graphs
def test_killed_and_resumed_equals_uninterrupted(train, corpus, tmp_path, uninterrupted):
    killed = run_apart(KILLED, corpus, tmp_path / "checkpoints", repr(OFTEN))
    assert killed.returncode == -signal.SIGKILL
    assert last(tmp_path).progress.step == 6
    said = only(events.Note, train(resume=True, sample_every=3))
    assert any("continuing" in note.message for note in said)
    assert_same(last(tmp_path), uninterrupted[0])
    assert rows(tmp_path) == uninterrupted[1]
    assert kept_samples(tmp_path) == uninterrupted[2]


def with_cores(monkeypatch, count):
    """Let the process believe that it may use so many cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(count), raising=False)


ON_ONE_CORE = """
import os, sys
import charrnn
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
list(charrnn.train(checkpoints=sys.argv[1], name="corpus", resume=True))
"""


@pytest.mark.nightly
@pytest.mark.compiled
def test_a_run_resumed_on_one_core_equals_the_uninterrupted(train, corpus, tmp_path):
    options = {"units": 512, "batch_size": 64, "seq_length": 4, "steps": 4, "parts": 1}
    options |= {"layers": 1, "val_fraction": 0}
    train(corpus, name="whole", **options)
    stream = charrnn.train(corpus, checkpoints=tmp_path / "checkpoints", **SMALL | options)
    next(event for event in stream if isinstance(event, events.Stepped) and event.step == 2)
    stream.close()
    run_apart(ON_ONE_CORE, tmp_path / "checkpoints").check_returncode()
    assert_same(last(tmp_path), last(tmp_path, "whole"))


def test_a_run_tells_of_other_cores_and_of_another_machine(train, corpus, tmp_path, monkeypatch):
    train(corpus, steps=1)
    monkeypatch.setattr(machine, "processor", lambda: "Z80")
    with_cores(monkeypatch, 77)
    notes = [
        event.message for event in train(resume=True, steps=1) if isinstance(event, events.Note)
    ]
    assert any("there are 77 cores here" in note for note in notes)
    assert any("is on Z80" in note for note in notes)
    assert "Z80" in last(tmp_path).progress.machine
    assert not any("Z80" in str(event) for event in train(resume=True, steps=1))


class Killed(BaseException):
    """What ends a process at once: nothing is saved any more."""


def kill_at(step, monkeypatch):
    """Let the process die in a step, with what is on disk by then."""
    from charrnn.training.step import Trainer

    take = Trainer.step

    def killed(self, batch, state, seed, *more):
        if seed == step:
            raise Killed
        return take(self, batch, state, seed, *more)

    monkeypatch.setattr(Trainer, "step", killed)


@pytest.mark.graphs
@pytest.mark.parametrize("options", [{"seed": 1}, {"val_fraction": 0}])
def test_a_run_killed_long_after_its_last_checkpoint_ends_with_the_same_best(
    train, corpus, tmp_path, monkeypatch, options
):
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    # The rate is so high that the loss rises at the end: the best is in the middle.
    options |= {"steps": 12, "eval_every": 2, "checkpoint_every": 12, "learning_rate": 0.5}
    history = train(corpus, name="whole", **options)
    with monkeypatch.context() as patched:
        kill_at(11, patched)
        with pytest.raises(Killed):
            train(corpus, **options)
    before = run_of(tmp_path).best.read_bytes()
    assert checkpoints.load(run_of(tmp_path).best).progress.step > 2
    assert last(tmp_path).progress.step == 0
    resumed = only(events.Evaluated, train(resume=True, name="corpus"))
    whole = only(events.Evaluated, history)
    assert [each.val_loss_nats for each in resumed] == [each.val_loss_nats for each in whole]
    assert [each.step for each in resumed if each.is_best] in ([], [12])
    for which in ("best", "last"):
        files = (run_of(tmp_path, name).file(which) for name in ("corpus", "whole"))
        assert_same(*map(checkpoints.load, files))
    assert whole[-1].is_best or run_of(tmp_path).best.read_bytes() == before


def test_a_best_that_is_gone_or_damaged_is_written_anew(train, corpus, tmp_path):
    train(corpus, steps=2)
    best = run_of(tmp_path).best
    best.unlink()
    assert only(events.Evaluated, train(resume=True, steps=2))[-1].is_best
    data = best.read_bytes()
    best.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    history = train(resume=True, steps=2)
    assert only(events.Evaluated, history)[-1].is_best
    notes = [note.message for note in only(events.Note, history)]
    assert any("best.safetensors: damaged" in note for note in notes)
    assert checkpoints.load(best).progress.step == 6


@pytest.mark.graphs
def test_one_core_is_told_of_in_the_singular(monkeypatch):
    with_cores(monkeypatch, 1)
    (note,) = machine.note_other_machine(Progress(), Config.of(threads=2))
    assert "there is 1 core here" in note.message


def test_a_run_keeps_its_parts_on_a_machine_with_other_cores(train, corpus, tmp_path, monkeypatch):
    options = PLAN | {"batch_size": 32, "steps": 4, "eval_every": 2}
    with_cores(monkeypatch, 4)
    train(corpus, name="whole", **options)
    stream = charrnn.train(corpus, checkpoints=tmp_path / "checkpoints", **SMALL | options)
    next(event for event in stream if isinstance(event, events.Stepped) and event.step == 2)
    stream.close()
    with_cores(monkeypatch, 1)
    list(charrnn.train(checkpoints=tmp_path / "checkpoints", name="corpus", resume=True))
    assert last(tmp_path).config.training.parts == 4
    assert_same(last(tmp_path), last(tmp_path, "whole"))


def test_the_parts_of_a_run_cannot_change(train, corpus):
    train(corpus, steps=1, parts=3)
    with pytest.raises(ConfigError, match="`parts` 2: the run has 3"):
        train(resume=True, steps=1, parts=2)


AS_USERS_RUN_IT = """
import sys, charrnn
from charrnn.tf import steps
steps.COLUMNS_FROM = steps.LANES = 1
corpus, options = sys.argv[1], eval(sys.argv[2])
for event in charrnn.train(corpus, checkpoints="whole", **options):
    pass
stream = charrnn.train(corpus, checkpoints="parts", **options)
while getattr(next(stream), "step", 0) < 2:
    pass
stream.close()
for event in charrnn.train(checkpoints="parts", resume=True):
    pass
"""


def test_resumed_equals_uninterrupted_as_users_run_it(corpus, tmp_path):
    """With all of XLA's optimisations, which the other tests do without, and in columns."""
    options = repr(SMALL | PLAN | {"steps": 4, "batch_size": 3, "layers": 1, "val_fraction": 0})
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    command = [sys.executable, "-c", AS_USERS_RUN_IT, str(corpus), options]
    subprocess.run(command, check=True, env=environment)
    whole, parts = (
        checkpoints.load(Run(tmp_path / folder / "corpus").last) for folder in ("whole", "parts")
    )
    assert parts.progress.start == 0
    assert parts.progress.step == 4
    assert_same(parts, whole)


@pytest.mark.graphs
def test_epochs_reset_the_state_only_where_streams_start(train, corpus, tmp_path):
    history = train(corpus, epochs=2)
    windows = last(tmp_path).progress.windows
    steps = only(events.Stepped, history)
    assert len(steps) == 2 * windows
    train_characters = int(0.9 * 1800)
    assert sum(step.characters for step in steps) == 2 * (train_characters - 1)


def test_a_finished_run_says_so_and_takes_a_new_plan(train, corpus, tmp_path):
    train(corpus, steps=3)
    note, finished = train(resume=True)
    assert "`time 5m`" in note.message
    assert isinstance(finished, events.Finished)
    history = train(resume=True, steps=2)
    assert [step.step for step in only(events.Stepped, history)] == [4, 5]
    assert last(tmp_path).progress.finished


def test_resume_refuses_another_network(train, corpus):
    train(corpus, steps=1)
    with pytest.raises(ConfigError, match="`units` 9: the run has 8"):
        train(resume=True, units=9)


def test_resume_refuses_a_changed_corpus(train, corpus):
    train(corpus, steps=1)
    corpus.write_text(corpus.read_text().replace("fox", "cat"), encoding="utf-8")
    for arguments in ((), (corpus,)):
        with pytest.raises(CorpusError, match=r"corpus\.txt .*corpus\.ids"):
            train(*arguments, resume=True, steps=1)


def test_resume_takes_a_corpus_that_was_only_touched(train, corpus):
    train(corpus, steps=1)
    os.utime(corpus, (1, 1))
    train(corpus, resume=True, steps=1)


def test_resume_without_the_corpus_s_files(train, corpus, tmp_path):
    train(corpus, steps=1)
    corpus.unlink()
    train(run_of(tmp_path).name, resume=True, steps=1)
    assert last(tmp_path).progress.step == 2


def test_a_run_without_its_last_checkpoint_cannot_be_resumed(train, corpus, tmp_path):
    train(corpus, steps=1)
    run_of(tmp_path).last.unlink()
    with pytest.raises(RunError, match=r"last\.safetensors: missing.*`init_from corpus`"):
        train(resume=True, steps=1)


def test_a_new_plan_survives_a_kill_before_its_first_step(train, corpus, tmp_path):
    train(corpus, steps=1)
    beginning = charrnn.train(checkpoints=tmp_path / "checkpoints", resume=True, steps=7)
    next(event for event in beginning if isinstance(event, events.Started))
    saved = last(tmp_path).progress
    beginning.close()
    assert (saved.step, saved.end) == (1, 8)


def test_a_run_that_goes_on_takes_another_cadence(train, corpus, tmp_path):
    stream = charrnn.train(corpus, checkpoints=tmp_path / "checkpoints", **OFTEN)
    next(event for event in stream if isinstance(event, events.Stepped))
    stream.close()
    history = train(resume=True, eval_every=5, checkpoint_every=6)
    assert [event.step for event in only(events.Evaluated, history)] == [5, 10, 12]
    assert [event.step for event in only(events.Saved, history)] == [6, 12]


def test_what_is_learnt_may_change_on_resume_and_is_said(train, corpus, tmp_path):
    train(corpus, steps=2, dropout=0.1)
    change = {"learning_rate": 0.001, "dropout": 0.5, "clip_norm": 2.0, "eval_every": 1}
    notes = [note.message for note in only(events.Note, train(resume=True, steps=2, **change))]
    (said,) = [note for note in notes if "not continued exactly" in note]
    assert said.startswith("`dropout` is 0.5, it was 0.1, `learning_rate` is 0.001, it was 0.01, ")
    assert "eval_every" not in said
    config = last(tmp_path).config
    assert (config.training.learning_rate, config.model.dropout) == (0.001, 0.5)
    again = " ".join(note.message for note in only(events.Note, train(resume=True, steps=1)))
    assert "not continued exactly" not in again


@pytest.mark.parametrize(("warm_restart", "peak"), [(None, 0.01), (0.3, 0.003)])
def test_a_new_plan_restarts_the_learning_rate_as_it_says(
    train, corpus, tmp_path, warm_restart, peak
):
    train(corpus, steps=2, warmup_steps=0)
    stream = charrnn.train(
        checkpoints=tmp_path / "checkpoints", resume=True, steps=9, warm_restart=warm_restart
    )
    notes = itertools.takewhile(is_note, iter(stream.__next__, None))
    said = " ".join(note.message for note in notes)
    assert f"restarts at {'0.3 of its' if warm_restart else 'its'} peak, {peak:g}" in said
    assert ("`warm_restart 0.3`" in said) == (warm_restart is None)
    rest = list(stream)
    assert only(events.Evaluated, rest)
    assert last(tmp_path).progress.rate_scale == (warm_restart or 1.0)


def test_a_warm_restart_is_for_a_new_plan_of_a_resumed_run(train, corpus):
    with pytest.raises(ConfigError, match=r"`warm_restart` 0\.3: .*`resume`"):
        train(corpus, steps=1, warm_restart=0.3)
    train(corpus, steps=1)
    with pytest.raises(ConfigError, match=r"`warm_restart` 0\.3: .*`time 5m`"):
        train(resume=True, warm_restart=0.3)


@pytest.mark.parametrize(
    ("steps", "said"),
    [(1, "for 1 step, 0.02 of a pass"), (41, "for 41 steps, 1 pass"), (50, "for 50 st")],
)
def test_a_short_plan_says_so(train, corpus, steps, said):
    stream = charrnn.train(corpus, **SMALL, steps=steps)
    notes = [note.message for note in itertools.takewhile(is_note, iter(stream.__next__, None))]
    (plan,) = [place for place, note in enumerate(notes) if said in note]
    assert len(notes) == plan + 2 + (steps < 50)  # the last one says "compiling"
    assert steps == 50 or "`time 5m`" in notes[-2]


def is_note(event):
    return isinstance(event, events.Note)


def test_the_same_command_with_resume_goes_on(train, tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("abc" * 7, encoding="utf-8")
    train(path, steps=1)
    train(path, resume=True, steps=1)
    assert last(tmp_path, "tiny").progress.step == 2


# -- Learning ----------------------------------------------------------------------------


@pytest.mark.graphs
def test_learns_a_repeating_string(train, tmp_path):
    path = tmp_path / "abc.txt"
    path.write_text("abcdefgh" * 200, encoding="utf-8")
    history = train(path, steps=150, units=24, dropout=0, learning_rate=0.02)
    assert only(events.Evaluated, history)[-1].val_bits_per_char < 0.1
    assert charrnn.evaluate("abc", checkpoints=tmp_path / "checkpoints").bits_per_char < 0.1


@pytest.mark.graphs
@pytest.mark.parametrize("options", [{"cell": "gru", "layers": 2}, {"cell": "rnn", "embedding": 0}])
def test_other_shapes_lower_the_loss(train, corpus, options):
    losses = [event.loss_nats for event in only(events.Stepped, train(corpus, steps=60, **options))]
    assert sum(losses[-3:]) / 3 < losses[0] - 0.1


def test_first_loss_is_that_of_a_uniform_guess(train, corpus):
    first = only(events.Stepped, train(corpus, steps=1))[0]
    assert first.loss_nats == pytest.approx(math.log(29), abs=0.5)


@pytest.mark.graphs
@pytest.mark.graphs
def test_a_seed_fixes_the_run(train, corpus, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(corpus, name=name, steps=2, seed=seed)
    assert_same(last(tmp_path, "a"), last(tmp_path, "b"))
    different = last(tmp_path, "c").weights["logits/kernel"]
    assert (last(tmp_path, "a").weights["logits/kernel"] != different).any()


def test_best_is_the_checkpoint_with_the_lowest_validation_loss(train, corpus, tmp_path):
    history = train(corpus, steps=12, eval_every=3)
    losses = {event.step: event.val_loss_nats for event in only(events.Evaluated, history)}
    best = checkpoints.load(run_of(tmp_path).best)
    assert best.progress.best_loss_nats == min(losses.values())
    assert losses[best.progress.step] == min(losses.values())
    assert set(best.tensors) == {name for name in best.tensors if name.startswith("weights/")}


def test_without_validation_best_is_the_newest(train, corpus, tmp_path):
    history = train(corpus, steps=4, eval_every=2, val_fraction=0)
    assert [event.val_loss_nats for event in only(events.Evaluated, history)] == [None, None]
    assert checkpoints.load(run_of(tmp_path).best).progress.step == 4


@pytest.mark.graphs
def test_a_time_plan_becomes_steps(train, corpus, tmp_path):
    train(corpus, time="2s")
    progress = last(tmp_path).progress
    assert progress.finished
    assert progress.step >= 1


class Begun(Exception):
    """Training has come to its beginning."""


def test_a_plan_s_time_begins_before_tensorflow_is_imported(corpus, tmp_path, monkeypatch):
    """But not before the loop over the events."""

    def note_beginning(*given):
        raise Begun(given[-2])

    times = itertools.count(step=4)
    monkeypatch.setattr("charrnn.training.train.perf_counter", lambda: next(times))
    monkeypatch.setattr("charrnn.training.begin.new", note_beginning)
    monkeypatch.setattr("charrnn.training.begin.resumed", note_beginning)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "last.safetensors").touch()
    for paths, options in (([corpus], {}), ([], {"name": "old", "resume": True})):
        before = next(times)
        stream = charrnn.train(*paths, checkpoints=tmp_path, time=60, **options)
        with pytest.raises(Begun) as begun:
            list(stream)
        assert begun.value.args == (before + 8,)  # 4 until `train` returns, 4 until the loop


def test_a_run_that_cannot_be_saved_when_its_loop_is_left_says_so(corpus, tmp_path):
    def leave_renamed():
        with charrnn.train(corpus, checkpoints=tmp_path / "runs", steps=9, **SMALL) as stream:
            for event in stream:
                if isinstance(event, events.Stepped):
                    (tmp_path / "runs" / "corpus").rename(tmp_path / "runs" / "renamed")
                    break

    with pytest.raises(RunError, match=r"last\.safetensors: No such file"):
        leave_renamed()


REFUSED = """
import sys, charrnn
try:
    list(charrnn.train(sys.argv[1], checkpoints=sys.argv[2]))
except charrnn.CharrnnError as error:
    print(error, "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize("text", [b"", b"abc", b"\xff\xfe\x00 no text"])
def test_a_text_is_refused_before_tensorflow_is_imported(tmp_path, text):
    path = tmp_path / "text.txt"
    path.write_bytes(text)
    said = run_apart(REFUSED, path, tmp_path / "runs", stdout=subprocess.PIPE).stdout
    assert said.startswith(str(path))
    assert said.endswith("False\n")
    assert not (tmp_path / "runs").exists()


def test_samples_are_shown(train, corpus):
    history = train(corpus, steps=4, sample_every=2)
    samples = only(events.Sampled, history)
    assert [sample.step for sample in samples] == [2, 4]
    assert {len(sample.text) for sample in samples} == {200}


@pytest.mark.graphs
def test_samples_are_kept_with_their_step_and_epoch(train, corpus, tmp_path):
    samples = only(events.Sampled, train(corpus, steps=4, sample_every=2))
    kept, understood = history.read_samples(run_of(tmp_path).samples.read_bytes())
    assert understood
    assert [(line.step, line.text) for line in kept] == [(each.step, each.text) for each in samples]
    windows = last(tmp_path).progress.windows
    assert [line.epoch for line in kept] == [round(step / windows, 4) for step in (2, 4)]


def test_a_sample_is_made_up_for_but_never_written_twice(train, corpus, tmp_path):
    """The checkpoint of its step is written before it."""
    stream = charrnn.train(corpus, checkpoints=tmp_path / "checkpoints", **OFTEN)
    for event in stream:
        if isinstance(event, events.Saved) and event.step == 6:
            break
    assert [line.step for line in kept_samples(tmp_path)] == [3]
    for event in charrnn.train("corpus", checkpoints=tmp_path / "checkpoints", resume=True):
        if isinstance(event, events.Sampled):
            break
    assert event.step == 6
    resumed = train(resume=True, name="corpus", sample_every=3)
    assert [event.step for event in only(events.Sampled, resumed)] == [9, 12]
    assert [line.step for line in kept_samples(tmp_path)] == [3, 6, 9, 12]


def test_a_run_without_samples_resumes(train, corpus, tmp_path):
    train(corpus, steps=4, sample_every=2)
    run_of(tmp_path).samples.unlink()
    train(resume=True, name="corpus", steps=4, sample_every=2)
    assert [line.step for line in kept_samples(tmp_path)] == [6, 8]


@pytest.mark.parametrize("text", ["ab" * 5, "abc" * 7, "x" * 50])
def test_tiny_corpora_train(train, tmp_path, text):
    path = tmp_path / "tiny.txt"
    path.write_text(text, encoding="utf-8")
    history = train(path, steps=2)
    notes = " ".join(event.message for event in only(events.Note, history))
    assert "cannot fill" in notes or len(text) >= 40
    assert all(math.isfinite(event.loss_nats) for event in only(events.Stepped, history))


# -- What goes wrong ---------------------------------------------------------------------


@pytest.fixture
def poison(monkeypatch):
    """Make the loss of chosen steps not finite."""

    def at(bad):
        from charrnn.training.step import Trainer

        step = Trainer.step

        def poisoned(self, batch, state, seed, rate, *more):
            if bad(seed, rate):
                batch = batch._replace(mask=batch.mask * np.float32("nan"))
            return step(self, batch, state, seed, rate, *more)

        monkeypatch.setattr(Trainer, "step", poisoned)

    return at


def test_a_step_that_is_not_finite_changes_nothing(train, corpus, tmp_path, poison):
    train(corpus, name="before", steps=3, warmup_steps=0)
    poison(lambda seed, rate: seed == 2)
    history = train(corpus, name="after", steps=3, warmup_steps=0, checkpoint_every=2)
    skipped = [event.skipped for event in only(events.Stepped, history)]
    assert skipped == [False, False, True, False]  # a plan does not end with a skipped step
    assert [event.step for event in only(events.Saved, history)] == [2, 4]
    assert last(tmp_path, "after").progress.skipped_steps == 1
    assert all(np.isfinite(value).all() for value in last(tmp_path, "after").tensors.values())


DIVERGING = {"eval_every": 10, "warmup_steps": 0, "schedule": "cosine"}


@pytest.mark.graphs
@pytest.mark.graphs
def test_divergence_goes_back_at_half_the_rate(train, corpus, tmp_path, poison):
    poison(lambda seed, rate: seed >= 4 and rate > 0.006)
    history = train(corpus, steps=20, **DIVERGING, learning_rate=0.01)
    (back,) = only(events.RolledBack, history)
    assert back.step == 0
    assert back.learning_rate == 0.005
    progress = last(tmp_path).progress
    assert progress.finished
    assert progress.rate_scale == 0.5
    assert progress.skipped_steps == PATIENCE


def test_a_new_plan_starts_at_the_full_rate_again(train, corpus, tmp_path, poison):
    poison(lambda seed, rate: seed >= 4 and rate > 0.006)
    train(corpus, steps=20, **DIVERGING)
    assert last(tmp_path).progress.rate_scale == 0.5
    started = charrnn.train(checkpoints=tmp_path / "checkpoints", resume=True, steps=8)
    next(event for event in started if isinstance(event, events.Started))
    progress = last(tmp_path).progress
    assert (progress.rate_scale, progress.rollbacks) == (1.0, 0)


@pytest.mark.graphs
def test_going_back_keeps_the_best_weights_and_one_row_a_step(train, corpus, tmp_path, poison):
    poison(lambda seed, rate: seed >= 13 and rate > 0.0055)
    options = {"warmup_steps": 0, "learning_rate": 0.02, "eval_every": 3, "checkpoint_every": 9}
    history = train(corpus, steps=30, **options)
    assert len(only(events.RolledBack, history)) == 1
    losses = [event.val_loss_nats for event in only(events.Evaluated, history)]
    best = checkpoints.load(run_of(tmp_path).best).progress.best_loss_nats
    assert best == min(losses) == last(tmp_path).progress.best_loss_nats
    assert [int(row["step"]) for row in rows(tmp_path)] == list(range(3, 31, 3))


@pytest.mark.graphs
def test_hopeless_divergence_gives_up(train, corpus, poison):
    poison(lambda seed, rate: seed >= 4)
    with pytest.raises(DivergedError, match="`learning_rate`"):
        train(corpus, steps=40, eval_every=2)
    assert MOST_ROLLBACKS == 3


def test_a_run_is_never_overwritten_unasked(train, corpus, tmp_path):
    train(corpus, steps=1)
    before = run_of(tmp_path).last.read_bytes()
    with pytest.raises(RunError, match="`overwrite`"):
        train(corpus, steps=2)
    assert run_of(tmp_path).last.read_bytes() == before
    train(corpus, steps=2, overwrite=True)
    assert last(tmp_path).progress.step == 2


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "/a"])
def test_a_name_is_that_of_a_folder_below(train, corpus, name):
    with pytest.raises(ConfigError, match="`name`"):
        train(corpus, name=name, steps=1)


def test_overwriting_fails_without_loss(train, corpus, tmp_path):
    train(corpus, steps=1)
    before = {path: path.read_bytes() for path in run_of(tmp_path).folder.iterdir()}
    corpus.write_bytes(b"\xff\xfe\xff bad")
    with pytest.raises(CorpusError):
        train(corpus, steps=1, overwrite=True)
    assert {path: path.read_bytes() for path in run_of(tmp_path).folder.iterdir()} == before


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    train, corpus, tmp_path, monkeypatch
):
    def full(path, checkpoint):
        if path == run_of(tmp_path).last and checkpoint.progress.step:
            raise OSError(28, "No space left on device", str(path))
        return save(path, checkpoint)

    save = checkpoints.save
    monkeypatch.setattr(checkpoints, "save", full)
    with pytest.raises(RunError, match="No space"):
        train(corpus, steps=4, eval_every=2)
    monkeypatch.undo()
    assert last(tmp_path).progress.step == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_saves(corpus, tmp_path, number, status):
    command = [sys.executable, "-m", "charrnn", "train", str(corpus), "--steps", "1000000"]
    command += ["--cell", "rnn", "--units", "8", "--eval-every", "5", "--sample-every", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.read(64)
        while "nats = " not in said:
            said += process.stderr.read(64)
            assert process.poll() is None, said
        process.send_signal(number)
        said += process.stderr.read()
    assert process.returncode == status
    assert "charrnn train --resume --name corpus" in said
    assert "Traceback" not in said
    assert last(tmp_path).progress.step > 0


# -- Starting from old weights ------------------------------------------------------------


def test_init_from_matches_characters_not_indices(train, tmp_path):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("bcd" * 100, encoding="utf-8")
    new.write_text("abdxyz" * 100, encoding="utf-8")
    train(old, steps=3)
    stream = charrnn.train(
        new,
        checkpoints=tmp_path / "checkpoints",
        init_from="old",
        steps=5,
        **{name: SMALL[name] for name in ("batch_size", "seq_length", "sample_every")},
    )
    notes = [note.message for note in itertools.takewhile(is_note, iter(stream.__next__, None))]
    stream.close()
    assert "weights of old: 2 of 6 characters matched, 4 new" in notes
    before = checkpoints.load(run_of(tmp_path, "old").best)
    after = last(tmp_path, "new")
    ids = [
        (after.vocabulary.characters.index(c), before.vocabulary.characters.index(c)) for c in "bd"
    ]
    for name, axis in (("embedding/embeddings", 0), ("logits/kernel", 1), ("logits/bias", 0)):
        for new_id, old_id in [*ids, (after.vocabulary.unknown, before.vocabulary.unknown)]:
            np.testing.assert_array_equal(
                after.weights[name].take(new_id, axis), before.weights[name].take(old_id, axis)
            )
    np.testing.assert_array_equal(
        after.weights["recurrent_1/bias"], before.weights["recurrent_1/bias"]
    )
    fresh = after.weights["embedding/embeddings"][after.vocabulary.characters.index("x")]
    assert np.abs(fresh).max() > 0


def test_init_from_refuses_another_network(train, corpus):
    train(corpus, steps=1)
    with pytest.raises(ConfigError, match="`units` 9"):
        train(corpus, name="other", steps=1, init_from="corpus", units=9)
