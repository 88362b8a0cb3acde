"""What type checkers are told of the public API: `mypy` reads this file, nothing runs it."""

from collections.abc import Iterator
from typing import assert_type

import numpy as np

import charrnn
from charrnn.runs.events import Event
from charrnn.sweeps.results import Result
from charrnn.sweeps.sweep import SweepEvent
from charrnn.types import Score


def types_of_the_public_api() -> None:
    """Each call with the type that it returns."""
    model = charrnn.load("corpus")
    assert_type(model, charrnn.LanguageModel)
    assert_type(model.generate("a", temperature=0.5), str)
    assert_type(model.generate("a", count=3), list[str])
    assert_type(model.generate("a", count=1), list[str])
    assert_type(model.generate("a", count=len("abc"), new=True), list[str])
    assert_type(model.states("a"), dict[str, np.ndarray])
    assert_type(charrnn.generate("corpus", "a"), str)
    assert_type(charrnn.generate("corpus", count=2), list[str])
    assert_type(model.stream("a", length=9), Iterator[str])
    assert_type(model.next("a"), list[tuple[str, float]])
    assert_type(model.score("a"), np.ndarray)
    assert_type(model.evaluate("a.txt"), Score)
    assert_type(charrnn.evaluate("corpus").bits_per_char, float)
    assert_type(charrnn.blend({"a": 0.5, "b": 0.5}), charrnn.Blend)
    assert_type(charrnn.export_model("corpus", to="onnx", output="a.onnx").size, int)
    assert_type(charrnn.import_model("a.t7", name="towns").loss_nats, float | None)
    for event in charrnn.train("a.txt", time="2m", units=64):
        assert_type(event, Event)
    for told in charrnn.sweep("a.txt", cell="lstm,gru", dropout=[0, 0.1], steps=100):
        assert_type(told, SweepEvent)
    assert_type(charrnn.sweep_results("a-sweep"), tuple[Result, ...])
    try:
        charrnn.load("nowhere")
    except charrnn.CharrnnError as error:
        assert_type(error.why, str)
        assert_type(error.setting, str | None)
