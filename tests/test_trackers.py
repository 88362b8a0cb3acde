"""The recipes of docs/python.md run as they stand, apart from the trackers themselves."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import SMALL, TEXT
from pages import PAGES

import charrnn
from charrnn.runs.events import Evaluated, Sampled
from charrnn.training.loggers import LOGGERS

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.graphs]

TINY = ", ".join(f"{name}={value}" for name, value in {**SMALL, "sample_every": 2}.items())


def recipes() -> dict[str, str]:
    """The blocks of Python, by the file that the first line names."""
    return dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGES["python.md"], re.DOTALL))


def follow(name: str) -> list[Any]:
    """Run a recipe with a tiny network for a few steps; the events of the training."""
    Path("corpus.txt").write_text(TEXT, encoding="utf-8")
    recipe = recipes()[name]
    tiny = recipe.replace('time="5m"', f"steps=4, eval_every=2, {TINY}")
    assert tiny != recipe
    told: list[Any] = []

    def train(*corpus: str, **options: Any) -> Iterator[Any]:
        for event in charrnn.train(*corpus, **options):
            told.append(event)
            yield event

    watched = tiny.replace("charrnn.train(", "train(")
    exec(compile(watched, name, "exec"), {"train": train})
    return told


def test_the_recipe_for_weights_and_biases(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[int, dict[str, Any]]] = []

    class Table:
        def __init__(self, columns: list[str], data: list[list[Any]]) -> None:
            self.rows = [dict(zip(columns, row, strict=True)) for row in data]

    class Run:
        def log(self, values: dict[str, Any], step: int) -> None:
            logged.append((step, values))

        def __enter__(self) -> "Run":
            return self

        def __exit__(self, *error: object) -> None:
            logged.append((-1, {}))

    wandb: Any = ModuleType("wandb")
    wandb.init, wandb.Table = lambda project: Run(), Table
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    told = follow("wandb_recipe.py")
    losses = [(step, values) for step, values in logged if "validation" in values]
    assert losses == [
        (
            each.step,
            {
                "train": each.train_loss_nats,
                "validation": each.val_loss_nats,
                "learning_rate": each.learning_rate,
            },
        )
        for each in told
        if isinstance(each, Evaluated)
    ]
    rows = [values["sample"].rows for _, values in logged if "sample" in values]
    texts = [{"step": each.step, "text": each.text} for each in told if isinstance(each, Sampled)]
    assert rows == [[text] for text in texts]
    assert logged[-1] == (-1, {})
    assert len(losses) == len(texts) == 2


def test_the_recipe_for_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics: dict[int, dict[str, float]] = {}
    texts: dict[str, str] = {}
    runs: list[str] = []

    @contextmanager
    def start_run(run_name: str) -> Iterator[None]:
        runs.append(run_name)
        yield

    mlflow: Any = ModuleType("mlflow")
    mlflow.start_run = start_run
    mlflow.log_metrics = lambda values, step: metrics.update({step: values})
    mlflow.log_text = lambda text, artifact_file: texts.update({artifact_file: text})
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    told = follow("mlflow_recipe.py")
    evaluated = [each for each in told if isinstance(each, Evaluated)]
    assert {step: values["validation"] for step, values in metrics.items()} == {
        each.step: each.val_loss_nats for each in evaluated
    }
    assert all(isinstance(each, float) for values in metrics.values() for each in values.values())
    samples = {f"samples/{each.step}.txt": each.text for each in told if isinstance(each, Sampled)}
    assert texts == samples
    assert (runs, len(evaluated), len(samples)) == (["corpus"], 2, 2)


def test_a_recipe_is_about_ten_lines() -> None:
    for name in ("wandb_recipe.py", "mlflow_recipe.py"):
        code = [line for line in recipes()[name].splitlines() if line.strip()]
        assert len(code) <= 14, name


def test_the_logger_shown_logs(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOGGERS, "_items", LOGGERS.present)
    exec(compile(recipes()["my_loggers.py"], "my_loggers.py", "exec"), {"__name__": "my_loggers"})
    told = list(charrnn.train(corpus, steps=4, eval_every=2, log="lines", **SMALL))  # type: ignore[arg-type]
    evaluated = [each for each in told if isinstance(each, Evaluated)]
    text = Path("checkpoints/corpus/lines/losses.txt").read_text(encoding="utf-8")
    assert text == "".join(f"{each.step} {each.val_loss_nats}\n" for each in evaluated)
