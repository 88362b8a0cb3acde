"""Small texts and quick runs that the tests share."""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from graphs import without_xla

# TensorFlow reads these when it is first imported. The tests compile often and run little;
# one test of resuming runs without them, as users do.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
SMALL = {"units": 8, "embedding": 4, "batch_size": 4, "seq_length": 10, "sample_every": 0}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, one process runs all tests of a file: what they share is made once."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # the order of `SLOWEST` stays
    return LoadFileScheduling(config, log) if config.option.dist == "load" else None


SLOWEST = ("ranks", "training", "step", "sweep", "export", "page_look", "layers", "page", "leaving")
"""Files by name that begin first, so that no process ends long after the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def order(item: pytest.Item) -> int:
        name = item.path.stem.removeprefix("test_")
        return SLOWEST.index(name) if name in SLOWEST else len(SLOWEST)

    items.sort(key=order)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text file of 1,800 characters."""
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., list[Any]]:
    """Train a tiny model below tmp_path/checkpoints and return its events."""

    def run(*corpus: Path, **options: Any) -> list[Any]:
        import charrnn

        return list(
            charrnn.train(*corpus, **{"checkpoints": tmp_path / "checkpoints", **SMALL, **options})
        )

    return run


@pytest.fixture
def eagerly(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing is compiled, which costs more than running a few tiny steps.

    A test marked `compiled` is compiled all the same. One marked `graphs` runs graphs that XLA does
    not compile, which takes the least time where a run has more than three steps.
    """
    from charrnn.tf.start import keras, tf

    keras.backend.clear_session(free_memory=False)  # a collection of garbage takes 0.2 s
    compiled, graphs = map(request.node.get_closest_marker, ("compiled", "graphs"))
    tf.config.run_functions_eagerly(not (compiled or graphs))
    with without_xla() if graphs and not compiled else nullcontext():
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests; see `browsing.py`."""
    from browsing import start_browser

    browser = start_browser()
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """The browser. The test fails if a page reports an error, or asks the network for anything."""
    from browsing import complaints, requests

    complaints(chromium), requests(chromium)
    yield chromium
    assert complaints(chromium) == []
    assert requests(chromium) == []


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
