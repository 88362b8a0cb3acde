"""The bar of training: it is drawn in the plan's own measure, and ends at 100 %."""

import io
from pathlib import Path

import pytest

from charrnn.cli import display
from charrnn.cli.display import Display
from charrnn.runs import events

RUN = Path("checkpoints/fox")


@pytest.mark.parametrize(
    ("seconds", "half", "whole"),
    [(None, " 50%|", "4/4 steps"), (20.0, " 75%|", "20/20 s")],
    ids=["steps", "time"],
)
def test_a_bar_measures_the_plan_and_ends_at_its_end(
    monkeypatch: pytest.MonkeyPatch, seconds: float | None, half: str, whole: str
) -> None:
    """Also where a plan by time is carried out earlier, and where its steps were guessed."""
    clock, screen = [100.0], io.StringIO()
    monkeypatch.setattr(display, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(display, "LOG_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr", screen)
    with Display() as shown:
        shown.show(events.Started(RUN, 9, 9, 9, 0, 9, seconds, 10.0 if seconds else 0.0))
        for step in (1, 2):
            clock[0] += 2.5
            shown.show(events.Stepped(step, 4, 1.5, 1000))
        drawn = screen.getvalue().split("\r")[-1]
        assert half in drawn
        assert "400 char/s" in drawn  # the first step was compiled, and does not count
        shown.show(events.Finished(RUN, 4, 1.25))
    last = screen.getvalue().split("\r")[-1]
    assert "100%|" in last
    assert whole in last
