"""However a loop over the training is left, what was learnt is saved and the folder is free."""

import gc
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apart import run_apart
from conftest import SMALL

import charrnn
from charrnn.files import hold_interrupts
from charrnn.runs import checkpoints
from charrnn.runs.events import Evaluated, Finished, Started, Stepped
from charrnn.runs.run import Run
from charrnn.training.duties import Validator
from charrnn.training.step import Trainer
from charrnn.training.train import Training

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.graphs]

RUN = Run(Path("checkpoints") / "corpus")
PLAN = {**SMALL, "steps": 6, "eval_every": 99}


def training(**options: Any) -> Training:
    """Training of six steps, which saves nothing on its own before the last."""
    return charrnn.train("corpus.txt", **{**PLAN, **options})


def saved_step() -> int:
    """The step in `last`, from which training could go on here and now."""
    with RUN.locked():
        return checkpoints.load(RUN.last).progress.step


def loop(events: Iterable[Any], do: Callable[[Any], object] = str) -> None:
    """A loop as users write it, which does something with every event."""
    for event in events:
        do(event)


def leave_by_interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def leave_by_exception() -> None:
    raise ZeroDivisionError


def leave_by_exit() -> None:
    sys.exit(3)


LEAVING = {
    leave_by_interrupt: KeyboardInterrupt,
    leave_by_exception: ZeroDivisionError,
    leave_by_exit: SystemExit,
}


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize("leave", LEAVING)
def test_an_error_in_the_body_saves_though_its_traceback_lives(corpus, leave, bound):
    kept = training() if bound else None

    def body(event: Any) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            leave()

    with pytest.raises(LEAVING[leave]) as caught:
        loop(kept or training(), body)
    assert saved_step() == 3
    assert caught.traceback  # as a notebook keeps it


@pytest.mark.parametrize("through", [iter, enumerate, lambda events: (each for each in events)])
def test_a_break_saves_at_once(corpus, through):
    kept = training()
    events = through(kept)
    for event in events:
        if isinstance(event[1] if isinstance(event, tuple) else event, Stepped):
            break
    del events
    assert saved_step() == 1
    assert list(kept) == []


def interrupted_within(owner: Any, name: str, times: int = 1, **options: Any) -> None:
    """Train; Ctrl-C comes, once or more often, in the middle of the second call of a method."""
    method, calls = getattr(owner, name), []

    def interrupted(*arguments: Any) -> Any:
        calls.append(name)
        for _ in range(times if len(calls) == 2 else 0):
            signal.raise_signal(signal.SIGINT)
        return method(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            loop(training(**options))


def assert_resumes_exactly(**options: Any) -> None:
    """The run, continued from where it was left, ends like one that was never interrupted."""
    list(charrnn.train(resume=True))
    list(training(name="whole", **options))
    whole = Run(RUN.folder.with_name("whole"))
    for file in ("best", "last"):
        one, other = (checkpoints.load(run.file(file)) for run in (RUN, whole))
        for name, tensor in one.tensors.items():
            np.testing.assert_array_equal(tensor, other.tensors[name], err_msg=name)
        one.progress.elapsed_seconds = other.progress.elapsed_seconds = 0
        assert one.progress == other.progress
    assert RUN.history.read_text().count("\n") == whole.history.read_text().count("\n")


def test_an_interrupt_within_a_step_waits_until_the_step_is_whole(corpus):
    interrupted_within(Trainer, "step")
    assert saved_step() == 2
    assert_resumes_exactly()


def test_a_second_interrupt_within_a_step_acts_at_once_and_saves_nothing_torn(corpus):
    interrupted_within(Trainer, "step", times=2)
    assert saved_step() == 0
    assert_resumes_exactly()


@pytest.mark.parametrize(("name", "every"), [("loss_nats", 2), ("_record", 2), ("loss_nats", 3)])
def test_an_interrupt_within_an_evaluation_saves_and_repeats_no_row(corpus, name, every):
    options = {"eval_every": every, "checkpoint_every": 5}
    interrupted_within(Validator, name, **options)
    assert saved_step() == 2 * every
    assert_resumes_exactly(**options)


def test_an_interrupt_within_the_saving_saves_all_the_same(corpus):
    interrupted_within(checkpoints, "save", checkpoint_every=4)
    assert saved_step() == 4
    assert_resumes_exactly(checkpoint_every=4)


def test_an_interrupt_before_the_first_step_leaves_no_run(corpus):
    with pytest.raises(KeyboardInterrupt):
        loop(training(), lambda event: leave_by_interrupt())
    assert not RUN.folder.exists()


def test_a_training_is_an_iterator_and_a_context_manager(corpus):
    with training() as events:
        while not isinstance(next(events), Stepped):
            pass
        assert isinstance(next(events), Stepped)
    assert saved_step() == 2
    assert next(events, None) is None


def test_a_training_that_is_forgotten_saves(corpus):
    events = training()
    while not isinstance(next(events), Stepped):
        pass
    del events
    gc.collect()
    assert saved_step() == 1


def test_a_training_in_one_loop_yields_every_event(corpus):
    events = list(training())
    assert sum(isinstance(event, Stepped) for event in events) == 6
    assert [type(events[-1]), sum(isinstance(each, Started) for each in events)] == [Finished, 1]
    assert sum(isinstance(event, Evaluated) for event in events) == 1


AT_EXIT = """
import sys
import charrnn
from charrnn.tf.start import tf
from charrnn.runs.events import Stepped
tf.config.run_functions_eagerly(True)
events = charrnn.train("corpus.txt", **eval(sys.argv[1]))
while not isinstance(next(events), Stepped):
    pass
"""


def test_the_end_of_the_program_saves(corpus):
    done = run_apart(AT_EXIT, repr(PLAN), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert saved_step() == 1


# -- Holding Ctrl-C back ------------------------------------------------------------------


def press(times: int, done: list[int]) -> None:
    """Press Ctrl-C in a block that holds it back, and note it where the block comes to its end."""
    with hold_interrupts():
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        done.append(times)


def test_ctrl_c_waits_for_the_end_of_a_block():
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        press(1, done)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait():
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        press(2, done)
    assert done == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_s_own_handling_of_ctrl_c_stays():
    received = []
    before = signal.signal(signal.SIGINT, lambda *_: received.append("own"))
    try:
        with hold_interrupts():
            signal.raise_signal(signal.SIGINT)
            assert received == ["own"]
    finally:
        signal.signal(signal.SIGINT, before)
